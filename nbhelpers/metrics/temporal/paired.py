"""Is one better than the other? Differences on the same clips, resampled together.

Two scores of the same clips rise and fall together from draw to draw, so their own intervals may overlap
although one is better in nearly every draw. The difference is resampled instead (Efron & Tibshirani 1993,
ch. 8): it is above 0 "by its interval" when the interval's lower end is.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from nbhelpers.artifacts import Check, Metric
from nbhelpers.errors import BadInput
from nbhelpers.metrics.temporal.guesses import OWN_SCORES
from nbhelpers.metrics.temporal.scores import TemporalScores


def difference(scores: TemporalScores, other: TemporalScores, name: str) -> Metric:
    """`scores` minus `other` in one score, -1..1, with the interval of the difference.

    Args:
        scores: of some clips.
        other: of the same clips in the same order.
        name: one of `SCORES`.

    Raises:
        BadInput: they are of other clips, or there is no such score.
    """
    if scores.n != other.n or not np.array_equal(scores.resampling.owner, other.resampling.owner):
        raise BadInput(f"difference in {name}: {scores.n} clips against {other.n}; score the same clips")
    if name not in scores.columns:
        raise BadInput(f"difference: there is no score {name!r}; known: {', '.join(scores.columns)}")
    gained = (scores.columns[name] - other.columns[name])[:, None]
    low, high = scores.resampling.interval(scores.resampling.means(gained)[:, 0])
    return Metric(float(gained.mean()), scores.n, "clips", low, high)


def above(
    scores: TemporalScores, other: TemporalScores, names: Sequence[str], label: str
) -> tuple[Check, ...]:
    """A check per score: the interval of the difference lies above 0."""
    return tuple(_check(scores, other, name, f"{name}_above_{label}") for name in names)


def _check(scores: TemporalScores, other: TemporalScores, name: str, label: str) -> Check:
    gained = difference(scores, other, name)
    assert gained.low is not None
    return Check(
        label, gained.low, f"> 0, lower end of the gain over {getattr(other, name):.3f}", gained.low > 0
    )


def above_floors(scores: TemporalScores, floors: Mapping[str, TemporalScores]) -> tuple[Check, ...]:
    """OCA, tIoU@0.5 and AA@1 each above every floor that guesses them, by the interval of the difference.

    Args:
        scores: of the model.
        floors: what `floors` returned for the same clips.

    Raises:
        BadInput: the floors are of other clips, or one is not known.
    """
    strange = sorted(set(floors) - set(OWN_SCORES))
    if strange:
        raise BadInput(f"floor {strange[0]!r} is not known; known floors: {', '.join(OWN_SCORES)}")
    return tuple(
        check for name, floor in floors.items() for check in above(scores, floor, OWN_SCORES[name], name)
    )
