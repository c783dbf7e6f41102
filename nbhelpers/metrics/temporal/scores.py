"""Scores of answers about clips: which operation, when, and what next; all with n and intervals.

The three of the weighted score: OCA (share of clips whose operation is named right), tIoU@0.5 (share whose
segment overlaps the true one by half or more, whatever the operation is called) and AA@1 (share whose next
operation is named right); an answer that could not be read is wrong in all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nbhelpers.artifacts import Metric
from nbhelpers.errors import BadInput
from nbhelpers.metrics.temporal.answers import Answered, segments_of
from nbhelpers.metrics.temporal.iou import reaches, tiou_pairs
from nbhelpers.metrics.temporal.resample import Resampling, resampling

_LEVELS = {"r_03": 0.3, "tiou_05": 0.5, "r_07": 0.7}
WEIGHTS = {"oca": 0.3, "tiou_05": 0.3, "aa1": 0.4}
SCORES = ("oca", "tiou_05", "mean_iou", "r_03", "r_07", "aa1", "weighted", "parse_rate")
CLASS_SCORES = ("oca", "tiou_05", "mean_iou", "aa1")


@dataclass(frozen=True)
class ClassScores:
    """Scores over the clips whose true operation is this one, 0..1.

    Attributes:
        n: clips of it.
        oca: share of them that were named right (the recall of the class).
        tiou_05, mean_iou, aa1: as for all clips.
        predicted: clips, of any operation, that were given this name.
        precision: share of those that are of it; None where the name was never given.
        intervals: (low, high) of `oca`, `tiou_05`, `mean_iou` and `aa1`.
    """

    n: int
    oca: float
    tiou_05: float
    mean_iou: float
    aa1: float
    predicted: int
    precision: float | None
    intervals: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class TemporalScores:
    """Means over clips, 0..1, with their bootstrap intervals.

    Attributes:
        oca, tiou_05, mean_iou, aa1: see the module; `mean_iou` is the mean temporal IoU.
        r_03, r_07: as `tiou_05` at 0.3 and 0.7.
        weighted: 0.3 OCA + 0.3 tIoU@0.5 + 0.4 AA@1.
        parse_rate: share of answers that could be read.
        n: clips.
        per_class: by true operation, sorted by name.
        intervals: (low, high) by score.
        resampling: what the intervals were drawn over, and why.
        columns: (n,) float64 by score, each clip's share in it, in the order given.
    """

    oca: float
    tiou_05: float
    mean_iou: float
    r_03: float
    r_07: float
    aa1: float
    weighted: float
    parse_rate: float
    n: int
    per_class: dict[str, ClassScores]
    intervals: dict[str, tuple[float, float]]
    resampling: Resampling = field(repr=False, compare=False)
    columns: Mapping[str, np.ndarray] = field(repr=False, compare=False)

    def metrics(self, prefix: str = "") -> dict[str, Metric]:
        """Every score as a metric for `results.json`, its name after `prefix`."""
        return {
            prefix + name: Metric(getattr(self, name), self.n, "clips", *self.intervals[name])
            for name in SCORES
        }

    def as_dict(self) -> dict[str, Any]:
        """All of it but the columns, for JSON."""
        drawn = self.resampling
        return {
            **{name: getattr(self, name) for name in SCORES},
            "n": self.n,
            "intervals": self.intervals,
            "intervals_over": {"unit": drawn.unit, "units": drawn.units, "why": drawn.why}
            | {"draws": drawn.draws, "level": drawn.level, "seed": drawn.seed},
            "per_class": self.per_class,
        }


def score_answers(
    truths: Sequence[Answered],
    predictions: Sequence[Answered | None],
    draws: int = 1000,
    *,
    sources: Sequence[str] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> TemporalScores:
    """Score one prediction per clip.

    Args:
        truths: (n,) what is true of each clip.
        predictions: (n,) what was said of each, in the same order; None where the text was no answer.
        draws: bootstrap samples.
        sources: (n,) the video, subject or session of each clip; five or more are drawn whole.
        level: probability mass of the intervals, 0..1.
        seed: of the draws.

    Raises:
        BadInput: no clips, another number of predictions, a time that is not finite, an end before its start.
    """
    drawn = resampling(len(truths), sources, draws, level, seed)
    columns = judge(truths, predictions)
    table = np.column_stack([columns[name] for name in SCORES])
    values = dict(zip(SCORES, table.mean(axis=0).tolist(), strict=True))
    resampled = drawn.means(table)
    intervals = {name: drawn.interval(resampled[:, place]) for place, name in enumerate(SCORES)}
    per_class = _per_class(truths, predictions, columns, drawn)
    return TemporalScores(
        **values,
        n=len(truths),
        per_class=per_class,
        intervals=intervals,
        resampling=drawn,
        columns=columns,
    )


def judge(truths: Sequence[Answered], predictions: Sequence[Answered | None]) -> dict[str, np.ndarray]:
    """Each clip's share in each score, (n,) float64, 0..1; no answer has none in any.

    Raises:
        BadInput: another number of predictions, a time that is not finite, an end before its start.
    """
    if len(truths) != len(predictions):
        raise BadInput(f"scores: {len(predictions)} predictions for {len(truths)} clips; give one each")
    read = np.array([said is not None for said in predictions])
    pairs = list(zip(truths, predictions, strict=True))
    iou = tiou_pairs(segments_of(truths, "truth"), segments_of(predictions, "prediction"))
    columns = {
        "oca": np.array([said is not None and said.operation == true.operation for true, said in pairs]),
        "aa1": np.array(
            [said is not None and said.next_operation == true.next_operation for true, said in pairs]
        ),
        "mean_iou": iou,
        "parse_rate": read,
    }
    columns |= {name: reaches(iou, level) for name, level in _LEVELS.items()}
    columns = {name: column.astype(float) for name, column in columns.items()}
    columns["weighted"] = np.sum([share * columns[name] for name, share in WEIGHTS.items()], axis=0)
    return columns


def _per_class(
    truths: Sequence[Answered],
    predictions: Sequence[Answered | None],
    columns: Mapping[str, np.ndarray],
    drawn: Resampling,
) -> dict[str, ClassScores]:
    names = np.array([true.operation for true in truths], object)
    said = np.array([None if one is None else one.operation for one in predictions], object)
    table = np.column_stack([columns[name] for name in CLASS_SCORES])
    return {name: _one_class(names == name, said == name, table, drawn) for name in sorted(set(names))}


def _one_class(of_it: np.ndarray, called: np.ndarray, table: np.ndarray, drawn: Resampling) -> ClassScores:
    resampled = drawn.means(table, of_it)
    intervals = {name: drawn.interval(resampled[:, place]) for place, name in enumerate(CLASS_SCORES)}
    values = dict(zip(CLASS_SCORES, table[of_it].mean(axis=0).tolist(), strict=True))
    count = int(called.sum())
    precision = float((of_it & called).sum() / count) if count else None
    return ClassScores(
        n=int(of_it.sum()), **values, predicted=count, precision=precision, intervals=intervals
    )
