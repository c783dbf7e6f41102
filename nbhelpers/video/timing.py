"""How a family is told when each frame was: by positions, by time stamps, or by words between frames.

Qwen2.5-VL turns the seconds between two steps of its grid (two frames each) into positions, and truncates
them to a whole number on the way: `int(second_per_grid_ts)` in `Qwen2_5_VLModel.get_rope_index`. Frames less
than half a second apart all get the same position, and uneven ones cannot be told at all. Such clips become
single frames with their times in words. Qwen3-VL writes a time stamp before each pair of frames.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Literal

from nbhelpers.data.operations import told_times
from nbhelpers.errors import BadInput, CheckFailed

Layout = Literal["grid", "stamps", "frames"]
PAIR = 2  # frames in one step of either family's grid
_EVEN_S = 1e-3  # containers round time stamps to about a millisecond
# What the families' own processors write of a video's times; all others are shown single frames.
_STYLES: Mapping[str, Layout] = MappingProxyType({"qwen2_5_vl": "grid", "qwen3_vl": "stamps"})
# Times are told to a tenth of a second: half of that is half a frame at 10 frames a second.
HALF_FRAME_S = 0.05
_ROUND_S = 1e-6


@dataclass(frozen=True)
class Telling:
    """How one clip is shown.

    Attributes:
        layout: `grid` (a video, times by positions), `stamps` (a video, times by stamps before each pair) or
            `frames` (single pictures, each after its time in words).
        told_s: the times the layout tells: one per pair of frames, or per frame.
        meant_s: the true times they stand for: a pair's first frame (grid), its middle (stamps), each frame.
        reason: why it is this layout.
    """

    layout: Layout
    told_s: tuple[float, ...]
    meant_s: tuple[float, ...]
    reason: str


def telling(model_type: str, times_s: Sequence[float], half_frame_s: float = HALF_FRAME_S) -> Telling:
    """Choose how a family is shown frames at these times, so that it is told no wrong one.

    Args:
        model_type: of the family.
        times_s: true times, seconds from the clip's start, rising.
        half_frame_s: how far a told time may be off: half the time from one frame of the video to the next.
            For less than 0.05 s, sample for Qwen3-VL on a grid of 0.2 s: middles of pairs are tenths then.

    Raises:
        BadInput: no frames, or times that do not rise.
    """
    times = tuple(float(time) for time in times_s)
    if not times or any(later <= earlier for earlier, later in pairwise(times)):
        raise BadInput(f"frame times {times}: there must be some, and they must rise")
    style = _STYLES.get(model_type, "frames")
    if style == "stamps":
        return _stamps(times, half_frame_s)
    if style == "grid":
        step = whole_step_s(times)
        if step is not None:
            told = tuple(times[0] + number * float(step) for number in range(len(times) // PAIR))
            return Telling("grid", told, times[::PAIR], f"every two frames are {step} s on: a whole number")
        return _single(times, f"{model_type} can only tell even steps of whole seconds per two frames")
    return _single(times, f"{model_type} tells no times of a video to a tenth of a second")


def whole_step_s(times_s: Sequence[float]) -> int | None:
    """Whole seconds from one pair of frames to the next, where all are evenly spaced by that; else None."""
    if len(times_s) < PAIR or len(times_s) % PAIR:
        return None
    spacing = (times_s[-1] - times_s[0]) / (len(times_s) - 1)
    step = round(PAIR * spacing)
    even = all(abs(time - times_s[0] - k * step / PAIR) <= _EVEN_S for k, time in enumerate(times_s))
    return step if step >= 1 and even else None


def truncated_step_s(times_s: Sequence[float]) -> int:
    """What Qwen2.5-VL makes of frames at these times if they are handed over as a video: whole seconds."""
    if len(times_s) < PAIR:
        return PAIR
    return int(PAIR * (times_s[-1] - times_s[0]) / (len(times_s) - 1))


def _stamps(times: tuple[float, ...], half_frame_s: float) -> Telling:
    padded = (
        times if len(times) % PAIR == 0 else (*times, times[-1])
    )  # as the processor fills up the last pair
    middles = tuple((a + b) / 2 for a, b in zip(padded[::PAIR], padded[1::PAIR], strict=True))
    told = tuple(float(f"{middle:.1f}") for middle in middles)
    if max(abs(a - b) for a, b in zip(told, middles, strict=True)) > half_frame_s + _ROUND_S:
        return _single(times, f"time stamps to a tenth are more than {half_frame_s:.3f} s off")
    return Telling("stamps", told, middles, "a time stamp stands before each pair of frames")


def _single(times: tuple[float, ...], reason: str) -> Telling:
    told = tuple(float(f"{time:.1f}") for time in times)
    return Telling("frames", told, times, reason)


def largest_error_s(found: Telling, question: str, times_s: Sequence[float]) -> float:
    """The largest difference between a time the model is told, by layout or question, and the true one."""
    layout = [abs(told - meant) for told, meant in zip(found.told_s, found.meant_s, strict=True)]
    words = [abs(told - true) for told, true in zip(told_times(question), times_s, strict=True)]
    return max(*layout, *words)


def check_told(
    found: Telling, question: str, times_s: Sequence[float], half_frame_s: float = HALF_FRAME_S
) -> float:
    """Refuse to tell a model other times than the decoded ones.

    Args:
        found: how the clip is shown.
        question: the text that is asked.
        times_s: true times of the frames.
        half_frame_s: what may be between them, see `telling`.

    Returns:
        The largest difference, seconds.

    Raises:
        CheckFailed: a told time is further off; the clip has to be sampled on a grid that can be told.
    """
    error = largest_error_s(found, question, times_s)
    if error > half_frame_s + _ROUND_S:
        raise CheckFailed(
            f"frame times {tuple(round(t, 3) for t in times_s)} s: the model would be told times up to "
            f"{error:.3f} s off, more than half a frame ({half_frame_s:.3f} s); sample on tenths of a second"
        )
    return error
