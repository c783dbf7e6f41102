"""`annotations.json`: which operation each video shows from when to when."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbhelpers.artifacts import read_json, write_json
from nbhelpers.data.operations import find_operation_world
from nbhelpers.data.videos.plan import Take, VideoPlan
from nbhelpers.data.videos.records import LabelledSegment, LabelledVideo, VideoSet


def write_annotations(path: Path, plan: VideoPlan, rows: Sequence[tuple[Take, Mapping[str, Any]]]) -> Path:
    """Write the document of drawn videos, each with its record of the drawing."""
    world = find_operation_world(plan.world)
    operations = world.all_operations if plan.full else world.operations
    videos = [
        {
            "file_name": take.file_name,
            "fps": plan.fps,
            "num_frames": record["num_frames"],
            "duration_s": take.timeline.duration_s,
            "source": take.source,
            "camera": take.camera + 1,
            "segments": [
                {
                    "operation": one.operation.name,
                    "operation_id": one.operation.id,
                    "start_s": one.start_s,
                    "end_s": one.end_s,
                }
                for one in take.timeline.segments
            ],
        }
        for take, record in rows
    ]
    info = {"description": "Drawn packing work", "licence": "CC0 1.0", "plan": plan, "key": plan.key}
    named = [{"id": one.id, "name": one.name} for one in operations]
    return write_json(path, {"info": info, "operations": named, "videos": videos})


def load_videos(path: Path | str) -> VideoSet:
    """Read an `annotations.json`, or the one in a folder."""
    path = Path(path)
    path = path / "annotations.json" if path.is_dir() else path
    document = read_json(path)
    videos = tuple(_video(entry, path.parent) for entry in document["videos"])
    return VideoSet(path, tuple(one["name"] for one in document["operations"]), videos)


def _video(entry: Mapping[str, Any], folder: Path) -> LabelledVideo:
    segments = tuple(
        LabelledSegment(one["operation"], one["start_s"], one["end_s"], one.get("operation_id"))
        for one in entry["segments"]
    )
    return LabelledVideo(
        entry["file_name"], folder / entry["file_name"], entry["fps"], entry["num_frames"],
        entry["duration_s"], entry["source"], segments,
    )  # fmt: skip
