"""How far a training has come, in plain values, and which validation was its best."""

from dataclasses import dataclass
from typing import Any, Literal

from nbhelpers.errors import CheckFailed

Stopped = Literal["", "steps", "patience", "deadline"]


@dataclass
class State:
    """What a checkpoint keeps beside tensors.

    Attributes:
        step: optimiser steps taken (those left out for fp16 overflow are counted).
        seconds: of training over all calls.
        stepping_s: of these, without validation and checkpoints.
        best, best_step: the best monitored score and the step it was reached after.
        stale: validations since then.
        overflows: steps left out because fp16 gradients were not finite.
        overflow_run: how many of the latest steps in a row were left out.
        stopped: why it ended; empty while it runs.
        records_bytes: length of `records.jsonl` at this point.
    """

    step: int = 0
    seconds: float = 0.0
    stepping_s: float = 0.0
    best: float | None = None
    best_step: int | None = None
    stale: int = 0
    overflows: int = 0
    overflow_run: int = 0
    stopped: str = ""
    records_bytes: int = 0


# The scale halves with each overflow: after so many it is below 1 and something else is wrong.
LARGEST_OVERFLOW_RUN = 24


def count_overflow(state: State, overflowed: bool) -> None:
    """Count a step left out by the scaler.

    Raises:
        CheckFailed: too many in a row; the gradients are not finite at any scale.
    """
    state.overflows += overflowed
    state.overflow_run = state.overflow_run + 1 if overflowed else 0
    if state.overflow_run >= LARGEST_OVERFLOW_RUN:
        raise CheckFailed(
            f"step {state.step + 1}: the gradient was not finite in {state.overflow_run} steps in a row at "
            f"ever smaller scales; train in bf16 or fp32"
        )


def monitored(scores: dict[str, Any], name: str) -> float:
    """The score that decides: the one of this name, or the only one there is.

    Raises:
        CheckFailed: there is none of this name among several, or it is not a number.
    """
    if name not in scores and len(scores) != 1:
        raise CheckFailed(f"validation gave {', '.join(scores) or 'no score'}: {name!r} is to be monitored")
    value = float(scores[name] if name in scores else next(iter(scores.values())))
    if value != value:
        raise CheckFailed(f"validation gave {name}: not a number; no weights were taken for the best")
    return value


def judge(state: State, value: float, mode: str) -> bool:
    """Take a validation's score in; returns whether it is the best so far."""
    better = state.best is None or (value > state.best if mode == "max" else value < state.best)
    state.stale = 0 if better else state.stale + 1
    if better:
        state.best, state.best_step = value, state.step
    return better
