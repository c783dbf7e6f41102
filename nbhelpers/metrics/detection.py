"""COCO average precision for boxes and masks, as pycocotools computes it, with curves and per class.

Definition of record: https://cocodataset.org/#detection-eval and `pycocotools.cocoeval`.
"""

import contextlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nbhelpers.errors import BadInput
from nbhelpers.metrics.documents import KINDS, Kind, read_ground_truth, read_predictions

STAT_NAMES = (
    "AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large",
    "AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large",
)  # fmt: skip
# From here on faster-coco-eval counts: the same numbers, several times faster.
LARGE = 20_000


@dataclass(frozen=True)
class Curve:
    """Precision over recall of one class at IoU 0.50, at COCO's 101 levels, with the score at each."""

    recall: list[float]
    precision: list[float]
    score: list[float]


@dataclass(frozen=True)
class DetectionScores:
    """The outcome of a COCO evaluation.

    Attributes:
        kind: "bbox" or "segm".
        stats: COCO's twelve numbers in COCO's order (`STAT_NAMES`), 0..1; -1 where nothing was there to find.
        per_class: by class name `ap`, `ap50` (0..1; None without annotations) and `n`, its annotations.
        curves: by class name, at IoU 0.50; classes without annotations have none.
        n_images, n_annotations: of the ground truth, crowds not counted.
        backend: the library that counted.
    """

    kind: Kind
    stats: list[float]
    per_class: dict[str, dict[str, float | int | None]]
    curves: dict[str, Curve]
    n_images: int
    n_annotations: int
    backend: str

    @property
    def ap(self) -> float:
        """AP averaged over IoU 0.50 to 0.95."""
        return self.stats[0]

    @property
    def ap50(self) -> float:
        """AP at IoU 0.50."""
        return self.stats[1]

    def named(self) -> dict[str, float]:
        """The twelve numbers by name."""
        return dict(zip(STAT_NAMES, self.stats, strict=True))


def evaluate_coco(
    ground_truth: Path | str | dict[str, Any],
    predictions: Path | str | Iterable[dict[str, Any]],
    kind: Kind = "bbox",
    backend: Literal["auto", "pycocotools", "faster"] = "auto",
) -> DetectionScores:
    """Score COCO results against a COCO ground truth.

    Args:
        ground_truth: a COCO document or its file; left untouched.
        predictions: COCO results or their file; none at all is a score of 0.
        kind: compare boxes or masks.
        backend: "auto" counts with faster-coco-eval from 20,000 annotations and results on.

    Raises:
        BadInput: something in either cannot be used; names the item and the mend.
    """
    if kind not in KINDS:
        raise BadInput(f"kind {kind!r} is not known; known kinds: {', '.join(KINDS)}")
    truth = read_ground_truth(ground_truth, kind)
    results = read_predictions(predictions, truth, kind)
    if backend == "auto":
        backend = "faster" if len(results) + len(truth["annotations"]) > LARGE else "pycocotools"
    evaluation = run_cocoeval(truth, results, kind, backend)
    return _scores(evaluation, truth, kind, backend)


def run_cocoeval(
    truth: dict[str, Any],
    results: list[dict[str, Any]],
    kind: Kind,
    backend: str = "pycocotools",
    **params: Any,
) -> Any:
    """Run an evaluation without its chatter; `params` are set on its `Params` (then it is not summarised)."""
    if backend == "faster":
        from faster_coco_eval import COCO
        from faster_coco_eval import COCOeval_faster as COCOeval
    else:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = truth
        known.createIndex()
        evaluation = COCOeval(known, _results(known, results, kind, COCO), kind)
        for name, value in params.items():
            setattr(evaluation.params, name, value)
        evaluation.evaluate()
        evaluation.accumulate()
        if not params:
            evaluation.summarize()
    return evaluation


def _results(known: Any, results: list[dict[str, Any]], kind: Kind, document: Any) -> Any:
    """Results in the evaluator's own form; both libraries' `loadRes` fail on an empty list."""
    if results:
        return known.loadRes([dict(result) for result in results])
    empty = document()
    empty.dataset = {key: known.dataset[key] for key in ("images", "categories")} | {"annotations": []}
    empty.createIndex()
    return empty


def _scores(evaluation: Any, truth: dict[str, Any], kind: Kind, backend: str) -> DetectionScores:
    counted = [item for item in truth["annotations"] if not item["iscrowd"]]
    names = {category["id"]: category["name"] for category in truth["categories"]}
    precision = np.asarray(evaluation.eval["precision"])[
        :, :, :, 0, -1
    ]  # (IoU, recall, class), all areas, 100 results
    scores = np.asarray(evaluation.eval["scores"])[:, :, :, 0, -1]
    per_class: dict[str, dict[str, float | int | None]] = {}
    curves: dict[str, Curve] = {}
    for index, category in enumerate(evaluation.params.catIds):
        name, values = names[category], precision[:, :, index]
        found = bool((values > -1).any())
        per_class[name] = {
            "ap": float(values.mean()) if found else None,
            "ap50": float(values[0].mean()) if found else None,
            "n": sum(bool(item["category_id"] == category) for item in counted),
        }
        if found:
            recall = [float(level) for level in evaluation.params.recThrs]
            curves[name] = Curve(recall, values[0].tolist(), scores[0, :, index].tolist())
    stats = [float(value) for value in evaluation.stats[:12]]
    return DetectionScores(kind, stats, per_class, curves, len(truth["images"]), len(counted), backend)
