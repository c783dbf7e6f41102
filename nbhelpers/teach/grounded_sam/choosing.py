"""Running teachers over a labelled set to see from which scores on they are right."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput
from nbhelpers.runtime import progress
from nbhelpers.teach.grounded_sam.classes import AGNOSTIC
from nbhelpers.teach.grounded_sam.thresholds import Choice, best_thresholds

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.teach.grounded_sam.everything import Everything
    from nbhelpers.teach.grounded_sam.teacher import GroundedSam

_FLOOR = 0.02  # weaker boxes change no threshold by more than rounding
_GRID_FLOOR = 0.3  # SAM alone: least predicted IoU that is looked at, since every mask costs a comparison
# How sharply a model draws its masks differs from model to model; the first is that of the original code.
_STABILITIES = (0.95, 0.9, 0.8, 0.65, 0.5, 0.0)


def choose_boxes(teachers: "GroundedSam", val: "CocoSet", default: float) -> list[Choice]:
    """A threshold for each class of the detector; SAM is not asked."""
    from nbhelpers.metrics import to_coco_results
    from nbhelpers.metrics.matches import match

    known = {str(entry["name"]): int(entry["id"]) for entry in val.categories}
    names = teachers.names or tuple(val.class_names)
    missing = [name for name in names if name not in known]
    if missing:
        raise BadInput(
            f"{val.path}: has no category {missing[0]!r} that the teachers know; it has {', '.join(known)}"
        )
    ids = {name: known[name] for name in names}
    quick = replace(teachers, mode="detection", segmenter=None, names=names)
    results: list[dict[str, Any]] = []
    for image_ids in _batches(val, teachers.batch):
        images = [val.image(image_id) for image_id in image_ids]
        found = quick.predict(images, thresholds=dict.fromkeys(names, _FLOOR))
        for image_id, detections in zip(image_ids, found, strict=True):
            results += to_coco_results(image_id, detections, list(ids.values()))
    return best_thresholds(match(val.to_dict(), results), ids, default)


def choose_everything(teachers: "GroundedSam", val: "CocoSet") -> tuple[Choice, float]:
    """The threshold of SAM alone, and the stability with which F1 is highest; of equals the stricter one."""
    from nbhelpers.metrics.matches import match

    annotations = [{**item, "category_id": 1} for item in val.annotations]
    truth = val.to_dict() | {"annotations": annotations, "categories": [{"id": 1, "name": AGNOSTIC[0]}]}
    results: dict[float, list[dict[str, Any]]] = {stability: [] for stability in _STABILITIES}
    for image_ids in _batches(val, 1):
        for stability, found in _everything_of(teachers, val.image(image_ids[0])):
            results[stability] += _results(image_ids[0], found)
    default = teachers.grid.predicted_iou
    choices = {
        stability: best_thresholds(match(truth, own, "segm"), {AGNOSTIC[0]: 1}, default)[0]
        for stability, own in results.items()
    }
    best = max(_STABILITIES, key=lambda stability: (choices[stability].f1 or 0.0, stability))
    return choices[best], best


def _batches(val: "CocoSet", size: int) -> Iterator[list[int]]:
    with progress(total=len(val.images), label="thresholds", unit="image") as bar:
        for start in range(0, len(val.images), size):
            image_ids = val.image_ids[start : start + size]
            yield image_ids
            bar.update(len(image_ids))


def _everything_of(teachers: "GroundedSam", image: Any) -> "Iterator[tuple[float, Everything]]":
    """What SAM alone would answer for each stability, from one pass of the decoder."""
    from nbhelpers.teach.grounded_sam.everything import all_answers, best_of
    from nbhelpers.teach.sam import embed, placed

    assert teachers.segmenter is not None
    model, processor = teachers.segmenter.model, teachers.segmenter.processor
    place = placed(processor, (image.shape[0], image.shape[1]))
    found = all_answers(model, embed(model, processor, image), place, teachers.grid, _GRID_FLOOR, 0.0)
    for stability in _STABILITIES:
        yield stability, best_of(processor, found, place, teachers.grid, 100, stability)


def _results(image_id: int, found: "Everything") -> list[dict[str, Any]]:
    from nbhelpers.data.masks import mask_to_rle

    return [
        {"image_id": image_id, "category_id": 1, "score": float(score), "segmentation": mask_to_rle(mask)}
        for mask, score in zip(found.masks, found.scores, strict=True)
    ]
