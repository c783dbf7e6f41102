"""Leak tests: what a model answers that is shown too little to know.

A model that sees no picture can know no more than the commonest answer; if it does, the question, the clip's
length or the order of the clips gives the answer away. A model that sees one frame eight times cannot time an
operation; if it scores as well as the whole model, the clips do not need video.
"""

from collections.abc import Callable

import numpy as np

from nbhelpers.artifacts import Check
from nbhelpers.errors import BadInput
from nbhelpers.metrics.temporal.paired import above, difference
from nbhelpers.metrics.temporal.scores import TemporalScores

View = Callable[[np.ndarray], np.ndarray]


def as_is(frames: np.ndarray) -> np.ndarray:
    """The frames themselves."""
    return frames


def grey_frames(frames: np.ndarray) -> np.ndarray:
    """Frames without a picture, (N, H, W, 3) uint8: only the text and the number of frames is left."""
    return np.full_like(frames, 128)


def one_frame(frames: np.ndarray) -> np.ndarray:
    """The middle frame in place of all, (N, H, W, 3) uint8."""
    middle = len(frames) // 2
    return np.repeat(frames[middle : middle + 1], len(frames), axis=0)


VIEWS: dict[str, View] = {"as_is": as_is, "grey_frames": grey_frames, "one_frame": one_frame}


def find_view(name: str) -> View:
    """What frames are turned into before a model sees them, by name.

    Raises:
        BadInput: no view has this name.
    """
    if name not in VIEWS:
        raise BadInput(f"view {name!r} is not known; known views: {', '.join(VIEWS)}")
    return VIEWS[name]


def leak_checks(
    scores: TemporalScores,
    majority: TemporalScores,
    text_only: TemporalScores | None = None,
    single_frame: TemporalScores | None = None,
) -> tuple[Check, ...]:
    """Checks on models that were shown too little, all on the same clips.

    Args:
        scores: of the model that sees the clips.
        majority: the floor of that name.
        text_only: of a model that saw `grey_frames`: it must not be above the majority by the interval of the
            difference, and the whole model must be above it.
        single_frame: of a model that saw `one_frame`: the whole model must be above it in tIoU@0.5 and in the
            weighted score.

    Raises:
        BadInput: the scores are of other clips.
    """
    checks: list[Check] = []
    if text_only is not None:
        checks += [_no_leak(text_only, majority, name) for name in ("oca", "tiou_05", "aa1")]
        checks += above(scores, text_only, ("weighted",), "text_only")
    if single_frame is not None:
        checks += above(scores, single_frame, ("tiou_05", "weighted"), "single_frame")
    return tuple(checks)


def _no_leak(text_only: TemporalScores, majority: TemporalScores, name: str) -> Check:
    gained = difference(text_only, majority, name)
    assert gained.low is not None
    return Check(
        f"text_only_{name}_not_above_majority",
        gained.low,
        f"<= 0, lower end of the gain over {getattr(majority, name):.3f}",
        gained.low <= 0,
    )
