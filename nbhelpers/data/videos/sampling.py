"""Which frames of a video to look at: evenly spaced, where the picture changes, or half and half."""

from pathlib import Path
from typing import Literal, get_args

import numpy as np

from nbhelpers.data.videos.changes import picture_changes
from nbhelpers.data.videos.index import nearest
from nbhelpers.data.videos.probe import VideoFacts, probe_video
from nbhelpers.errors import BadInput

How = Literal["uniform", "entropy", "mixed"]


def sample_times(
    video: Path | str | VideoFacts,
    count: int = 8,
    how: How = "uniform",
    start_s: float = 0.0,
    end_s: float | None = None,
    grid_s: float | None = None,
) -> np.ndarray:
    """Choose frames and return their true times.

    `uniform` takes `start_s + k * (end_s - start_s) / count`; `entropy` spreads the frames so that as much
    happens between any two of them (see `picture_changes`; the stretch is decoded for it); `mixed` takes
    half of each. Where nothing changes, `entropy` spreads them evenly.

    Args:
        video: its path, or what `probe_video` found.
        count: frames wanted.
        how: `uniform`, `entropy` or `mixed`.
        start_s: start of the stretch looked at, seconds from the first frame.
        end_s: end of it, itself left out; the video's end by default.
        grid_s: times a model can be told are `start_s + k * grid_s`: only the frames nearest to those are
            chosen, and evenly spaced ones are a whole number of `grid_s` apart.

    Returns:
        (N,) float64 presentation times in seconds from the first frame, ascending, none twice; N is
        `count`, or fewer where the stretch has fewer frames (on the grid).

    Raises:
        BadInput: see `probe_video`; an unknown `how`, a count below 1, or a stretch without a frame.
    """
    facts = video if isinstance(video, VideoFacts) else probe_video(video)
    end = facts.duration_s if end_s is None else end_s
    _check(facts, count, how, start_s, end, grid_s)
    numbers = _candidates(facts, start_s, end, grid_s)
    if not len(numbers):
        raise BadInput(
            f"{facts.path}: no frame from {start_s:g} to {end:g} s; it lasts {facts.duration_s:g} s"
        )
    if len(numbers) <= count:
        return facts.times_s[numbers]
    evenly = _evenly(facts, start_s, end, count, grid_s)
    if how == "uniform":
        return facts.times_s[evenly]
    kept = evenly[:0] if how == "entropy" else evenly[:: 2 if count > 1 else 1]
    free = np.setdiff1d(numbers, kept)
    chosen = np.concatenate([kept, _where_it_changes(facts, free, numbers, count - len(kept))])
    return facts.times_s[np.sort(chosen)]


def _check(
    facts: VideoFacts, count: int, how: str, start_s: float, end_s: float, grid_s: float | None
) -> None:
    problems = (
        (how not in get_args(How), f"sampling {how!r} is unknown; known are {', '.join(get_args(How))}"),
        (count < 1, f"{count} frames were asked for; ask for at least 1"),
        (not 0 <= start_s < end_s, f"nothing lies between {start_s:g} and {end_s:g} s"),
        (grid_s is not None and not grid_s > 0, f"a grid of {grid_s} s; give seconds above 0"),
    )
    for wrong, message in problems:
        if wrong:
            raise BadInput(f"{facts.path}: {message}")


def _candidates(facts: VideoFacts, start_s: float, end_s: float, grid_s: float | None) -> np.ndarray:
    """Numbers of the frames that may be chosen, ascending."""
    if grid_s is None:
        within = (facts.times_s >= start_s - 1e-6) & (facts.times_s < end_s - 1e-6)
        return np.flatnonzero(within)
    points = start_s + grid_s * np.arange(
        int(np.ceil((min(end_s, facts.duration_s) - start_s) / grid_s - 1e-6))
    )
    return np.unique(nearest(facts.times_s, points)) if len(points) else np.empty(0, np.int64)


def _evenly(facts: VideoFacts, start_s: float, end_s: float, count: int, grid_s: float | None) -> np.ndarray:
    """Numbers of evenly spaced frames; on a grid the spacing is a whole number of its steps."""
    step = (end_s - start_s) / count
    if grid_s is not None:
        step = max(1, int(step / grid_s + 1e-6)) * grid_s
    wanted = start_s + step * np.arange(count)
    wanted = wanted[wanted < min(end_s, facts.duration_s) - 1e-6]
    return np.unique(nearest(facts.times_s, wanted))


def _where_it_changes(facts: VideoFacts, free: np.ndarray, span: np.ndarray, count: int) -> np.ndarray:
    """`count` of the free frames, so that as much change lies between any two of them."""
    bits = picture_changes(facts.path, int(span[0]), int(span[-1]))
    work = (bits - bits.min()).cumsum()
    if work[-1] <= 1e-9:
        return free[np.linspace(0, len(free) - 1, count).round().astype(int)]
    done = work[free - span[0]] / work[-1]
    chosen: list[int] = []
    for share in (np.arange(count) + 0.5) / count:
        open_to = np.setdiff1d(np.arange(len(free)), chosen)
        chosen.append(int(open_to[np.abs(done[open_to] - share).argmin()]))
    return free[chosen]
