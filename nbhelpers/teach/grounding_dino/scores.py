"""How well a detector finds the boxes of a set: COCO results and average precision with its interval."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput
from nbhelpers.runtime import progress

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet

RANKED = 0.02  # least score of a box that counts for average precision; weaker ones change nothing
_HELD = 8  # batches of pictures in memory at once


def box_results(
    model: Any, processor: Any, coco: "CocoSet", *, nms: float | None = 0.5, batch_size: int = 8
) -> list[dict[str, Any]]:
    """Run a detector over a set, asked for all its classes.

    Args:
        model: see `detect`.
        processor: its stock processor.
        coco: the set; a few batches of its pictures are in memory at a time.
        nms: see `detect`.
        batch_size: pictures per forward pass.

    Returns:
        COCO results: image_id, category_id, bbox XYWH in pixels, score; at most 100 an image.
    """
    from nbhelpers.metrics import to_coco_results
    from nbhelpers.teach.grounding_dino.detection import detect

    category_ids = sorted(coco.class_index, key=coco.class_index.__getitem__)
    results: list[dict[str, Any]] = []
    for image_ids in _parts(coco.image_ids, batch_size * _HELD):
        images = [coco.image(image_id) for image_id in image_ids]
        found = detect(model, processor, images, coco.class_names, RANKED, nms, batch_size)
        for image_id, detections in zip(image_ids, found, strict=True):
            results.extend(to_coco_results(image_id, detections, category_ids))
    return results


def _parts(image_ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    with progress(total=len(image_ids), label="detecting", unit="image") as bar:
        for start in range(0, len(image_ids), size):
            part = image_ids[start : start + size]
            yield part
            bar.update(len(part))


def box_scores(coco: "CocoSet", results: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Box AP and AP50 with 95 % bootstrap intervals over images.

    Args:
        coco: the set with its annotations.
        results: as `box_results` gives them.

    Returns:
        "box_ap" (IoU 0.50 to 0.95) and "box_ap50", each with value, low, high (0..1) and n, the images.

    Raises:
        BadInput: the set has no annotation to be found.
    """
    from nbhelpers.metrics import ap_interval

    if all(entry.get("iscrowd") for entry in coco.annotations):
        raise BadInput(f"{coco.path}: has no annotated object, so nothing can be scored on it")
    scores = {}
    for name, iou in (("box_ap", None), ("box_ap50", 0.5)):
        found = ap_interval(coco.to_dict(), results, iou=iou)
        scores[name] = {"value": found.value, "low": found.low, "high": found.high, "n": found.n_images}
    return scores
