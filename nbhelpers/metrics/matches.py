"""Which detection found which object, as COCO's evaluation pairs them, for counts at any threshold."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.metrics.documents import Kind, read_ground_truth, read_predictions


@dataclass(frozen=True)
class Matches:
    """Every scored detection with its fate, and how many objects there were to find.

    A detection is paired by falling score, so leaving out all below a threshold changes no other pair.
    Detections in crowd regions that match nothing else are neither right nor wrong and are left out.

    Attributes:
        image: (D,) object, image id of each detection.
        category: (D,) object, category id.
        number: (D,) int64, position in the list of results that was given.
        score: (D,) float64.
        iou: (D,) float64, overlap with the object it is paired with, 0 where with none.
        truths: (image id, category id) to the number of objects, crowds not counted.
    """

    image: NDArray[Any]
    category: NDArray[Any]
    number: NDArray[np.int64]
    score: NDArray[np.float64]
    iou: NDArray[np.float64]
    truths: dict[tuple[Any, Any], int]

    @property
    def right(self) -> NDArray[np.bool_]:
        """(D,) whether each detection is paired with an object."""
        return self.iou > 0

    def count(self, category: Any) -> int:
        """Objects of a category in all images."""
        return sum(n for (_, own), n in self.truths.items() if own == category)


def match(
    ground_truth: dict[str, Any],
    results: Iterable[dict[str, Any]],
    kind: Kind = "bbox",
    iou: float = 0.5,
    limit: int = 1000,
) -> Matches:
    """Pair detections with objects of their class, strongest first, by COCO's rule.

    Args:
        ground_truth: a COCO document; left untouched.
        results: COCO results.
        kind: compare boxes or masks.
        iou: least overlap of a pair, above 0 to 1.
        limit: detections per image and class that are looked at, strongest first.

    Raises:
        BadInput: something in either cannot be used; names the item and the mend.
    """
    from nbhelpers.metrics.detection import run_cocoeval

    truth = read_ground_truth(ground_truth, kind)
    given = [{**item, "number": number} for number, item in enumerate(read_predictions(results, truth, kind))]
    everything: dict[str, Any] = {"areaRng": [[0, 1e12]], "areaRngLbl": ["all"]}
    evaluation = run_cocoeval(truth, given, kind, iouThrs=np.array([iou]), maxDets=[limit], **everything)
    rows = [row for one in evaluation.evalImgs if one is not None for row in _rows(evaluation, one)]
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    counts = {
        key: count
        for key, entries in evaluation._gts.items()
        if (count := sum(not entry["ignore"] for entry in entries))
    }
    return Matches(
        np.array(columns[0], object),
        np.array(columns[1], object),
        np.array(columns[2], np.int64),
        np.array(columns[3], np.float64),
        np.array(columns[4], np.float64),
        counts,
    )


def _rows(evaluation: Any, one: dict[str, Any]) -> list[tuple[Any, Any, int, float, float]]:
    """(image, category, number, score, IoU) of each detection of one class in one image."""
    key = one["image_id"], one["category_id"]
    overlaps = evaluation.ious[key]
    columns = {entry["id"]: index for index, entry in enumerate(evaluation._gts[key])}
    numbers = {entry["id"]: entry["number"] for entry in evaluation._dts[key]}
    found = []
    for row, (own, paired) in enumerate(zip(one["dtIds"], one["dtMatches"][0], strict=True)):
        if one["dtIgnore"][0][row]:
            continue
        iou = float(overlaps[row][columns[int(paired)]]) if paired else 0.0
        found.append((*key, numbers[own], float(one["dtScores"][row]), iou))
    return found
