"""The entries of an `annotations.json`, read with their small faults mended."""

import math
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from nbhelpers.data.videos.probe import probe_video
from nbhelpers.data.videos.records import NULL, LabelledSegment, LabelledVideo
from nbhelpers.data.videos.segments import Reading, in_order
from nbhelpers.errors import BadInput


def operation_names(document: Mapping[str, Any], reading: Reading) -> tuple[tuple[str, ...], dict[int, str]]:
    """Names of the operations in their order, without the Null class, and names by id.

    Without a list of operations, the names are those the segments use, in alphabetical order.
    """
    listed = document.get("operations")
    if listed is None:
        segments = [one for video in document["videos"] if isinstance(video, dict) for one in _list(video)]
        used = {str(one["operation"]) for one in segments if isinstance(one, dict) and one.get("operation")}
        reading.mend("operations taken from segments", "no list `operations`: the names in use were taken")
        return tuple(sorted(used - {NULL})), {}
    if not isinstance(listed, list) or not listed:
        raise BadInput(f"{reading.path}: `operations` is no list of names; write them in their usual order")
    pairs = [_operation(one, number, reading) for number, one in enumerate(listed)]
    names = tuple(name for name, _ in pairs if name != NULL)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(f"{reading.path}: operation {twice!r} is listed twice; list each once")
    return names, {number: name for name, number in pairs if number is not None}


def _list(video: Mapping[str, Any]) -> list[Any]:
    segments = video.get("segments")
    return segments if isinstance(segments, list) else []


def _operation(one: Any, number: int, reading: Reading) -> tuple[str, int | None]:
    name, own_id = (one.get("name"), one.get("id")) if isinstance(one, dict) else (one, None)
    if not isinstance(name, str) or not name.strip():
        raise BadInput(f"{reading.path}: operation {number} has no name ({one!r}); give text, or id and name")
    return name, own_id if isinstance(own_id, int) and not isinstance(own_id, bool) else None


def read_video(
    entry: Any, number: int, names: tuple[str, ...], names_by_id: Mapping[int, str], reading: Reading
) -> LabelledVideo:
    """One video.

    Mended, with a warning: an absolute or Windows path whose file lies beside the annotations; fps, frames
    and length that are missing (taken from the file); a missing source (the video's own name); and in
    segments what `in_order` mends. A video whose file is missing stays, with no path.

    Raises:
        BadInput: no file_name, a number that is none, an unknown operation, overlapping segments.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("file_name"), str) or not entry["file_name"]:
        raise BadInput(f"{reading.path}: video {number} has no file_name; name its file")
    name = entry["file_name"]
    path = _find(name, reading)
    fps, frames, length = _size(entry, name, path, reading)
    source = entry.get("source")
    if not isinstance(source, str) or not source:
        source = PureWindowsPath(name).stem
        reading.mend("source from file name", f"{name}: no source; taken to be one of its own, {source!r}")
    segments = entry.get("segments")
    if not isinstance(segments, list):
        raise BadInput(
            f"{reading.path}: {name} has no list `segments`; give an empty one if nothing is labelled"
        )
    read = [_segment(one, k, name, names, names_by_id, reading) for k, one in enumerate(segments)]
    kept = in_order(read, length, 1 / fps if fps else 0.0, name, reading)
    return LabelledVideo(name, path, fps, frames, length, source, kept)


def _find(name: str, reading: Reading) -> Path | None:
    """The file itself, or one of that name beside the annotations."""
    folder, plain = reading.path.parent, PureWindowsPath(name)
    for path in (
        folder / name,
        folder / plain.as_posix(),
        folder / plain.name,
        folder / "videos" / plain.name,
    ):
        if path.is_file():
            if plain.is_absolute() or (Path(name).is_absolute() and path != Path(name)):
                reading.mend("path mended", f"{name}: taken to be {path.name} beside the annotations")
            return path
    reading.mend(
        "file missing", f"{name}: there is no such file beside the annotations; only its labels are used"
    )
    return None


def _size(
    entry: Mapping[str, Any], name: str, path: Path | None, reading: Reading
) -> tuple[float, int, float]:
    """Frames per second, number of frames and length in seconds."""
    fps, frames, length = (
        number_or_none(entry.get(key), f"{name}: {key}", reading)
        for key in ("fps", "num_frames", "duration_s")
    )
    if not (fps and fps > 0 and frames and frames > 0):
        if path is None:
            raise BadInput(f"{reading.path}: {name} has no fps and num_frames above 0, nor a file to count")
        facts = probe_video(path)
        fps, frames, length = facts.fps, facts.num_frames, facts.duration_s
        reading.mend("size from file", f"{name}: fps or num_frames missing; {frames} at {fps:g} were counted")
    return fps, int(frames), length if length and length > 0 else round(frames / fps, 6)


def number_or_none(value: Any, what: str, reading: Reading) -> float | None:
    """A finite number; one written as text is mended.

    Raises:
        BadInput: it is there and no number.
    """
    if value is None:
        return None
    if isinstance(value, str):
        reading.mend("number as text", f"{what} is the text {value!r}; read as a number")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise BadInput(f"{reading.path}: {what} is {value!r}; give a number")
    return number


def _segment(
    one: Any, k: int, name: str, names: tuple[str, ...], names_by_id: Mapping[int, str], reading: Reading
) -> LabelledSegment:
    where = f"{name}: segment {k}"
    if not isinstance(one, dict):
        raise BadInput(f"{reading.path}: {where} is {one!r}; give operation, start_s and end_s")
    start, end = (number_or_none(one.get(key), f"{where}: {key}", reading) for key in ("start_s", "end_s"))
    if start is None or end is None:
        raise BadInput(f"{reading.path}: {where} has no start_s or end_s; give both in seconds")
    operation, own_id = one.get("operation"), one.get("operation_id")
    known = next((value for value in (own_id, operation) if isinstance(value, int)), None)
    if operation not in (*names, NULL) and known is not None and known in names_by_id:
        reading.mend(
            "operation by id", f"{where}: operation {operation!r} read as {names_by_id[known]!r}, id {known}"
        )
        operation = names_by_id[known]
    if operation not in (*names, NULL):
        raise BadInput(
            f"{reading.path}: {where}: operation {operation!r} is not listed; known: {', '.join(names)}"
        )
    return LabelledSegment(operation, start, end, known)
