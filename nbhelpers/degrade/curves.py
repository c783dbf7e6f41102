"""What is lost as damage grows: shares of function, with intervals over repeats and items."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

DRAWS = 400


@dataclass(frozen=True, eq=False)
class Curve:
    """Scores by level, repeat and item.

    An item is a reference text (its negative log probability) or a prompt (1 - right). The score of some
    items is their sum over the sum of their weights; `worst` is what a model scores that knows nothing:
    ln(vocabulary) nats per token, or 1.

    Attributes:
        method: of the lesions.
        group: of the weights.
        measure: what was scored.
        levels: above 0, by growing damage.
        scores: for each level (repeats, items) float64; NaN where the model gave no number.
        intact: (items,) of the baseline.
        weight: (items,) tokens, or ones.
        worst: see above.
    """

    method: str
    group: str
    measure: str
    levels: tuple[float, ...]
    scores: tuple[np.ndarray, ...]
    intact: np.ndarray
    weight: np.ndarray
    worst: float

    @classmethod
    def of(
        cls, method: str, group: str, measure: str, cells: Sequence[Mapping[str, Any]],
        scores: Mapping[str, np.ndarray], weight: np.ndarray, worst: float,
    ) -> "Curve":  # fmt: skip
        """From cells of one method and group and the scores of their items by cell, baseline included."""
        by_level: dict[float, list[np.ndarray]] = {}
        for cell in cells:
            if cell["level"]:
                by_level.setdefault(float(cell["level"]), []).append(scores[cell["cell"]])
        levels = tuple(sorted(by_level, key=lambda level: dose(method, level)))
        stacked = tuple(np.stack(by_level[level]) for level in levels)
        return cls(method, group, measure, levels, stacked, scores["baseline"], weight, worst)

    @property
    def doses(self) -> np.ndarray:
        """(levels,) what grows with the damage; see `dose`."""
        return np.array([dose(self.method, level) for level in self.levels])

    @property
    def repeats(self) -> int:
        """Most repeats of a level."""
        return max(map(len, self.scores), default=0)

    def values(self) -> np.ndarray:
        """(levels,) mean score of each level over items and repeats."""
        return self._values(self._everything())

    def lost(self) -> np.ndarray:
        """(levels,) share of function lost: 0 as intact, 1 as knowing nothing; above 1 where it misleads.

        0 throughout where the intact model knows nothing itself: there is nothing to lose.
        """
        return self._lost(self._everything())

    def drawn(self, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
        """(draws, levels) the share lost in bootstrap samples of repeats (per level) and items (of all).

        Two curves of the same items draw the same items at the same seed, so that they can be compared.
        """
        return np.stack([self._lost(picked) for picked in self._picked(draws, seed)])

    def drawn_values(self, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
        """(draws, levels) the mean score in the same samples."""
        return np.stack([self._values(picked) for picked in self._picked(draws, seed)])

    def _everything(self) -> tuple[np.ndarray, list[np.ndarray]]:
        return np.arange(len(self.weight)), [np.arange(len(one)) for one in self.scores]

    def _picked(self, draws: int, seed: int) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
        items, repeats = np.random.default_rng((seed, 0)), np.random.default_rng((seed, 1))
        for _ in range(draws):
            chosen = items.integers(len(self.weight), size=len(self.weight))
            yield chosen, [repeats.integers(len(one), size=len(one)) for one in self.scores]

    def _values(self, picked: tuple[np.ndarray, list[np.ndarray]]) -> np.ndarray:
        items, repeats = picked
        weight = self.weight[items].sum()
        # A model that gives no number knows nothing.
        filled = [np.where(np.isnan(one), self.worst * self.weight, one) for one in self.scores]
        chosen = [one[rows][:, items].sum(axis=1).mean() for one, rows in zip(filled, repeats, strict=True)]
        return np.array(chosen) / weight

    def _lost(self, picked: tuple[np.ndarray, list[np.ndarray]]) -> np.ndarray:
        items = picked[0]
        before = self.intact[items].sum() / self.weight[items].sum()
        known = self.worst - before
        return (self._values(picked) - before) / known if known > 0 else np.zeros(len(self.levels))


def dose(method: str, level: float) -> float:
    """What grows with the damage: the level itself, or of `uni_quant` the step as a share of the range."""
    return 1 / (level - 1) if method == "uni_quant" else level


def level_of(method: str, amount: float) -> float:
    """The level of a dose."""
    return 1 / amount + 1 if method == "uni_quant" else amount
