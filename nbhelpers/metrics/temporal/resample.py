"""Bootstrap over what is independent: whole sources where there are enough of them, else clips.

Clips of one video or one person look alike, and a model that fails on one fails on its neighbours: drawing
clips would take them for independent and make the interval too narrow. So whole sources are drawn (the
cluster bootstrap, Field & Welsh 2007, JRSS B 69: 369-390). Below five sources the draws are too few
different ones to mean anything; then clips are drawn, and the score says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nbhelpers.errors import BadInput

LEAST_SOURCES = 5
_CELLS = 8_000_000  # draws x units held at once


@dataclass(frozen=True, eq=False)
class Resampling:
    """What is drawn with replacement.

    Attributes:
        unit: `sources` or `clips`.
        why: the reason, for people.
        owner: (n,) int64, the unit each clip belongs to.
        units: how many there are.
        draws: bootstrap samples.
        level: probability mass of the intervals, 0..1.
        seed: of the draws.
    """

    unit: str
    why: str
    owner: np.ndarray
    units: int
    draws: int
    level: float
    seed: int

    def means(self, columns: np.ndarray, counted: np.ndarray | None = None) -> np.ndarray:
        """Mean of each column in each draw.

        Args:
            columns: (n, k) float64, one row per clip.
            counted: (n,) bool, the clips that take part; all by default.

        Returns:
            (draws, k) float64; NaN where a draw holds none that counts.
        """
        weight = np.ones(len(columns)) if counted is None else counted.astype(float)
        totals = np.zeros((self.units, columns.shape[1] + 1))
        np.add.at(totals, self.owner, np.column_stack([columns * weight[:, None], weight]))
        summed = np.concatenate([drawn @ totals for drawn in self._drawn()])
        with np.errstate(invalid="ignore", divide="ignore"):
            return summed[:, :-1] / summed[:, -1:]

    def interval(self, values: np.ndarray) -> tuple[float, float]:
        """The percentile interval of resampled values (draws,); NaN draws are left out."""
        tail = (1 - self.level) / 2
        low, high = np.nanquantile(values, [tail, 1 - tail])
        return float(low), float(high)

    def _drawn(self) -> list[np.ndarray]:
        """How often each draw holds each unit, in blocks of (some draws, units); always the same ones."""
        random = np.random.default_rng(self.seed)
        share, step = np.full(self.units, 1 / self.units), max(1, _CELLS // self.units)
        sizes = [min(step, self.draws - start) for start in range(0, self.draws, step)]
        return [random.multinomial(self.units, share, size=size).astype(float) for size in sizes]


def resampling(
    n: int, sources: Sequence[str] | None, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> Resampling:
    """Decide what is drawn, with the reason.

    Raises:
        BadInput: no clips, another number of sources than of clips, no draws, a level outside 0..1.
    """
    if n < 1:
        raise BadInput("scores: there are no clips to score")
    if draws < 1 or not 0 < level < 1:
        raise BadInput(f"scores: {draws} draws at level {level}; give 1 or more and a level within 0..1")
    if sources is not None and len(sources) != n:
        raise BadInput(f"scores: {len(sources)} sources for {n} clips; give one each")
    names = sorted(set(sources)) if sources is not None else []
    if len(names) >= LEAST_SOURCES and sources is not None:
        place = {name: number for number, name in enumerate(names)}
        owner = np.array([place[source] for source in sources], np.int64)
        why = f"{len(names)} sources, drawn whole because clips of one source are alike"
        return Resampling("sources", why, owner, len(names), draws, level, seed)
    known = f"{len(names)} sources" if names else "no sources known"
    why = f"{known}, fewer than {LEAST_SOURCES}: clips are drawn, how sources differ is left out"
    return Resampling("clips", why, np.arange(n), n, draws, level, seed)
