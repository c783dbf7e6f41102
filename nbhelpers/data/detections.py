"""COCO annotations as `supervision.Detections`, the form engines answer in."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.masks import box_from_mask, to_mask

if TYPE_CHECKING:
    import supervision as sv

    from nbhelpers.data.coco import CocoSet


def to_detections(coco: "CocoSet", image_id: int, *, crowds: bool = True) -> "sv.Detections":
    """The annotations of one image.

    Args:
        coco: the set.
        image_id: which image.
        crowds: whether regions marked `iscrowd` are included.

    Returns:
        `xyxy` (N, 4) float32 pixels of the image in the annotations' frame; `mask` (N, H, W) bool, None when
        no annotation has one (an annotation without one among others has an empty mask); `class_id` (N,)
        the contiguous index; `data` with `class_name`, `annotation_id` and `iscrowd`.

    Raises:
        BadInput: there is no such image, or a mask is malformed.
    """
    import supervision as sv

    record = coco.image_record(image_id)
    entries = [entry for entry in coco.annotations_of(image_id) if crowds or not entry.get("iscrowd")]
    masks = _masks(entries, record)
    class_ids = np.array([coco.class_index[entry["category_id"]] for entry in entries], dtype=int)
    return sv.Detections(
        xyxy=_boxes(entries, masks),
        mask=masks,
        class_id=class_ids,
        data={
            "class_name": np.array([coco.class_names[index] for index in class_ids], dtype=str),
            "annotation_id": np.array([entry["id"] for entry in entries], dtype=np.int64),
            "iscrowd": np.array([bool(entry.get("iscrowd")) for entry in entries], dtype=bool),
        },
    )


def _masks(entries: list[dict[str, Any]], record: dict[str, Any]) -> NDArray[np.bool_] | None:
    if not any(entry.get("segmentation") for entry in entries):
        return None
    height, width = record["height"], record["width"]
    masks = np.zeros((len(entries), height, width), dtype=bool)
    for index, entry in enumerate(entries):
        if entry.get("segmentation"):
            masks[index] = to_mask(entry["segmentation"], height, width)
    return masks


def _boxes(entries: list[dict[str, Any]], masks: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """XYXY boxes (N, 4); where an annotation has only a mask, the tight one."""
    boxes = np.zeros((len(entries), 4), dtype=np.float32)
    for index, entry in enumerate(entries):
        box = entry.get("bbox")
        if not box and masks is not None:
            box = box_from_mask(masks[index])
        boxes[index] = box or 0.0
    boxes[:, 2:] += boxes[:, :2]
    return boxes
