"""When an attack has succeeded, and how sure one can be of a share of successes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from nbhelpers.artifacts import Metric
from nbhelpers.errors import BadInput
from nbhelpers.metrics import proportion


def normalised(text: str) -> str:
    """An answer without case, articles at its beginning, punctuation at its ends and double spaces."""
    plain = " ".join(text.casefold().split()).strip(" .,;:!?\"'")
    return re.sub(r"^(a|an|the) ", "", plain)


def says(text: str, wanted: str, match: str = "exact") -> bool:
    """Whether a model's answer is the wanted one.

    Args:
        text: what it said.
        wanted: what counts.
        match: `exact` (after `normalised`) or `contains` (as whole words).
    """
    said, goal = normalised(text), normalised(wanted)
    if match == "exact":
        return said == goal
    if match == "contains":
        return re.search(rf"(?<!\w){re.escape(goal)}(?!\w)", said) is not None
    raise BadInput(f"match {match!r}: use exact or contains")


def distance(text: str, other: str) -> float:
    """How far two answers are apart, 0 (equal) to 1 (nothing in common), by matching blocks of letters."""
    return 1 - SequenceMatcher(None, normalised(text), normalised(other), autojunk=False).ratio()


@dataclass(frozen=True)
class Net:
    """Success of a patch beyond what the best control does, with a 95 % interval.

    Attributes:
        value, low, high: difference of two shares, -1..1.
        control: name of the best control.
        n: answers of each.
    """

    value: float
    low: float
    high: float
    control: str
    n: int


def net_of(successes: "dict[str, Sequence[bool] | np.ndarray]", patch: str = "patch") -> Net:
    """The patch's success less that of the control with the most.

    The interval is Newcombe's hybrid score interval (1998, Statistics in Medicine 17: 873-890, method 10)
    from the two Wilson intervals. It treats the two as drawn apart, which on the same pictures makes it a
    little wider than it had to be; that the control was chosen as the best of several makes the difference
    smaller, never larger.

    Args:
        successes: name to truth values over the same questions.
        patch: which of them is the patch.

    Raises:
        BadInput: no control beside the patch.
    """
    shares = {name: proportion(values) for name, values in successes.items()}
    controls = {name: share for name, share in shares.items() if name != patch}
    if patch not in shares or not controls:
        raise BadInput("net success: needs the patch and at least one control")
    best = max(controls, key=lambda name: _value(controls[name]))
    one, two = shares[patch], controls[best]
    value = _value(one) - _value(two)
    low = value - float(np.hypot(_value(one) - (one.low or 0.0), (two.high or 0.0) - _value(two)))
    high = value + float(np.hypot((one.high or 0.0) - _value(one), _value(two) - (two.low or 0.0)))
    return Net(value, max(-1.0, low), min(1.0, high), best, one.n)


def _value(metric: Metric) -> float:
    return float(metric.value or 0.0)
