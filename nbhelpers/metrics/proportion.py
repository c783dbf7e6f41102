"""A share of right answers with its interval."""

from collections.abc import Sequence

import numpy as np

from nbhelpers.artifacts import Metric
from nbhelpers.errors import BadInput


def proportion(right: Sequence[bool] | np.ndarray, unit: str = "") -> Metric:
    """The share that is true, with its 95 % interval.

    The interval is Wilson's score interval (Wilson 1927, JASA 22: 209-212), which stays within 0..1 and holds
    for shares near either end, where the normal approximation does not.

    Args:
        right: (n,) truth values.
        unit: what was judged, such as `clips`.

    Raises:
        BadInput: there is nothing to judge.
    """
    from scipy.stats import binomtest

    judged = np.asarray(right, dtype=bool).ravel()
    if not judged.size:
        raise BadInput(f"proportion of {unit or 'answers'}: there is none to judge")
    count, n = int(judged.sum()), int(judged.size)
    interval = binomtest(count, n).proportion_ci(method="wilson")
    return Metric(count / n, n, unit, float(interval.low), float(interval.high))
