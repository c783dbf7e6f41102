"""Intersection over union of boxes and of masks."""

from typing import Any

import numpy as np

from nbhelpers.errors import BadInput


def box_iou(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """IoU of every box of one list with every box of another: (N, M) float64, 0..1.

    Both are (N, 4) and (M, 4), XYXY pixels. Boxes without area overlap nothing.
    """
    import torch
    from torchvision.ops import box_iou as pairwise

    first, second = (np.asarray(boxes, np.float64).reshape(-1, 4) for boxes in (boxes_a, boxes_b))
    return np.nan_to_num(pairwise(torch.from_numpy(first), torch.from_numpy(second)).numpy())


def mask_iou(masks_a: Any, masks_b: Any) -> np.ndarray:
    """IoU of every mask of `masks_a` with every mask of `masks_b`: (N, M) float64, 0..1.

    Args:
        masks_a: (N, H, W) bool, or a list of N compressed RLE.
        masks_b: the same for M.

    Raises:
        BadInput: the two are of different image sizes.
    """
    from pycocotools import mask as coco_mask

    first, second = _rles(masks_a), _rles(masks_b)
    sizes = {tuple(rle["size"]) for rle in first + second}
    if len(sizes) > 1:
        raise BadInput(f"masks of different image sizes cannot be compared: {sorted(sizes)} (height, width)")
    if not first or not second:
        return np.zeros((len(first), len(second)))
    return np.asarray(coco_mask.iou(first, second, [0] * len(second)), np.float64)


def _rles(masks: Any) -> list[dict[str, Any]]:
    from pycocotools import mask as coco_mask

    if not isinstance(masks, np.ndarray):
        return list(masks)
    stack = masks[None] if masks.ndim == 2 else masks
    return [coco_mask.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in stack]
