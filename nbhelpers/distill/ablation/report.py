"""The comparison in numbers, as a table and as a figure."""

import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.artifacts import write_json
from nbhelpers.metrics import Interval
from nbhelpers.runtime import text_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Score names: kind and overlap, "bbox_ap", "bbox_ap50" and with masks "segm_ap", "segm_ap50".
_TITLES = {"bbox_ap": "box AP", "bbox_ap50": "box AP50", "segm_ap": "mask AP", "segm_ap50": "mask AP50"}


@dataclass(frozen=True)
class Row:
    """One way to train, over all seeds.

    Attributes:
        key, title: of the arm.
        scores: by score name, one value per seed, 0..1.
        intervals: by score name, the mean over seeds with its interval over images and seeds.
        differences: by score name, what it gains over few labels alone; empty for these themselves.
        images: in its training set; `objects` are its annotations, `pseudo` of them by teachers.
        steps: optimiser steps of each training.
        seconds: of training, mean over seeds.
    """

    key: str
    title: str
    scores: dict[str, list[float]]
    intervals: dict[str, Interval]
    differences: dict[str, Interval]
    images: int
    objects: int
    pseudo: int
    steps: int
    seconds: float


@dataclass(frozen=True)
class Ablation:
    """The finished comparison.

    Attributes:
        rows: students, from few labels alone to the full recipe.
        ceiling: the teachers' own scores on the test part, by score name.
        seeds: of the trainings.
        n_test: images in the test part; n_val, those that chose the weights.
        monitor: the score name that the figure and verdict speak of: AP of masks where there are masks.
        settings: of the recipe, as plain values.
        left: trainings of further seeds that a deadline left for the next call.
    """

    rows: list[Row]
    ceiling: dict[str, Interval]
    seeds: list[int]
    n_test: int
    n_val: int
    monitor: str
    settings: dict[str, Any] = field(default_factory=dict)
    left: int = 0

    @property
    def gain(self) -> Interval:
        """What the full recipe gains over few labels alone, in `monitor`."""
        return self.rows[-1].differences[self.monitor]

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the full recipe's gain lies above 0."""
        return self.gain.low > 0

    def table(self) -> str:
        """All scores as means over seeds, and the gains with their intervals."""
        names = list(self.ceiling)
        header = (
            "training",
            "images",
            "steps",
            "s",
            *(_TITLES[name] for name in names),
            *self._gain_titles(),
        )
        rows = [
            (
                row.title,
                str(row.images),
                str(row.steps),
                f"{row.seconds:.0f}",
                *(f"{np.mean(row.scores[name]):.3f}" for name in names),
                *(_gain(row.differences.get(name)) for name in self._gains()),
            )
            for row in self.rows
        ]
        empty = [""] * len(self._gains())
        teachers = (*(f"{self.ceiling[name].value:.3f}" for name in names), *empty)
        return text_table([*rows, ("the teachers", "", "", "", *teachers)], header)

    def seed_table(self) -> str:
        """The scores of every single training."""
        header = ("training", "score", *(f"seed {seed}" for seed in self.seeds), "mean", "interval")
        rows = []
        for row in self.rows:
            for name, values in row.scores.items():
                seen = row.intervals[name]
                shown = [f"{value:.3f}" for value in values]
                mean = f"{np.mean(values):.3f}"
                rows.append((row.title, _TITLES[name], *shown, mean, f"{seen.low:.3f} to {seen.high:.3f}"))
        return text_table(rows, header)

    def verdict(self) -> str:
        """One sentence on what the full recipe gains."""
        gain, title = self.gain, _TITLES[self.monitor]
        said = "beats" if gain.low > 0 else "loses to" if gain.high < 0 else "cannot be told from"
        return (
            f"The full recipe {said} few labels alone: {title} {gain.value:+.3f}, {gain.level:.0%} interval "
            f"{gain.low:+.3f} to {gain.high:+.3f} over {len(self.seeds)} seeds and {self.n_test} test images."
        )

    def figure(self) -> "Figure":
        """Bars with intervals in `monitor`, the teachers last."""
        from nbhelpers.plots import bars

        titles = [*(row.title for row in self.rows), "the teachers"]
        seen = [*(row.intervals[self.monitor] for row in self.rows), self.ceiling[self.monitor]]
        return bars(
            [textwrap.fill(title, 15, break_on_hyphens=False) for title in titles],
            [one.value for one in seen],
            _TITLES[self.monitor],
            f"{self.n_test} test images, {len(self.seeds)} seeds, {seen[0].level:.0%} intervals",
            intervals={"": [(one.low, one.high) for one in seen]},
            number_format="{:.3f}",
            width_in=7.0,
        )

    def to_dict(self) -> Mapping[str, Any]:
        """Plain values."""
        return asdict(self)

    def save(self, path: Path) -> Path:
        """Write as JSON, whole or not at all."""
        return write_json(path, dict(self.to_dict()))

    def _gains(self) -> list[str]:
        return [name for name in self.ceiling if name.endswith("_ap")]

    def _gain_titles(self) -> list[str]:
        return [f"gain in {_TITLES[name]}" for name in self._gains()]


def _gain(seen: Interval | None) -> str:
    return "" if seen is None else f"{seen.value:+.3f} ({seen.low:+.3f} to {seen.high:+.3f})"
