"""The three ways to name our requirements say the same, and every range has two ends."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
EVERY_REQUIREMENT = PROJECT["dependencies"] + [text for extra in EXTRAS.values() for text in extra]


def test_requirements_txt_agrees_with_pyproject():
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    assert lines == PROJECT["dependencies"]


def test_environment_yml_agrees_with_pyproject():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(item["pip"] for item in dependencies if isinstance(item, dict))
    assert pip == PROJECT["dependencies"]
    assert f"python{PROJECT['requires-python']}" in dependencies


@pytest.mark.parametrize("text", EVERY_REQUIREMENT)
def test_every_range_has_two_ends(text):
    operators = {spec.operator for spec in Requirement(text).specifier}
    assert operators == {">=", "<"}, f"{text}: pin it with both bounds"


def test_the_extras_of_the_readme_exist():
    assert set(EXTRAS) == {"gpu", "tensorrt", "cluster", "dev"}


def test_every_make_target_is_listed_by_help():
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    shown = subprocess.check_output(["make", "-C", str(ROOT), "help"], text=True)
    listed = set(re.findall(r"^  ([a-z-]+)", shown, re.MULTILINE))
    assert listed == set(phony[1].split())


def test_the_licence_is_apache_2():
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert PROJECT["license"] == "Apache-2.0"
