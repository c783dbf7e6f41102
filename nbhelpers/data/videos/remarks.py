"""What is odd about a video file, a sentence each, with what was used instead."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from nbhelpers.data.videos.packets import Packets


@dataclass(frozen=True)
class Header:
    """What the file says of itself before it is read; 0 where it says nothing.

    Attributes:
        frames: number of frames.
        rate: frames per second.
        duration_s: of the stream.
        tick_s: seconds per tick of its time stamps.
    """

    frames: int
    rate: float
    duration_s: float
    tick_s: float

    @classmethod
    def of(cls, container: Any, stream: Any) -> Self:
        """Read it from PyAV's container and stream."""
        tick_s = float(stream.time_base)
        duration = stream.duration * tick_s if stream.duration else (container.duration or 0) / 1e6
        return cls(stream.frames or 0, float(stream.average_rate or 0), float(duration), tick_s)


def remarks(
    header: Header, packets: Packets, times_s: np.ndarray, end_s: float, mended: int, first: Any
) -> list[str]:
    """All remarks on a video.

    Args:
        header: what it says.
        packets: what was found.
        times_s: of the frames that can be read.
        end_s: when the last of them ends.
        mended: time stamps that were missing or went back.
        first: its first decoded frame.
    """
    return [
        *_lies(header, packets, len(times_s), end_s),
        *_timing(times_s, mended),
        *_picture(first),
    ]


def _lies(header: Header, packets: Packets, frames: int, end_s: float) -> Iterator[str]:
    if packets.reason:
        yield f"cannot be read to its end ({packets.reason}): the {frames} frames before that are used"
    if packets.damaged:
        yield f"cut off or damaged in {_places(packets.damaged)}: {frames} frames can be read and are used"
    if header.frames and header.frames != frames:
        yield f"its header promises {header.frames} frames, {frames} are there: those are used"
    if header.duration_s and abs(header.duration_s - end_s) > max(0.1, 0.02 * end_s):
        yield f"its header says it lasts {header.duration_s:.2f} s, its frames {end_s:.2f} s: those count"
    rate = frames / end_s
    if header.rate and abs(header.rate - rate) > 0.05 * rate:
        yield f"its header says {header.rate:.2f} frames per second, there are {rate:.2f}: those count"


def _timing(times_s: np.ndarray, mended: int) -> Iterator[str]:
    if mended:
        yield (
            f"time stamps are missing, go back or leap in {_places(mended)}: mended, so that frames follow "
            "one another at their usual step; reading decodes from the start"
        )
    steps = np.diff(times_s)
    if len(steps) and steps.max() - steps.min() > max(0.0021, 0.2 * float(np.median(steps))):
        yield (
            f"variable frame rate ({steps.min():.3f} to {steps.max():.3f} s between frames): "
            "every frame keeps its own time"
        )


def _picture(first: Any) -> Iterator[str]:
    turn = -first.rotation % 360
    if turn and turn % 90 == 0:
        yield f"stored turned: frames are turned by {turn} degrees clockwise, upright"
    elif turn:
        yield f"to be shown turned by {turn} degrees, which is no right angle: frames are left as stored"


def _places(count: int) -> str:
    return "1 place" if count == 1 else f"{count} places"
