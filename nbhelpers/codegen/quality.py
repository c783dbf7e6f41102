"""Measures of generated code beside whether it works: complexity, documentation, types, lint."""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from nbhelpers.codegen.contain import Limits, run_contained
from nbhelpers.codegen.contain.run import workplace
from nbhelpers.codegen.project import Project
from nbhelpers.codegen.templates import ruff
from nbhelpers.errors import BadInput

_PROBE = str(Path(__file__).with_name("probe.py"))
_RULES = "E,W,F,B,I,UP,SIM,C4,N,RET"  # what a careful project asks for; beyond the ladder's own


@dataclass(frozen=True)
class Quality:
    """What was measured of a program's own files; its tests are left out.

    Attributes:
        lines: of Python.
        functions: how many there are.
        complexity: mean cyclomatic complexity of a function (McCabe 1976), 1 for a straight one; 0 without
            any.
        most_complex: the highest of them.
        documented: share of modules, classes and functions with a docstring; `__names__` are left out.
        typed: share of functions that state the types of all parameters and of what they return.
        findings_per_100_lines: of ruff with the rules E, W, F, B, I, UP, SIM, C4, N and RET.
    """

    lines: int
    functions: int
    complexity: float
    most_complex: int
    documented: float
    typed: float
    findings_per_100_lines: float


def measure_quality(project: Project, limits: Limits | None = None) -> Quality:
    """Measure a program, in the contained child, without running it.

    Raises:
        BadInput: it has no file of its own, or one that is no Python.
    """
    own = Project({n: t for n, t in project.sources.items() if "test" not in n}, project.entry)
    if not own.files:
        raise BadInput("the program has no Python file beside its tests")
    counted = _counted(own, limits or Limits())
    complexities = _complexities(own, limits or Limits())
    findings = len(_ruff(own, limits or Limits(), _RULES))
    functions, places = counted["functions"], counted["places"]
    return Quality(
        own.lines, functions,
        sum(complexities) / len(complexities) if complexities else 0.0, max(complexities, default=0),
        counted["documented"] / max(1, places), counted["typed"] / functions if functions else 1.0,
        100 * findings / max(1, own.lines),
    )  # fmt: skip


def _counted(project: Project, limits: Limits) -> dict[str, int]:
    with workplace() as folder:
        project.write(folder)
        argv = [sys.executable, "-I", _PROBE, "measure", *sorted(project.files)]
        found = run_contained(argv, folder, limits)
    if not found.ok:
        raise BadInput(f"the program cannot be measured: {found.reason}")
    counted: dict[str, int] = json.loads(found.stdout)
    return counted


def _complexities(project: Project, limits: Limits) -> list[int]:
    lines = _ruff(project, limits, "C901", "--config", "lint.mccabe.max-complexity=0")
    found = [re.search(r"\((\d+) > 0\)", line) for line in lines]
    return [int(match[1]) for match in found if match]


def _ruff(project: Project, limits: Limits, rules: str, *more: str) -> list[str]:
    command = [ruff(), "check", "--isolated", "--no-cache", "--exit-zero", "--line-length", "110"]
    with workplace() as folder:
        project.write(folder)
        argv = [*command, "--select", rules, *more, "--output-format", "concise", "."]
        found = run_contained(argv, folder, limits)
    if not found.ok:
        raise BadInput(f"the program cannot be measured: {found.reason}")
    return [line for line in found.stdout.splitlines() if re.match(r".+:\d+:\d+: ", line)]
