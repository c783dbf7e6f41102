"""What the runner remembers of each phase of a run: `runs/<id>/<phase>/state.json`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbhelpers.artifacts import read_json, sha256_file, write_json
from nbhelpers.errors import BadInput
from nbhelpers.notebooks.digest import digest
from nbhelpers.notebooks.failures import Failure

FILE = "state.json"
LOCK = ".lock"
SCHEMA = 1
"""Version of the form of `results.json`."""


@dataclass(frozen=True)
class Input:
    """An artifact that a phase took from an earlier one; `sha256` is None where there was none to take."""

    phase: str
    name: str
    sha256: str | None


@dataclass
class PhaseState:
    """How far a phase got.

    Attributes:
        state: "running", "done", "failed" or "interrupted". "running" with no process holding the run's lock
            means that the process was killed.
        fingerprint: hashes of what the phase rests on, see `Step.fingerprint`.
        started: UTC, ISO 8601.
        seconds: wall time of the whole notebook, kernel start included.
        failure: class, cell and cause, when it failed.
        results: hash of the `results.json` this go left.
    """

    phase: str
    notebook: str
    state: str
    fingerprint: dict[str, str] = field(default_factory=dict)
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    seconds: float = 0.0
    failure: dict[str, Any] | None = None
    results: str = ""
    pid: int = field(default_factory=os.getpid)

    def write(self, folder: Path) -> None:
        """Write it into the phase's folder, atomically."""
        write_json(folder / FILE, self)


def read_state(folder: Path) -> PhaseState | None:
    """The state a phase was left in; None when the runner never ran it or the file is of another form."""
    if not (folder / FILE).is_file():
        return None
    try:
        return PhaseState(**read_json(folder / FILE))
    except (BadInput, TypeError):  # written by another version: as good as never run
        return None


def why_run(folder: Path, fingerprint: Mapping[str, str]) -> str:
    """Why a phase must run, in words; empty when it is done and nothing it rests on has changed."""
    state = read_state(folder)
    if state is None:
        return "not run before"
    if state.state == "failed":
        return f"it failed before ({(state.failure or {}).get('kind', 'other')})"
    if state.state != "done":
        return "it was interrupted"
    changed = [word for word, value in fingerprint.items() if state.fingerprint.get(word) != value]
    if changed:
        return f"{' and '.join(changed)} changed"
    return _results_changed(folder, state) or _inputs_changed(folder)


def _results_changed(folder: Path, state: PhaseState) -> str:
    path = folder / "results.json"
    if not path.is_file() or sha256_file(path) != state.results:
        return "results.json is not the one it left"
    artifacts = read_json(path).get("artifacts", {})
    lost = [name for name, left in artifacts.items() if not (folder / left).exists()]
    return f"{', '.join(lost)} is missing" if lost else ""


def _inputs_changed(folder: Path) -> str:
    """Compare what the phase took from earlier phases with what lies there now."""
    for item in read_json(folder / "results.json").get("inputs", []):
        path = left_by(folder.parent, item["phase"], item["name"])
        if (digest(path) if path else None) != item["sha256"]:
            return f"{item['name']} of phase {item['phase']} changed"
    return ""


def left_by(run: Path, phase: str, name: str) -> Path | None:
    """The artifact that a phase of the run at `run` left under `name`, or None when it left none."""
    folder = run / phase
    if not (folder / "results.json").is_file():
        return None
    left = read_json(folder / "results.json").get("artifacts", {}).get(name)
    path = (folder / left).resolve() if left else None
    return path if path is not None and path.exists() else None


def record_failure(folder: Path, phase: str, failure: Failure) -> None:
    """Put a failure into the phase's `results.json`; what the phase measured before it is kept."""
    path = folder / "results.json"
    empty = {"schema": SCHEMA, "phase": phase, "metrics": {}, "checks": [], "artifacts": {}, "figures": []}
    results = read_json(path) if path.is_file() else empty
    detail = {"kind": failure.kind, "cell": failure.cell, "cause": failure.cause, "hint": failure.hint}
    write_json(path, {**results, "state": "failed", "failure": detail})
