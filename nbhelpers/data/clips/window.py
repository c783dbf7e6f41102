"""One window of a labelled video as a clip, or the reason why it is none."""

import re
from dataclasses import dataclass

import numpy as np

from nbhelpers.data.clips.records import Clip
from nbhelpers.data.operations import Answer, ask, write_answer
from nbhelpers.data.videos import How, LabelledSegment, LabelledVideo, VideoFacts, sample_times, working
from nbhelpers.data.videos.index import nearest

_MARGIN = 0.25  # frame spacings between the middle of a clip and the nearest change of operation
_TENTH_S = 0.1  # the question tells times to a tenth


@dataclass(frozen=True)
class Window:
    """Seconds of a video that may become a clip.

    Attributes:
        offset_s: where it starts.
        duration_s: how long it is.
        frames: shown of it.
        spacing_s: between them, where they are evenly spaced.
        asked: the operation that must be in its middle; any will do where this is None.
    """

    offset_s: float
    duration_s: float
    frames: int
    spacing_s: float
    asked: LabelledSegment | None = None


def clip_of(video: LabelledVideo, facts: VideoFacts, window: Window, how: How) -> Clip | str:
    """The clip of a window, or why there is none.

    The clip starts with a frame: its offset is the true time of the frame nearest to the window's start.
    The question tells the times of the frames to a tenth; only frames nearest to a tenth are chosen, so
    that what is told is at most half a frame from what is true.
    """
    offset = float(facts.times_s[nearest(facts.times_s, np.array([window.offset_s]))[0]])
    found = _asked(video, offset + window.duration_s / 2, _MARGIN * window.spacing_s)
    if isinstance(found, str):
        return found
    asked, follows = found
    if window.asked not in (None, asked):
        return "the operation is too short for its middle to be asked about"
    end = min(offset + window.duration_s, facts.duration_s)
    times = sample_times(facts, window.frames, how, offset, end, grid_s=_TENTH_S)
    if len(times) < window.frames:
        return "too few frames"
    return _made(video, window, offset, times, asked, follows)


def _asked(
    video: LabelledVideo, middle_s: float, margin_s: float
) -> tuple[LabelledSegment, LabelledSegment] | str:
    """The operation under way in the middle of a window, and the one after it.

    The Null class and unlabelled stretches are never asked for; between two operations they are passed
    over.
    """
    segments = working(video.segments)
    place = next((k for k, one in enumerate(segments) if one.start_s <= middle_s < one.end_s), None)
    if place is None:
        return "no operation in the middle"
    if place == len(segments) - 1:
        return "what follows is not known"
    asked = segments[place]
    if min(middle_s - asked.start_s, asked.end_s - middle_s) < margin_s - 1e-9:
        return "a change too close to the middle"
    return asked, segments[place + 1]


def _made(
    video: LabelledVideo,
    window: Window,
    offset_s: float,
    times_s: np.ndarray,
    asked: LabelledSegment,
    follows: LabelledSegment,
) -> Clip:
    start = round(max(asked.start_s - offset_s, 0.0), 2)
    end = round(min(asked.end_s - offset_s, window.duration_s), 2)
    told = [round(float(time), 1) for time in times_s - offset_s]
    visible = (times_s >= follows.start_s) & (times_s < follows.end_s)
    assert video.path is not None, "windows are cut from videos that have a file"
    return Clip(
        clip_id=_id(video.file_name, offset_s, window.duration_s),
        file_name=video.file_name,
        path=video.path,
        source=video.source,
        part=None,
        offset_s=round(offset_s, 6),
        duration_s=window.duration_s,
        times_s=tuple(round(float(time), 6) for time in times_s - offset_s),
        operation=asked.operation,
        start_s=start,
        end_s=end,
        next_operation=follows.operation,
        question=ask(told, window.duration_s),
        answer=write_answer(Answer(asked.operation, start, end, follows.operation)),
        next_visible=bool(visible.any()),
    )


def _id(file_name: str, offset_s: float, duration_s: float) -> str:
    """A name without dots or slashes, which tar shards and file systems all take."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", file_name.rsplit(".", 1)[0])
    return f"{stem}_at{round(offset_s * 1000):07d}_for{round(duration_s * 1000):05d}"
