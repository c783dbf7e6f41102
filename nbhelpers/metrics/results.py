"""From detections to COCO results, and from a model over a set to its scores."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    import supervision as sv

PER_IMAGE = 100  # COCO counts no more


def to_coco_results(
    image_id: Any, detections: "sv.Detections", category_ids: Sequence[Any], limit: int = PER_IMAGE
) -> list[dict[str, Any]]:
    """COCO results of one image, strongest first.

    Args:
        image_id: as in the ground truth.
        detections: boxes XYXY pixels, class indices, confidences and, if any, masks (N, H, W) bool.
        category_ids: the category id of each class index.
        limit: results kept at most.

    Returns:
        `image_id`, `category_id`, `bbox` (XYWH pixels), `score` and, with masks, `segmentation` (RLE, counts
        as text).

    Raises:
        BadInput: detections without confidences or classes, or a class index without a category id.
    """
    if len(detections) == 0:
        return []
    if detections.confidence is None or detections.class_id is None:
        raise BadInput(f"image {image_id}: detections need confidences and classes to be scored")
    if int(np.max(detections.class_id)) >= len(category_ids):
        raise BadInput(
            f"image {image_id}: class index {int(np.max(detections.class_id))} has no category id; "
            f"there are {len(category_ids)} categories"
        )
    order = np.argsort(-detections.confidence, kind="stable")[:limit]
    return [_result(image_id, detections, int(index), category_ids) for index in order]


def _result(
    image_id: Any, detections: "sv.Detections", index: int, category_ids: Sequence[Any]
) -> dict[str, Any]:
    assert detections.confidence is not None and detections.class_id is not None
    x1, y1, x2, y2 = (float(value) for value in detections.xyxy[index])
    result = {
        "image_id": image_id,
        "category_id": category_ids[int(detections.class_id[index])],
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "score": float(detections.confidence[index]),
    }
    if detections.mask is not None:
        result["segmentation"] = _encode(np.asarray(detections.mask[index]))
    return result


def _encode(mask: np.ndarray) -> dict[str, Any]:
    from pycocotools import mask as coco_mask

    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def predict_results(
    predict: Callable[[np.ndarray], "sv.Detections"],
    images: Iterable[tuple[Any, np.ndarray]],
    category_ids: Sequence[Any],
) -> list[dict[str, Any]]:
    """Run `predict` over (image id, HWC uint8 RGB) pairs and collect COCO results."""
    return [
        result
        for image_id, image in images
        for result in to_coco_results(image_id, predict(image), category_ids)
    ]
