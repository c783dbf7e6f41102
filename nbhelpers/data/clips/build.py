"""Clips from labelled videos: windows whose middle lies well within an operation."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import get_args

import numpy as np

from nbhelpers.data.clips.records import Clip, ClipSet
from nbhelpers.data.clips.window import Window, clip_of
from nbhelpers.data.operations import FRAMES, SPACINGS_S
from nbhelpers.data.videos import How, LabelledVideo, VideoFacts, VideoSet, probe_video, working
from nbhelpers.errors import BadInput
from nbhelpers.runtime import progress


def build_clips(
    videos: VideoSet,
    frames: int = FRAMES,
    spacings_s: Sequence[float] = SPACINGS_S,
    how: How = "uniform",
    stride_s: float | None = None,
    anticipation_s: float | None = None,
    seed: int = 0,
) -> ClipSet:
    """Cut clips out of videos; each is asked for the operation in its middle, its bounds and what follows.

    Windows last `frames * spacing` seconds, the spacing drawn for each. Without `anticipation_s` they stand
    at random places, one per `stride_s` on average. With it there is at most one per change of operation,
    which ends that many seconds *before* the change: no frame shows what follows, it can only be foreseen.

    Args:
        videos: at least one of them with its file.
        frames: per clip.
        spacings_s: seconds between frames that a model can express; one of them is drawn for each clip.
            With `entropy` and `mixed` it sets the window's length alone.
        how: which frames, see `sample_times`.
        stride_s: from one window to the next; half a window by default.
        anticipation_s: seconds between a window's end and the change to the operation that follows.
        seed: of places and spacings.

    Returns:
        The clips, and in `skipped` how many windows became none, by reason.

    Raises:
        BadInput: an argument out of range, no video with a file, or one that cannot be read.
    """
    _check(videos, frames, spacings_s, how, stride_s, anticipation_s)
    clips: dict[str, Clip] = {}
    skipped: Counter[str] = Counter()
    for number, video in enumerate(progress(videos.videos, label="cutting clips", unit="video")):
        if video.path is None:
            skipped["no video file"] += 1
            continue
        facts, rng = probe_video(video.path), np.random.default_rng((seed, number))
        places = (
            _anywhere(facts, frames, spacings_s, stride_s, rng)
            if anticipation_s is None
            else _before_changes(video, frames, spacings_s, anticipation_s, rng)
        )
        for window in places:
            made = clip_of(video, facts, window, how)
            if isinstance(made, str):
                skipped[made] += 1
            else:
                clips.setdefault(made.clip_id, made)
    return ClipSet(videos.path, videos.operations, tuple(clips.values()), dict(skipped))


def _check(
    videos: VideoSet,
    frames: int,
    spacings_s: Sequence[float],
    how: str,
    stride_s: float | None,
    anticipation_s: float | None,
) -> None:
    tenths = [spacing for spacing in spacings_s if not (spacing > 0 and abs(spacing * 10 % 1) < 1e-9)]
    problems = (
        (frames < 1, f"{frames} frames per clip; give at least 1"),
        (
            not len(spacings_s) or bool(tenths),
            f"spacings {list(spacings_s)} s; give tenths of a second above 0",
        ),
        (how not in get_args(How), f"sampling {how!r} is unknown; known are {', '.join(get_args(How))}"),
        (stride_s is not None and not stride_s > 0, f"a stride of {stride_s} s; give seconds above 0"),
        (
            anticipation_s is not None and not anticipation_s >= 0,
            f"anticipation of {anticipation_s} s; give 0 or more",
        ),
        (
            all(video.path is None for video in videos.videos),
            "none of the videos has a file, there are labels alone; put the files beside the annotations",
        ),
    )
    for wrong, message in problems:
        if wrong:
            raise BadInput(f"{videos.path}: {message}")


def _anywhere(
    facts: VideoFacts,
    frames: int,
    spacings_s: Sequence[float],
    stride_s: float | None,
    rng: np.random.Generator,
) -> Iterator[Window]:
    """Windows from the video's start to its end, each at a random place of its stride."""
    place = 0.0
    while True:
        spacing = float(rng.choice(np.asarray(spacings_s)))
        length = round(frames * spacing, 3)
        stride = stride_s or length / 2
        offset = round(place + float(rng.uniform(0, stride)), 1)
        if offset + length > facts.duration_s + 1e-6:
            return
        yield Window(offset, length, frames, spacing)
        place += stride


def _before_changes(
    video: LabelledVideo,
    frames: int,
    spacings_s: Sequence[float],
    anticipation_s: float,
    rng: np.random.Generator,
) -> Iterator[Window]:
    """A window before the end of every operation but the last."""
    for one in working(video.segments)[:-1]:
        spacing = float(rng.choice(np.asarray(spacings_s)))
        length = round(frames * spacing, 3)
        offset = np.floor((one.end_s - anticipation_s - length) * 10 + 1e-6) / 10
        if offset >= 0:
            yield Window(float(offset), length, frames, spacing, one)
