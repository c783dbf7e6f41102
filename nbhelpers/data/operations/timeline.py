"""Which operation is under way when: the truth of one drawn video, before a single frame of it is drawn."""

import zlib
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from nbhelpers.data.operations.procedure import MAIN, Operation, Pace, draw_durations, draw_order, find_pace
from nbhelpers.data.operations.world import OperationWorld, find_operation_world
from nbhelpers.errors import BadInput


@dataclass(frozen=True)
class Segment:
    """One operation from `start_s` up to, not including, `end_s`, seconds from the start of the video."""

    operation: Operation
    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Seconds from start to end."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Timeline:
    """The segments of one video, from 0 to `duration_s` without gaps; world and numbers fix its look."""

    seed: int
    index: int
    world: OperationWorld
    segments: tuple[Segment, ...]

    @property
    def duration_s(self) -> float:
        """Length of the video in seconds."""
        return self.segments[-1].end_s

    def position(self, time_s: float) -> int:
        """Index of the segment under way at `time_s`; times outside the video belong to its ends."""
        starts = [segment.start_s for segment in self.segments]
        return min(max(bisect_right(starts, time_s) - 1, 0), len(self.segments) - 1)

    def generator(self, purpose: str) -> np.random.Generator:
        """A random generator of this video for one purpose, independent of those for others."""
        return _generator(self.seed, self.index, self.world, purpose)


def _generator(seed: int, index: int, world: OperationWorld, purpose: str) -> np.random.Generator:
    words = (zlib.crc32(world.name.encode()), zlib.crc32(purpose.encode()))
    return np.random.default_rng((seed, index, *words))


def draw_timeline(
    seed: int,
    index: int,
    world: OperationWorld | str = "base",
    *,
    duration_s: float = 12.0,
    pace: Pace | str = "twin",
    full: bool = False,
    main: float = MAIN,
) -> Timeline:
    """Draw the operations of video `index`: order from the procedure with deviations, durations from `pace`.

    Args:
        seed: of the set, 0 or more.
        index: of the video, 0 or more.
        world: name or parameters; gives names and order of the operations.
        duration_s: length of the video; its last operation is cut there.
        pace: `twin` (0.6 to 6 s), `full` (1.6 to 26 s) or one's own.
        full: all ten operations instead of the world's small set.
        main: probability that the procedure is followed.

    Raises:
        BadInput: a negative seed or index, an unknown world or pace, a video shorter than one operation.
    """
    world, pace = find_operation_world(world), find_pace(pace)
    if seed < 0 or index < 0 or duration_s < pace.low_s:
        raise BadInput(
            f"timeline: seed {seed}, index {index}, {duration_s} s; "
            f"seed and index start at 0 and the shortest video is {pace.low_s} s"
        )
    operations = world.all_operations if full else world.operations
    rng = _generator(seed, index, world, "timeline")
    steps = int(duration_s / pace.low_s) + 2
    order = draw_order(rng, len(operations), steps, main)
    ends = draw_durations(rng, pace, steps).cumsum().round(2)
    ends = ends[: int(np.searchsorted(ends, duration_s)) + 1]
    if len(ends) > 1 and duration_s - ends[-2] < pace.low_s:
        ends = ends[:-1]  # too little of the last operation would be left to see
    ends[-1] = duration_s
    starts = [0.0, *ends[:-1].tolist()]
    rows = zip(order, starts, ends.tolist(), strict=False)
    return Timeline(seed, index, world, tuple(Segment(operations[k], start, end) for k, start, end in rows))
