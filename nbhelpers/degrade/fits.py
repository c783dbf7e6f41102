"""Dose and response: a Hill curve per method and group, the level of half loss, and how sure it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nbhelpers.degrade.curves import DRAWS, Curve, level_of
from nbhelpers.errors import BadInput

_LEAST_EFFECT = 0.02  # share lost below which a curve counts as flat
_BEYOND = 4.0  # fits are not followed further than this many times past the tested doses
_SLOPES = (0.3, 20.0)
# Where all is kept at one level and lost at the next, any steep curve between them fits: this settles which.
_USUAL, _PREFER = math.log(3.0), 2e-4
_GRID, _ROUNDS = 13, 6  # points per parameter and round, and how often they are drawn closer


@dataclass(frozen=True)
class DoseFit:
    """The level of half loss of one curve.

    Attributes:
        method: of the lesions.
        group: of the weights.
        measure: what was scored.
        ed50: level at which half of the function is lost; None where no tested level costs as much.
        low: 95 % bootstrap interval over repeats and items; None where it is open on this side.
        high: the same.
        slope: Hill's exponent: how steep.
        effect: largest share lost at any level.
        rho: Spearman's rank correlation of damage and score over levels, the intact model as level 0.
        levels: how many were tested.
        repeats: of each, at most.
        items: reference texts or prompts.
    """

    method: str
    group: str
    measure: str
    ed50: float | None
    low: float | None
    high: float | None
    slope: float | None
    effect: float
    rho: float
    levels: int
    repeats: int
    items: int

    @property
    def has_effect(self) -> bool:
        """Whether any level costs more than 2 % of the function."""
        return self.effect > _LEAST_EFFECT


def hill(dose: np.ndarray, ed50: float, slope: float) -> np.ndarray:
    """Share lost at a dose: d^h / (ed50^h + d^h) (Hill 1910), 0..1."""
    return np.asarray(1 / (1 + (ed50 / dose) ** slope))


def fit_hill(doses: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares fits of `hill` to many curves at once; shares are cut to 0..1 first.

    A grid over both parameters, on logarithmic scales, drawn closer around each curve's best point until it
    is known to a thousandth. Between fits that are equally good to 0.01 the less steep one is taken.

    Args:
        doses: (n,) above 0.
        lost: (..., n) shares lost.

    Returns:
        ed50 (...) in the unit of the doses, at most a few times beyond them, and slope (...), 0.3 to 20.
    """
    x, y = np.log(doses), np.clip(lost, 0, 1)
    flat = y.reshape(-1, len(x))
    ends = np.log([[doses.min() / _BEYOND, doses.max() * _BEYOND], _SLOPES])
    middle = np.broadcast_to(ends.mean(axis=1), (len(flat), 2))
    half = np.diff(ends, axis=1)[:, 0] / 2
    for _ in range(_ROUNDS):
        grids = [
            np.clip(middle[:, [k]] + half[k] * np.linspace(-1, 1, _GRID), ends[k, 0], ends[k, 1])
            for k in (0, 1)
        ]
        best = _best(x, flat, grids[0], grids[1])
        middle = np.column_stack(
            [np.take_along_axis(g, b[:, None], 1) for g, b in zip(grids, best, strict=True)]
        )
        half = half * 3 / (_GRID - 1)
    found = np.exp(middle)
    return found[:, 0].reshape(y.shape[:-1]), found[:, 1].reshape(y.shape[:-1])


def _best(
    x: np.ndarray, y: np.ndarray, places: np.ndarray, slopes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the grid point with the least squared error, curve by curve."""
    away = x[None, None, None, :] - places[:, :, None, None]
    fitted = 1 / (1 + np.exp(-np.exp(slopes)[:, None, :, None] * away))
    errors = ((fitted - y[:, None, None, :]) ** 2).sum(axis=3) + _PREFER * (slopes[:, None, :] - _USUAL) ** 2
    errors = errors.reshape(len(y), -1)
    return np.unravel_index(errors.argmin(axis=1), (places.shape[1], slopes.shape[1]))


def fit_dose(curve: Curve, draws: int = DRAWS, seed: int = 0) -> DoseFit:
    """Fit one curve.

    Args:
        curve: of two levels or more.
        draws: bootstrap samples.
        seed: of the samples.

    Raises:
        BadInput: fewer levels.
    """
    if len(curve.levels) < 2:
        raise BadInput(
            f"{curve.method} of {curve.group}: {len(curve.levels)} level; a curve takes two or more"
        )
    lost, doses = curve.lost(), curve.doses
    ed50, slope = map(float, fit_hill(doses, lost))
    reached = float(lost.max()) >= 0.5
    ends = _interval(curve, ed50_draws(curve, draws, seed)) if reached else (None, None)
    return DoseFit(
        curve.method, curve.group, curve.measure, level_of(curve.method, ed50) if reached else None, *ends,
        slope if reached else None, float(lost.max()), monotone(curve),
        len(curve.levels), curve.repeats, len(curve.weight),
    )  # fmt: skip


def ed50_draws(curve: Curve, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """(draws,) doses of half loss in bootstrap samples; infinite where a sample loses less than half."""
    lost = curve.drawn(draws, seed)
    return np.where(lost.max(axis=1) >= 0.5, fit_hill(curve.doses, lost)[0], math.inf)


def _interval(curve: Curve, draws: np.ndarray) -> tuple[float | None, float | None]:
    ends = np.quantile(draws, [0.025, 0.975], method="nearest")
    levels = sorted(level_of(curve.method, float(end)) if np.isfinite(end) else math.inf for end in ends)
    low, high = (level if math.isfinite(level) else None for level in levels)
    return low, high


def monotone(curve: Curve) -> float:
    """Spearman's rank correlation of damage and mean score over levels, the intact model first (-1..1).

    0 where nothing changes at any level.
    """
    from scipy.stats import spearmanr

    scores = [float(curve.intact.sum() / curve.weight.sum()), *curve.values()]
    if len(set(scores)) == 1:
        return 0.0
    return float(spearmanr(range(len(scores)), scores).statistic)


@dataclass(frozen=True)
class Comparison:
    """How many times the dose one group bears that another bears.

    Attributes:
        method: of the lesions.
        groups: the first over the second.
        ratio: of their doses of half loss; above 1: the first bears more.
        low: 95 % bootstrap interval; None where it is open.
        high: the same.
    """

    method: str
    groups: tuple[str, str]
    ratio: float
    low: float | None
    high: float | None

    @property
    def differ(self) -> bool:
        """Whether the interval leaves out 1."""
        return (self.low is not None and self.low > 1) or (self.high is not None and self.high < 1)


def compare(first: Curve, second: Curve, draws: int = DRAWS, seed: int = 0) -> Comparison | None:
    """Compare two groups under one method; None where either loses less than half at every level.

    Raises:
        BadInput: the curves are of two methods or two measures.
    """
    if (first.method, first.measure) != (second.method, second.measure):
        raise BadInput("compare: takes two groups under one method, scored by one measure")
    if min(first.lost().max(), second.lost().max()) < 0.5:
        return None
    ratio = float(fit_hill(first.doses, first.lost())[0] / fit_hill(second.doses, second.lost())[0])
    a, b = ed50_draws(first, draws, seed), ed50_draws(second, draws, seed)
    known = np.isfinite(a) & np.isfinite(b)
    if not known.any():
        return Comparison(first.method, (first.group, second.group), ratio, None, None)
    low, high = np.quantile(a[known] / b[known], [0.025, 0.975])
    return Comparison(first.method, (first.group, second.group), ratio, float(low), float(high))


def fit_all(curves: Sequence[Curve], draws: int = DRAWS, seed: int = 0) -> list[DoseFit]:
    """Fit every curve."""
    from nbhelpers.runtime import progress

    return [fit_dose(curve, draws, seed) for curve in progress(curves, label="fitting", unit="curve")]
