"""Success by place, scale and turn of the patch: where it stops working."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nbhelpers.attack.evaluation import Goal, success_of
from nbhelpers.attack.laying import Lay, Question
from nbhelpers.attack.victim import Victim


@dataclass(frozen=True)
class Swept:
    """A table of successes.

    Attributes:
        rows, columns: values along each side.
        success: (rows, columns), 0..1.
        n: answers per cell.
    """

    rows: tuple[float, ...]
    columns: tuple[float, ...]
    success: np.ndarray
    n: int


def sweep_places(
    victim: Victim, png: Path, questions: Sequence[Question], goal: Goal, lay: Lay, steps: int = 5
) -> Swept:
    """Success with the patch's centre on a grid of `steps` by `steps` places; rows from top to bottom.

    0 is as far left (up) as the patch fits, 1 as far right (down).
    """
    shares = tuple(float(x) for x in np.linspace(0, 1, steps))
    cells = [[lay.ranges.at(place=(x, y)) for x in shares] for y in shares]
    return _swept(victim, png, questions, goal, lay, shares, shares, cells)


def sweep_scale_and_turn(
    victim: Victim,
    png: Path,
    questions: Sequence[Question],
    goal: Goal,
    lay: Lay,
    scales: Sequence[float] = (0.6, 0.8, 1.0, 1.2),
    turns_deg: Sequence[float] = (-90, -45, -20, 0, 20, 45, 90),
) -> Swept:
    """Success with the patch at fixed scales (rows) and turns (columns, degrees), anywhere in the picture."""
    cells = [
        [lay.ranges.at(scale=(scale, scale), rotation_deg=(turn, turn)) for turn in turns_deg]
        for scale in scales
    ]
    return _swept(victim, png, questions, goal, lay, tuple(scales), tuple(turns_deg), cells)


def _swept(
    victim: Victim,
    png: Path,
    questions: Sequence[Question],
    goal: Goal,
    lay: Lay,
    rows: tuple[float, ...],
    columns: tuple[float, ...],
    cells: Sequence[Sequence[object]],
) -> Swept:
    found, n = np.zeros((len(rows), len(columns))), 0
    for row, ranges in enumerate(cells):
        for column, one in enumerate(ranges):
            where = replace(lay, ranges=one)  # type: ignore[arg-type]
            metric, _ = success_of(victim, png, questions, goal, where, "sweeping")
            found[row, column], n = float(metric.value or 0.0), metric.n
    return Swept(rows, columns, found, n)
