"""`teachers.json`: which models label with which adapters, for which classes, from which scores on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nbhelpers import __version__
from nbhelpers.artifacts import read_json, write_json
from nbhelpers.errors import BadInput

RECORD_FILE = "teachers.json"
MODES = ("detection", "segmentation", "detection_and_segmentation")
_FORMAT = "nbhelpers.teachers/1"


@dataclass(frozen=True)
class Part:
    """One teacher: a base model and, where it was tuned, its adapter.

    Attributes:
        base: name or folder the model is loaded by.
        revision: of the base, as `models.Loaded.revision` gives it; empty where any will do.
        adapter: the adapter's folder, relative to the folder of `teachers.json`, POSIX; None without one.
    """

    base: str
    revision: str = ""
    adapter: str | None = None


@dataclass(frozen=True)
class TeachersRecord:
    """All that is needed to put the teachers together again.

    Attributes:
        mode: "detection", "segmentation" or "detection_and_segmentation".
        class_names: in the order of the class indices; empty where the mode knows no classes.
        thresholds: least score per class name, 0..1; classes that are missing have the default.
        nms: IoU above which of two boxes of a class the weaker goes.
        detector, segmenter: None where the mode needs none.
        stability: least stability of SAM's masks of everything, 0..1; None is the default.
    """

    mode: str
    class_names: tuple[str, ...]
    thresholds: dict[str, float] = field(default_factory=dict)
    nms: float = 0.5
    detector: Part | None = None
    segmenter: Part | None = None
    stability: float | None = None


def needed(mode: str) -> tuple[bool, bool]:
    """Whether a mode needs the detector, and the segmenter.

    Raises:
        BadInput: there is no such mode.
    """
    if mode not in MODES:
        raise BadInput(f"mode {mode!r} is not known; known modes: {', '.join(MODES)}")
    return mode != "segmentation", mode != "detection"


def write_teachers(folder: Path, record: TeachersRecord) -> Path:
    """Write `folder/teachers.json`, atomically.

    Raises:
        BadInput: the record contradicts itself (see `read_teachers`), or an adapter is not in the folder.
    """
    path = Path(folder) / RECORD_FILE
    _check(path, record)
    return write_json(path, {"format": _FORMAT, "nbhelpers": __version__, **asdict(record)})


def read_teachers(folder: Path) -> TeachersRecord:
    """Read `folder/teachers.json`.

    Args:
        folder: that `write_teachers` wrote to; the file itself may be named too.

    Raises:
        BadInput: the file is missing, is another kind of file, or says something that cannot be used.
    """
    folder = Path(folder)
    path = folder if folder.name == RECORD_FILE else folder / RECORD_FILE
    if not path.is_file():
        raise BadInput(f"{folder}: has no {RECORD_FILE}, so no teachers were left there; train them first")
    found = read_json(path)
    if not isinstance(found, dict) or found.get("format") != _FORMAT:
        raise BadInput(f"{path}: is no record of teachers (`format` is not {_FORMAT!r}); train them again")
    record = _record(path, found)
    _check(path, record)
    return record


def _record(path: Path, found: Mapping[str, Any]) -> TeachersRecord:
    names, thresholds = found.get("class_names"), found.get("thresholds")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _damaged(path, "class_names", "a list of names")
    if not isinstance(thresholds, dict) or not all(_is_share(value) for value in thresholds.values()):
        raise _damaged(path, "thresholds", "a score of 0 to 1 for each class name")
    if not _is_share(found.get("nms")):
        raise _damaged(path, "nms", "a number of 0 to 1")
    stability = found.get("stability")
    if stability is not None and not _is_share(stability):
        raise _damaged(path, "stability", "null or a number of 0 to 1")
    return TeachersRecord(
        mode=str(found.get("mode")),
        class_names=tuple(names),
        thresholds={name: float(value) for name, value in thresholds.items()},
        nms=float(found["nms"]),
        detector=_part(path, found, "detector"),
        segmenter=_part(path, found, "segmenter"),
        stability=stability,
    )


def _part(path: Path, found: Mapping[str, Any], name: str) -> Part | None:
    given = found.get(name)
    if given is None:
        return None
    texts = isinstance(given, dict) and all(isinstance(given.get(key), str) for key in ("base", "revision"))
    if not texts or not isinstance(given.get("adapter"), str | None) or not given["base"]:
        raise _damaged(path, name, "null or an object of base, revision and adapter")
    return Part(given["base"], given["revision"], given["adapter"])


def _check(path: Path, record: TeachersRecord) -> None:
    """Refuse what could not be put together again."""
    detector, segmenter = needed(record.mode)
    for name, wanted in (("detector", detector), ("segmenter", segmenter)):
        part = getattr(record, name)
        if wanted and part is None:
            raise BadInput(f"{path}: mode {record.mode!r} needs a {name}, and none is named")
        if part is not None:
            _check_adapter(path, name, part)
    if detector and not record.class_names:
        raise BadInput(f"{path}: class_names is empty; name at least one class to look for")
    if len(set(record.class_names)) != len(record.class_names):
        raise BadInput(f"{path}: class_names names a class twice; give each once")


def _check_adapter(path: Path, name: str, part: Part) -> None:
    if part.adapter is None:
        return
    inside = PurePosixPath(part.adapter)
    if inside.is_absolute() or ".." in inside.parts or not (path.parent / inside).is_dir():
        raise BadInput(
            f"{path}: the adapter of the {name}, {part.adapter!r}, is no folder beside the file; copy the "
            "whole folder of the teachers"
        )


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _damaged(path: Path, key: str, wanted: str) -> BadInput:
    return BadInput(f"{path}: {key!r} is not {wanted}; the file was damaged, train the teachers again")
