"""`annotations.json`: which operation each video shows from when to when."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbhelpers.artifacts import read_json, write_json
from nbhelpers.data.operations import find_operation_world
from nbhelpers.data.videos.plan import Take, VideoPlan
from nbhelpers.data.videos.read_entries import operation_names, read_video
from nbhelpers.data.videos.records import VideoSet
from nbhelpers.data.videos.segments import Reading
from nbhelpers.errors import BadInput

ANNOTATIONS = "annotations.json"


def write_annotations(path: Path, plan: VideoPlan, rows: Sequence[tuple[Take, Mapping[str, Any]]]) -> Path:
    """Write the document of drawn videos, each with its record of the drawing."""
    world = find_operation_world(plan.world)
    operations = world.all_operations if plan.full else world.operations
    document = {
        "info": {"description": "Drawn packing work", "licence": "CC0 1.0", "plan": plan, "key": plan.key},
        "operations": [{"id": one.id, "name": one.name} for one in operations],
        "videos": [_entry(take, record, plan) for take, record in rows],
    }
    return write_json(path, document)


def _entry(take: Take, record: Mapping[str, Any], plan: VideoPlan) -> dict[str, Any]:
    segments = [
        {
            "operation": one.operation.name,
            "operation_id": one.operation.id,
            "start_s": one.start_s,
            "end_s": one.end_s,
        }
        for one in take.timeline.segments
    ]
    return {
        "file_name": take.file_name,
        "fps": plan.fps,
        "num_frames": record["num_frames"],
        "duration_s": take.timeline.duration_s,
        "source": take.source,
        "camera": take.camera + 1,
        "segments": segments,
    }


def load_videos(path: Path | str) -> VideoSet:
    """Read an `annotations.json`, or the one in a folder.

    What it must hold: `operations` (names, or objects of `id` and `name`) and `videos`, each with
    `file_name`, `fps`, `num_frames` and `segments` of `operation`, `start_s` and `end_s`. `source` (subject
    and session) says what a split must keep together. Small faults are mended and said in `warnings`: see
    `read_video`.

    Raises:
        BadInput: no such file, no JSON, or a fault that cannot be mended; names the video, the segment and
            the mend.
    """
    path = Path(path)
    path = path / ANNOTATIONS if path.is_dir() else path
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("videos"), list):
        raise BadInput(f"{path}: has no list `videos`; write {{'operations': [...], 'videos': [...]}}")
    if not document["videos"]:
        raise BadInput(f"{path}: its list `videos` is empty; there is nothing to use")
    reading = Reading(path)
    names, names_by_id = operation_names(document, reading)
    videos = [
        read_video(entry, number, names, names_by_id, reading)
        for number, entry in enumerate(document["videos"])
    ]
    for file_name, times in Counter(video.file_name for video in videos).items():
        if times > 1:
            raise BadInput(f"{path}: file_name {file_name!r} stands {times} times; give each video one entry")
    account = {"videos": len(videos), "segments": sum(len(video.segments) for video in videos)}
    return VideoSet(path, names, tuple(videos), tuple(reading.warnings), account | reading.counts)
