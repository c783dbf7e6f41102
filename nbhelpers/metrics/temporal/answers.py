"""What is scored: an operation, when it starts and ends, and what comes next."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nbhelpers.errors import BadInput

Segment = tuple[float, float]


class Answered(Protocol):
    """Anything with these four is scored, a truth or a prediction; times in seconds from the clip's start."""

    @property
    def operation(self) -> str:
        """The operation under way."""

    @property
    def start_s(self) -> float:
        """Where it starts."""

    @property
    def end_s(self) -> float:
        """Where it ends."""

    @property
    def next_operation(self) -> str:
        """The operation that follows."""


@dataclass(frozen=True)
class Guess:
    """An answer of somebody who does not look."""

    operation: str
    start_s: float
    end_s: float
    next_operation: str


def segments_of(answers: Sequence[Answered | None], what: str) -> np.ndarray:
    """(n, 2) float64 starts and ends in seconds; no answer becomes a segment at 0 that does not last.

    Raises:
        BadInput: a time is not finite, or a segment ends before it starts; names the item.
    """
    rows = [(0.0, 0.0) if one is None else (one.start_s, one.end_s) for one in answers]
    segments = np.array(rows, np.float64).reshape(-1, 2)
    check_segments(segments, what)
    return segments


def check_segments(segments: np.ndarray, what: str) -> None:
    """Refuse segments (n, 2) that are none.

    Raises:
        BadInput: a time is not finite, or a segment ends before it starts; names the first such item.
    """
    good = np.isfinite(segments).all(axis=1) & (segments[:, 1] >= segments[:, 0])
    if not good.all():
        number = int(np.argmin(good))
        start, end = segments[number]
        raise BadInput(
            f"{what} {number}: from {start} to {end} s; times must be finite, the end not before the start"
        )
