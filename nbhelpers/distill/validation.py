"""The scores by which the best weights are chosen: COCO's own, on the validation part."""

from typing import TYPE_CHECKING, Any

from nbhelpers.distill.evaluate import SCORED, ground_truth_for, kinds_of
from nbhelpers.metrics import evaluate_coco, predict_results

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.distill.students import Student

_PREFIX = {"bbox": "box", "segm": "mask"}
_CONFIDENCE, _IOU = 0.001, 0.7


class Validation:
    """Scores of a student on a set, by name: `box_ap`, `box_ap50` and with masks `mask_ap`, `mask_ap50`.

    Attributes:
        names: of the scores; `monitor` is the one that decides: AP of masks where there are masks.
    """

    def __init__(self, student: "Student", coco: "CocoSet") -> None:
        self._student, self._coco = student, coco
        self._truth, self._category_ids = ground_truth_for(student.class_names, coco)
        self._kinds = kinds_of(student.task, self._truth)
        prefixes = [_PREFIX[kind] for kind in self._kinds]
        self.names = [f"{prefix}_{score}" for prefix in prefixes for score in ("ap50", "ap")]
        self.monitor = self.names[-1]

    def __call__(self, model: Any) -> dict[str, float]:
        """Scores of the student as it is now; `model` is what trains it, and shares its weights."""
        images = ((image["id"], self._coco.image(image["id"])) for image in self._coco.images)
        results = predict_results(
            lambda image: self._student.predict(image, _CONFIDENCE, _IOU, **SCORED),
            images,
            self._category_ids,
        )
        scores: dict[str, float] = {}
        for kind in self._kinds:
            found = evaluate_coco(self._truth, results, kind, backend="faster")
            scores |= {f"{_PREFIX[kind]}_ap50": found.ap50, f"{_PREFIX[kind]}_ap": found.ap}
        return scores
