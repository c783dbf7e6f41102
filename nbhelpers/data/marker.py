"""What a prepared folder holds and whether it is finished: one small file, written first and last."""

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbhelpers.artifacts import read_json, write_json
from nbhelpers.errors import BadInput

MARKER = ".prepared.json"

# Names of `artifacts.write_atomic` and of `image_files` for files that are not whole yet.
REMAINS = re.compile(r"\.[0-9a-f]{16}\.tmp|\.[0-9a-f]{32}\.part")


def read_marker(folder: Path) -> dict[str, Any]:
    """What `finish` recorded.

    Raises:
        BadInput: the folder is not there, was not made by `prepare`, or its preparation was cut short.
    """
    if not (folder / MARKER).is_file():
        raise BadInput(f"{folder}: is no prepared set ({MARKER} is missing); prepare one first (notebook 02)")
    record: dict[str, Any] = read_json(folder / MARKER)
    if not record["finished"]:
        raise BadInput(f"{folder}: its preparation was not finished; prepare it again, into the same folder")
    return record


def is_made_from(folder: Path, inputs: Mapping[str, Any]) -> bool:
    """Whether a folder was finished from these inputs."""
    path = folder / MARKER
    return path.is_file() and read_json(path).get("inputs") == inputs


def begin(output: Path, parts: list[str]) -> dict[str, list[str]]:
    """Mark the folder as unfinished; returns what earlier preparations, finished or not, put there."""
    marker = output / MARKER
    known = read_json(marker) if marker.is_file() else {"parts": [], "images": []}
    before = {"parts": sorted({*known["parts"], *parts}), "images": known["images"]}
    write_json(marker, {"finished": False, **before}, indent=None)
    _remove_remains(output)
    return before


def _remove_remains(output: Path) -> None:
    """Delete half-written files that a kill left behind."""
    paths = [*output.iterdir(), *(output / "images").rglob(".*")]
    for path in (path for path in paths if REMAINS.fullmatch(path.name)):
        path.unlink(missing_ok=True)


def remove_old(output: Path, before: dict[str, list[str]], parts: list[str], images: list[str]) -> None:
    """Delete parts and images that an earlier preparation put here and this one does not have."""
    for name in set(before["parts"]) - set(parts):
        (output / f"{name}.json").unlink(missing_ok=True)
    for name in set(before["images"]) - set(images):
        path = output / "images" / name
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # the folder is not empty, or is gone already
            path.parent.rmdir()


def finish(output: Path, record: Mapping[str, Any]) -> None:
    """Mark the folder as finished, with what `load_prepared` needs besides the files."""
    write_json(output / MARKER, {"finished": True, **record}, indent=None)
