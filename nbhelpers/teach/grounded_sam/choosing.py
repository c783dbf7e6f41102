"""Running teachers over a labelled set to see from which scores on they are right."""

from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput
from nbhelpers.teach.grounded_sam.classes import AGNOSTIC
from nbhelpers.teach.grounded_sam.thresholds import Choice, best_thresholds

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.teach.grounded_sam.teacher import GroundedSam

_FLOOR = 0.02  # weaker boxes change no threshold by more than rounding
_GRID_FLOOR = 0.3  # SAM alone: least predicted IoU that is looked at, since every mask costs a comparison


def choose_on(teachers: "GroundedSam", val: "CocoSet", default: float) -> list[Choice]:
    """The choices of all classes; see `GroundedSam.choose_thresholds`."""
    from nbhelpers.metrics.matches import match

    document, ids = _truth(teachers, val)
    kind: Any = "segm" if teachers.detector is None else "bbox"
    results = _answers(teachers, val, list(ids.values()))
    kept = teachers.grid.predicted_iou if teachers.detector is None else default
    return best_thresholds(match(document, results, kind), ids, kept)


def _truth(teachers: "GroundedSam", val: "CocoSet") -> tuple[dict[str, Any], dict[str, int]]:
    """The set as these teachers are judged by, and the category id of each of their classes in order."""
    document = val.to_dict()
    if teachers.mode == "segmentation":
        annotations = [{**item, "category_id": 1} for item in document["annotations"]]
        categories = [{"id": 1, "name": AGNOSTIC[0]}]
        return {**document, "annotations": annotations, "categories": categories}, {AGNOSTIC[0]: 1}
    known = {str(entry["name"]): int(entry["id"]) for entry in val.categories}
    names = teachers.names or tuple(val.class_names)
    missing = [name for name in names if name not in known]
    if missing:
        raise BadInput(f"{val.path}: has no category {missing[0]!r} that the teachers know; it has {known}")
    return document, {name: known[name] for name in names}


def _answers(teachers: "GroundedSam", val: "CocoSet", category_ids: list[int]) -> list[dict[str, Any]]:
    """COCO results of a set with next to no threshold; boxes alone where there is a detector."""
    from dataclasses import replace

    from nbhelpers.metrics import to_coco_results
    from nbhelpers.runtime import progress

    boxes_only = teachers.detector is not None
    quick = replace(teachers, mode="detection", segmenter=None) if boxes_only else teachers
    quick.names = teachers.names or tuple(val.class_names)
    least = dict.fromkeys(quick.names, _FLOOR if boxes_only else _GRID_FLOOR)
    results: list[dict[str, Any]] = []
    with progress(total=len(val.images), label="thresholds", unit="image") as bar:
        for start in range(0, len(val.images), teachers.batch):
            image_ids = val.image_ids[start : start + teachers.batch]
            found = quick.predict([val.image(image_id) for image_id in image_ids], thresholds=least)
            for image_id, detections in zip(image_ids, found, strict=True):
                results += to_coco_results(image_id, detections, category_ids)
            bar.update(len(image_ids))
    return results
