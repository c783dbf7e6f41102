"""COCO annotations from a map of object ids."""

from typing import Any

import numpy as np

from nbhelpers.data.masks import box_from_mask, mask_area, mask_to_polygons, mask_to_rle, to_mask


def segmentation_of(mask: np.ndarray) -> list[list[float]] | dict[str, Any]:
    """Polygons where they decode to exactly this mask, else a compressed RLE.

    Polygons in COCO cannot say holes, and touching corners may merge; both cases end as RLE, so what
    pycocotools decodes is the mask itself, always.

    Args:
        mask: (H, W) bool with at least one pixel.
    """
    polygons = mask_to_polygons(mask)
    same = bool(polygons) and np.array_equal(to_mask(polygons, *mask.shape), mask)
    return polygons if same else mask_to_rle(mask)


def annotations_of(ids: np.ndarray, category_ids: list[int]) -> list[dict[str, Any]]:
    """One annotation per object, without `id` and `image_id`.

    Args:
        ids: (H, W) uint8; object k has id k + 1.
        category_ids: of each object.

    Returns:
        Dictionaries of `category_id`, `segmentation`, `bbox` XYWH pixels, `area` in pixels, `iscrowd` 0.
    """
    found = []
    for index, category in enumerate(category_ids, start=1):
        mask = ids == index
        record = {"category_id": category, "segmentation": segmentation_of(mask)}
        found.append(record | {"bbox": box_from_mask(mask), "area": mask_area(mask), "iscrowd": 0})
    return found
