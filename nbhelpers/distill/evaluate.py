"""Score a student, or any engine with its `predict`, on a COCO set with COCO's own numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nbhelpers.metrics import DetectionScores, Interval, ap_interval, evaluate_coco, predict_results
from nbhelpers.metrics.documents import Kind

if TYPE_CHECKING:
    import supervision as sv

    from nbhelpers.data import CocoSet

# The one class of a class-agnostic student, as students name it.
_AGNOSTIC = ["object"]
# As COCO tools score: every class of a box that could still count, the hundred strongest per image.
SCORED: dict[str, Any] = {"max_detections": 100, "multi_label": True}


class Predictor(Protocol):
    """What is scored: a student or an engine."""

    @property
    def class_names(self) -> list[str]:
        """Names by class index."""

    @property
    def task(self) -> Any:
        """`detect` or `segment`."""

    def predict(
        self, image: np.ndarray, confidence: float = ..., iou: float = ..., **options: Any
    ) -> "sv.Detections":
        """Detections of one HWC uint8 RGB image."""


@dataclass(frozen=True)
class SetResults:
    """A model's answers on a set: COCO `results`, and the `ground_truth` they are scored against."""

    results: list[dict[str, Any]]
    ground_truth: dict[str, Any]
    kinds: tuple[Kind, ...]

    def scores(self) -> dict[str, DetectionScores]:
        """COCO scores by kind."""
        return {kind: evaluate_coco(self.ground_truth, self.results, kind) for kind in self.kinds}

    def intervals(self, draws: int = 1000, seed: int = 0) -> dict[str, Interval]:
        """AP50 with its bootstrap interval over images, by kind."""
        return {
            kind: ap_interval(self.ground_truth, self.results, kind, draws=draws, seed=seed)
            for kind in self.kinds
        }


def evaluate_student(
    model: Predictor, coco: "CocoSet", confidence: float = 0.001, iou: float = 0.7
) -> dict[str, DetectionScores]:
    """Scores by kind: "bbox", and "segm" where the model gives masks.

    Args:
        model: a `Student` or an engine; its class names must be the set's, in the set's order, or ["object"].
        coco: images and annotations.
        confidence: least score; AP wants nearly all of them.
        iou: of the suppression.

    Raises:
        BadInput: a class the set does not have, or masks wanted of a set without any.
    """
    return run_on_set(model, coco, confidence, iou).scores()


def run_on_set(model: Predictor, coco: "CocoSet", confidence: float = 0.001, iou: float = 0.7) -> SetResults:
    """Run `model` over every image of a set; see `evaluate_student`."""
    from nbhelpers.runtime import progress

    truth, category_ids = ground_truth_for(model.class_names, coco)

    def images() -> Iterator[tuple[Any, np.ndarray]]:
        for image in progress(coco.images, label="scoring", unit="image"):
            yield image["id"], coco.image(image["id"])

    # Teachers take many images at once; of one image they have a method of their own.
    predict = getattr(model, "predict_one", model.predict)
    results = predict_results(
        lambda image: predict(image, confidence=confidence, iou=iou, **SCORED), images(), category_ids
    )
    return SetResults(results, truth, kinds_of(model.task, truth))


def kinds_of(task: str, truth: dict[str, Any]) -> tuple[Kind, ...]:
    """What can be scored: boxes, and masks where the model gives them and every object has one."""
    masks = task == "segment" and all(item.get("segmentation") for item in truth["annotations"])
    return ("bbox", "segm") if masks else ("bbox",)


def ground_truth_for(class_names: list[str], coco: "CocoSet") -> tuple[dict[str, Any], list[Any]]:
    """The set's document as a model with these classes is judged by, and the category id of each class index.

    For a class-agnostic model all categories become the one category 1, "object".
    """
    from nbhelpers.errors import BadInput

    document = coco.to_dict()
    if class_names == _AGNOSTIC and coco.class_names != _AGNOSTIC:
        annotations = [{**item, "category_id": 1} for item in document["annotations"]]
        return {**document, "annotations": annotations, "categories": [{"id": 1, "name": "object"}]}, [1]
    ids = {category["name"]: category["id"] for category in document["categories"]}
    missing = [name for name in class_names if name not in ids]
    if missing:
        raise BadInput(
            f"{coco.path}: has no category {missing[0]!r} that the model knows; it has {', '.join(ids)}"
        )
    return document, [ids[name] for name in class_names]
