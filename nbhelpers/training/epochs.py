"""Seconds of each pass over the data, added up from the seconds of the steps."""

from collections.abc import Sequence
from typing import Any


def seconds_per_epoch(history: Sequence[dict[str, Any]], steps_per_epoch: float) -> list[float]:
    """Seconds of each whole pass over the data; validation not counted.

    Args:
        history: rows of a training's records, one per step (those of validations are passed over).
        steps_per_epoch: optimiser steps in a pass. One across its end counts for both by its share.

    Returns:
        Of every whole pass; where there is none, the seconds of what was seen.
    """
    seconds = [float(row["seconds"]) for row in history if "seconds" in row]
    whole = int(len(seconds) / steps_per_epoch + 1e-9)
    if not whole:
        return [sum(seconds)]
    return [_between(seconds, k * steps_per_epoch, (k + 1) * steps_per_epoch) for k in range(whole)]


def _between(seconds: Sequence[float], start: float, end: float) -> float:
    """Seconds of the steps from `start` to `end`, both counted in steps, parts of steps by their share."""
    return sum(
        value * max(0.0, min(end, number + 1) - max(start, number)) for number, value in enumerate(seconds)
    )
