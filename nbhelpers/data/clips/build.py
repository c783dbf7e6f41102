"""Clips from labelled videos: windows whose middle lies well within an operation."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nbhelpers.data.clips.records import Clip, ClipSet
from nbhelpers.data.operations import FRAMES, SPACINGS_S, Answer, ask, write_answer
from nbhelpers.data.videos import LabelledVideo, VideoSet, probe_video, sample_times, working
from nbhelpers.data.videos.sampling import How
from nbhelpers.errors import BadInput

_MARGIN = 0.25  # frame spacings between the middle of a clip and the nearest change of operation
_TENTH_S = 0.1  # the question tells times to a tenth


def build_clips(
    videos: VideoSet,
    frames: int = FRAMES,
    spacings_s: Sequence[float] = SPACINGS_S,
    how: How = "uniform",
    stride_s: float | None = None,
    anticipation_s: float | None = None,
    seed: int = 0,
) -> ClipSet:
    """Cut clips out of videos: windows of `frames * spacing` seconds at random places, about one per window.

    Half of the windows have the first spacing, half the last.
    """
    clips: list[Clip] = []
    skipped: Counter[str] = Counter()
    for number, video in enumerate(videos.videos):
        rng = np.random.default_rng((seed, number))
        facts = probe_video(video.path)
        place = 0.0
        while True:
            spacing = float(rng.choice(spacings_s))
            length = round(frames * spacing, 3)
            offset = round(place + float(rng.uniform(0, stride_s or length / 2)), 1)
            place += stride_s or length / 2
            if offset + length > facts.duration_s:
                break
            clip = _clip(video, facts, offset, length, frames, spacing, how)
            if isinstance(clip, str):
                skipped[clip] += 1
            else:
                clips.append(clip)
    return ClipSet(videos.path, videos.operations, tuple(clips), dict(skipped))


def _clip(video, facts, offset, length, frames, spacing, how):
    middle = offset + length / 2
    segments = working(video.segments)
    place = next((k for k, one in enumerate(segments) if one.start_s <= middle < one.end_s), None)
    if place is None:
        return "no operation in the middle"
    if place == len(segments) - 1:
        return "nothing known to follow"
    asked, follows = segments[place], segments[place + 1]
    if min(middle - asked.start_s, asked.end_s - middle) < _MARGIN * spacing:
        return "a change in the middle"
    times = sample_times(facts, frames, how, offset, offset + length, grid_s=_TENTH_S) - offset
    start, end = round(max(asked.start_s - offset, 0), 2), round(min(asked.end_s - offset, length), 2)
    visible = bool(((times + offset >= follows.start_s) & (times + offset < follows.end_s)).any())
    answer = Answer(asked.operation, start, end, follows.operation)
    question = ask([round(t, 1) for t in times], length)
    return Clip(
        f"{video.file_name.rsplit('.', 1)[0]}@{offset:.1f}+{length:g}",
        video.file_name,
        video.path,
        video.source,
        None,
        offset,
        length,
        tuple(round(float(t), 6) for t in times),
        asked.operation,
        start,
        end,
        follows.operation,
        question,
        write_answer(answer),
        visible,
    )
