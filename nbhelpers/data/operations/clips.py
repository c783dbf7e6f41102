"""Clips of drawn videos with their truth: which operation, from when to when, and what comes next."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nbhelpers.data.operations.procedure import Operation
from nbhelpers.data.operations.render import render_frames
from nbhelpers.data.operations.timeline import Timeline, draw_timeline
from nbhelpers.data.operations.world import OperationWorld
from nbhelpers.errors import BadInput

FRAMES = 8
# Seconds between frames. Two frames make one grid step, and Qwen2.5-VL keeps only whole seconds of a step:
# 0.5 s is the finest spacing it can express.
SPACINGS_S = (0.5, 1.0)
_MARGIN = 0.25  # frame spacings between the middle of a clip and the nearest change of operation
_TRIES = 200
_VIDEO_S = 14.0


@dataclass(frozen=True)
class OperationClip:
    """Evenly spaced frames of a video and what is true of them; times in seconds from the clip's start.

    Attributes:
        timeline: of the video the clip is from.
        offset_s: where in the video the clip starts.
        spacing_s: between frames; frame i is at `i * spacing_s`.
        frames: number of frames; the clip lasts `frames * spacing_s`.
        operation: the one under way in the middle of the clip.
        start_s, end_s: of its part within the clip.
        next_operation: what follows it in the video.
        next_visible: a frame of the clip shows what follows; otherwise it can only be expected.
    """

    timeline: Timeline
    offset_s: float
    spacing_s: float
    frames: int
    operation: Operation
    start_s: float
    end_s: float
    next_operation: Operation
    next_visible: bool

    @property
    def duration_s(self) -> float:
        """Length of the clip."""
        return round(self.frames * self.spacing_s, 3)

    @property
    def times_s(self) -> tuple[float, ...]:
        """Times of the frames from the clip's start."""
        return tuple(round(number * self.spacing_s, 3) for number in range(self.frames))

    def pixels(self, size: int = 84) -> np.ndarray:
        """The frames, (frames, size, size, 3) uint8 RGB."""
        return render_frames(self.timeline, [self.offset_s + time for time in self.times_s], size)


def draw_clip(
    seed: int,
    index: int,
    world: OperationWorld | str = "base",
    *,
    frames: int = FRAMES,
    spacings_s: Sequence[float] = SPACINGS_S,
) -> OperationClip:
    """Draw clip `index` from a video of its own; the same arguments give the same clip.

    Half of the clips have the first of `spacings_s`, the others the last.

    Raises:
        BadInput: a negative seed or index, or frames and spacings that no video is long enough for.
    """
    longest = frames * max(spacings_s)
    timeline = draw_timeline(seed, index, world, duration_s=max(_VIDEO_S, 1.5 * longest))
    rng = timeline.generator("clip")
    spacing = spacings_s[0] if rng.random() < 0.5 else spacings_s[-1]
    for _ in range(_TRIES):
        room = timeline.duration_s - frames * spacing
        clip = cut_clip(timeline, round(float(rng.uniform(0, room)), 1), spacing, frames)
        if clip is not None:
            return clip
    return draw_clip(seed, index + 1_000_003, world, frames=frames, spacings_s=spacings_s)


def cut_clip(
    timeline: Timeline, offset_s: float, spacing_s: float, frames: int = FRAMES
) -> OperationClip | None:
    """The clip that starts at `offset_s`, or None where operations change too close to its middle.

    Also None where the operation is the video's last, because what follows is not known.

    Raises:
        BadInput: the clip would leave the video.
    """
    end_s = offset_s + frames * spacing_s
    if offset_s < 0 or end_s > timeline.duration_s + 1e-6:
        raise BadInput(f"clip from {offset_s} to {end_s} s: the video lasts {timeline.duration_s} s")
    middle = offset_s + frames * spacing_s / 2
    place = timeline.position(middle)
    asked = timeline.segments[place]
    if min(middle - asked.start_s, asked.end_s - middle) < _MARGIN * spacing_s:
        return None
    if place == len(timeline.segments) - 1:
        return None
    follows = timeline.segments[place + 1]
    start, end = max(asked.start_s - offset_s, 0.0), min(asked.end_s, end_s) - offset_s
    visible = any(follows.start_s <= offset_s + k * spacing_s < follows.end_s for k in range(frames))
    names = asked.operation, round(start, 2), round(end, 2), follows.operation
    return OperationClip(timeline, offset_s, spacing_s, frames, *names, visible)
