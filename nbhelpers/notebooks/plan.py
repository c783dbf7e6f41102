"""Which notebooks to run, with which parameters, and by what a later call knows them again."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbhelpers.artifacts import sha256_value
from nbhelpers.errors import BadInput
from nbhelpers.notebooks import digest
from nbhelpers.notebooks.places import PHASES

OPTIONS = {"profile": "--profile", "run_id": "--run-id", "runs": "--runs", "overrides": "--set"}
"""Parameters every notebook has and the runner sets itself, with the option for each."""
RESTS_ON = {"teach": ("data",), "distill": ("data", "teach"), "export": ("data", "teach", "distill")}
"""Sections, besides its own, of which a phase makes what no earlier phase of the run has left."""
OWN = tuple(OPTIONS)
_PATHS = ("data", "images")


@dataclass(frozen=True)
class Step:
    """One notebook of a run.

    Attributes:
        known: names of the parameters in its tagged cell.
        given: the values this run gives it, beyond the runner's own.
    """

    number: str
    phase: str
    notebook: Path
    known: tuple[str, ...]
    given: dict[str, Any]

    @property
    def name(self) -> str:
        """Number and phase, as shown to people."""
        return f"{self.number} {self.phase}"

    def fingerprint(self, settings: Any) -> dict[str, str]:
        """Hashes of everything this step rests on, apart from what earlier phases left; keys are words.

        Args:
            settings: the run's `Settings`.
        """
        import nbformat

        notebook = nbformat.read(self.notebook, as_version=4)
        plain = {name: value for name, value in self.given.items() if name not in _PATHS}
        return {
            "notebook": digest.notebook_code(notebook),
            "package": digest.package_code(),
            "libraries": digest.library_versions(),
            "settings": sha256_value([settings.profile, *map(settings.section, self._sections())]),
            "parameters": sha256_value(plain),
            "data": _data(self.given),
        }

    def _sections(self) -> tuple[str, ...]:
        return (self.phase, "memory", *RESTS_ON.get(self.phase, ()))


def choose(which: Sequence[str], notebooks: Mapping[str, Path]) -> dict[str, Path]:
    """The notebooks meant by `which`: numbers ("02", "2"), phases ("data"), or "all"; in order of number.

    Raises:
        BadInput: one is meant that is not there; names those that are.
    """
    if not which or "all" in which:
        return dict(notebooks)
    by_name = {PHASES[number]: number for number in notebooks}
    chosen = set()
    for word in which:
        number = by_name.get(word, word.zfill(2))
        if number not in notebooks:
            there = ", ".join(f"{n} ({PHASES[n]})" for n in notebooks)
            raise BadInput(f"notebook {word!r}: there are all, {there}{_like(word, by_name)}")
        chosen.add(number)
    return {number: path for number, path in notebooks.items() if number in chosen}


def make_steps(notebooks: Mapping[str, Path], given: Mapping[str, Any], overridden: bool) -> list[Step]:
    """Give each notebook those of the parameters that it knows.

    Args:
        notebooks: number to path.
        given: parameters by name, as the user gave them.
        overridden: settings are overridden, so that the notebooks must know `overrides`.

    Raises:
        BadInput: a parameter that none of the notebooks knows, one the runner sets itself, or a notebook
            whose parameters cell lacks what the runner needs.
    """
    known = {number: _parameters(path) for number, path in notebooks.items()}
    _check_names(given, sorted(set().union(*known.values()) - set(OWN)))
    needed = OWN if overridden else OWN[:3]
    for number, path in notebooks.items():
        missing = [name for name in needed if name not in known[number]]
        if missing:
            raise BadInput(f"{path.name}: its cell tagged `parameters` lacks {', '.join(missing)}")
    return [
        Step(n, PHASES[n], path, known[n], {k: v for k, v in given.items() if k in known[n]})
        for n, path in notebooks.items()
    ]


def typed(pairs: Sequence[str], option: str = "-p") -> dict[str, Any]:
    """Read `key=value` pairs; values are YAML, so `3` is a number, `[1, 2]` a list and `yes` is true.

    Raises:
        BadInput: a pair without `=`, an empty key, a key given twice, or a value that is not YAML.
    """
    import yaml

    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.strip():
            raise BadInput(f"{option} {pair}: write it as key=value")
        if key.strip() in values:
            raise BadInput(f"{option} {key.strip()}: given twice")
        try:
            values[key.strip()] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            reason = str(getattr(error, "problem", "") or error).splitlines()[0]
            raise BadInput(f"{option} {pair}: the value is not YAML ({reason}); put it in quotes") from None
    return values


def _parameters(path: Path) -> tuple[str, ...]:
    import logging

    import papermill

    logging.getLogger("papermill").setLevel(logging.CRITICAL + 1)
    literal = str(path).replace("{", "{{").replace("}", "}}")
    try:
        return tuple(papermill.inspect_notebook(literal))
    except Exception as error:
        message = f"{path.name}: cannot be read as a notebook ({type(error).__name__}: {error})"
        raise BadInput(message) from error


def _check_names(given: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in given:
        if name in OWN:
            raise BadInput(f"parameter {name!r} is set by the runner; use {OPTIONS[name]}")
        if name not in known:
            listed, like = ", ".join(known) or "none", _like(name, known)
            raise BadInput(f"unknown parameter {name!r}: the chosen notebooks know {listed}{like}")


def _like(word: str, known: Sequence[str] | Mapping[str, str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _data(given: Mapping[str, Any]) -> str:
    if not given.get("data"):
        return ""
    images = given.get("images")
    return digest.data_digest(Path(given["data"]), Path(images) if images else None)
