"""Imports only point down: each room knows the floors below it and, beside it, only the rooms it may."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "nbhelpers"
GROUND = {"errors", "runtime", "settings", "artifacts", "plots"}
MIDDLE = {"metrics", "models", "training"}
BESIDE = {
    "memory": set(),
    "data": set(),
    "teach": {"data"},
    "distill": {"data", "teach"},
    "export": {"data", "distill"},
    "video": {"data"},
    "degrade": set(),
    "codegen": set(),
    "attack": set(),
}
TOP = {"notebooks", "cli", "serve", "twins", "__main__"}

ALLOWED = {
    **dict.fromkeys(GROUND, GROUND),
    **dict.fromkeys(MIDDLE, GROUND | MIDDLE | {"memory"}),
    **{room: GROUND | MIDDLE | {"memory", room} | others for room, others in BESIDE.items()},
    "memory": GROUND | {"memory"},
    **dict.fromkeys(TOP, GROUND | MIDDLE | set(BESIDE) | TOP),
}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def home(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """Second part of every `nbhelpers.x` that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("nbhelpers."))


def test_every_place_has_a_floor():
    assert {home(path) for path in FILES} == set(ALLOWED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    beyond = set(imported(path)) - ALLOWED[home(path)] - {"__version__"}
    assert not beyond, f"{home(path)} may not import {', '.join(sorted(beyond))}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_outgrows_one_idea(path):
    assert path.read_text().count("\n") <= 300
