"""Drawn videos on disk; a drawing that was cut short goes on where it stopped."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nbhelpers.artifacts import append_record, read_records, sha256_file, write_atomic
from nbhelpers.data.operations import render_frames
from nbhelpers.data.videos.annotations import load_videos, write_annotations
from nbhelpers.data.videos.encode import encode_video
from nbhelpers.data.videos.plan import MAIN, Take, VideoPlan
from nbhelpers.data.videos.records import VideoSet
from nbhelpers.errors import BadInput
from nbhelpers.runtime import progress

JOURNAL = ".videos.jsonl"
ANNOTATIONS = "annotations.json"
_CHUNK = 64  # frames drawn at once


def make_videos(
    folder: Path | str,
    count: int = 100,
    seed: int = 0,
    world: str = "shifted",
    full: bool = False,
    main: float = MAIN,
    *,
    duration_s: float | None = None,
    size_px: int = 168,
    fps: int = 10,
    cameras: int = 2,
    jobs: int | None = None,
) -> VideoSet:
    """Draw videos of packing work: MP4 files (H.264) and `annotations.json`.

    Video i depends on the other arguments and i alone: 10 videos are the first 10 of 100, two runs write
    the same bytes, and videos that are there already, unharmed, are not drawn again.

    Args:
        folder: made if missing.
        count: number of videos.
        seed: of the set, 0 or more.
        world: `shifted`, or `base`, which the twin was trained on.
        full: ten operations of 1.6 to 26 s instead of the world's small set at the twin's pace.
        main: probability that the procedure is followed from one operation to the next.
        duration_s: mean length of a video; 24 s, or 72 s with `full`.
        size_px: side of the square picture, even; the twin looks at 84 pixels.
        fps: frames per second, a multiple of 10.
        cameras: session k is filmed by `1 + k % cameras` cameras.
        jobs: processes; as many as there are cores by default.

    Raises:
        BadInput: an argument out of range; says what is possible.
    """
    folder = Path(folder)
    if count < 1:
        raise BadInput(f"make_videos: count is {count}; ask for at least 1")
    plan = VideoPlan(seed, world, full, main, duration_s or 0.0, size_px, fps, cameras)
    done = _drawn(folder, plan.key)
    missing = [index for index in range(count) if index not in done]
    if missing:
        # Until all videos are there, no document may describe them: an older one could be of another set.
        (folder / ANNOTATIONS).unlink(missing_ok=True)
    for record in progress(
        _draw_all(folder, plan, missing, jobs), total=len(missing), label="drawing videos"
    ):
        append_record(folder / JOURNAL, record | {"key": plan.key})
        done[record["index"]] = record
    write_annotations(folder / ANNOTATIONS, plan, [(plan.take(i), done[i]) for i in range(count)])
    return load_videos(folder / ANNOTATIONS)


def _drawn(folder: Path, key: str) -> dict[int, dict[str, Any]]:
    """Records of earlier calls whose videos are there and unharmed, by index."""
    records = {record["index"]: record for record in read_records(folder / JOURNAL) if record["key"] == key}
    return {
        index: record
        for index, record in records.items()
        if (path := folder / record["file_name"]).is_file() and sha256_file(path) == record["sha256"]
    }


def _draw_all(
    folder: Path, plan: VideoPlan, missing: list[int], jobs: int | None
) -> Iterator[dict[str, Any]]:
    """Records of the videos as they are finished, in any order."""
    from joblib import Parallel, cpu_count, delayed

    jobs = min(jobs or cpu_count(), max(1, len(missing) // 4))  # a process takes a second to start
    work = Parallel(n_jobs=jobs, return_as="generator_unordered")
    yield from work(delayed(_draw)(folder, plan, index) for index in missing)


def _draw(folder: Path, plan: VideoPlan, index: int) -> dict[str, Any]:
    """Draw and store one video; returns its record for the journal."""
    import cv2

    cv2.setNumThreads(1)  # on pictures this small, handing work out costs more than it brings
    take = plan.take(index)
    data = encode_video(_frames(take, plan), plan.fps)
    write_atomic(folder / take.file_name, data, sync=False)
    return {
        "index": index,
        "file_name": take.file_name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "num_frames": _count(take, plan),
    }


def _count(take: Take, plan: VideoPlan) -> int:
    return round(take.timeline.duration_s * plan.fps)


def _frames(take: Take, plan: VideoPlan) -> Iterator[np.ndarray]:
    times = np.arange(_count(take, plan)) / plan.fps
    for first in range(0, len(times), _CHUNK):
        part = times[first : first + _CHUNK].tolist()
        yield from render_frames(take.timeline, part, plan.size_px, take.camera)
