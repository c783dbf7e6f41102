"""From which score on a teacher's answer counts: per class, where F1 on validation is highest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nbhelpers.runtime import text_table

if TYPE_CHECKING:
    from nbhelpers.metrics.matches import Matches

SILENT = 1.0


@dataclass(frozen=True)
class Choice:
    """The threshold of one class.

    Attributes:
        name: of the class.
        threshold: least score, 0..1.
        precision, recall, f1: on validation at this threshold; None where nothing is counted.
        truths: objects of the class on validation.
        why: how it was chosen.
    """

    name: str
    threshold: float
    precision: float | None
    recall: float | None
    f1: float | None
    truths: int
    why: str


def best_thresholds(matches: "Matches", category_ids: Mapping[str, object], default: float) -> list[Choice]:
    """Choose a threshold for each class.

    A threshold lies midway between the weakest answer it lets pass and the strongest it does not. A class of
    which validation has no object keeps the default. A class of which it has some and no answer is right
    gets 1.0: there is no score from which on its answers were worth having.

    Args:
        matches: every answer on validation above a low floor, paired with the objects.
        category_ids: by class name, in the order of the classes.
        default: for classes that validation says nothing about.
    """
    choices = []
    for name, category in category_ids.items():
        own = matches.category == category
        choices.append(
            _choose(name, matches.score[own], matches.right[own], matches.count(category), default)
        )
    return choices


def _choose(
    name: str, scores: NDArray[np.float64], right: NDArray[np.bool_], truths: int, default: float
) -> Choice:
    if truths == 0:
        return Choice(name, default, None, None, None, 0, "no object on validation: the default")
    if not right.any():
        return Choice(name, SILENT, None, 0.0, 0.0, truths, "no answer is right at any score: silent")
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(right[order])
    counted = np.arange(1, len(scores) + 1)
    f1 = 2 * hits / (counted + truths)
    # Answers of one score pass together or not at all.
    f1[:-1][scores[:-1] == scores[1:]] = -1
    best = int(f1.argmax())
    below = scores[best + 1] if best + 1 < len(scores) else scores[best]
    threshold = float((scores[best] + below) / 2)
    precision, recall = hits[best] / counted[best], hits[best] / truths
    return Choice(
        name, threshold, float(precision), float(recall), float(f1[best]), truths, "best F1 on validation"
    )


def thresholds_table(choices: Sequence[Choice]) -> str:
    """The choices as text, one class a line."""
    header = ["class", "objects", "threshold", "precision", "recall", "F1", "chosen by"]
    rows = [
        [one.name, str(one.truths), f"{one.threshold:.2f}"]
        + ["-" if value is None else f"{value:.2f}" for value in (one.precision, one.recall, one.f1)]
        + [one.why]
        for one in choices
    ]
    return text_table(rows, header)
