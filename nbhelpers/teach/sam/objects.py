"""The objects of a COCO set that SAM can learn from: those with a mask."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.masks import Rle, box_from_mask, mask_area, to_mask, to_rle
from nbhelpers.errors import BadInput
from nbhelpers.teach.sam.prompts import checked_boxes

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet


@dataclass(frozen=True)
class Picture:
    """One image and its objects.

    Attributes:
        image_id: in the set.
        size: (height, width), pixels.
        boxes: (K, 4) float32 XYXY pixels, within the image.
        rles: the K masks, compressed.
        classes: (K,) contiguous class indices.
    """

    image_id: int
    size: tuple[int, int]
    boxes: NDArray[np.float32]
    rles: tuple[Rle, ...]
    classes: NDArray[np.int64]

    def mask(self, row: int) -> NDArray[np.bool_]:
        """Mask (H, W) bool of one object."""
        return to_mask(self.rles[row], *self.size)


def pictures_of(coco: "CocoSet", say: Callable[[str], None] = print) -> list[Picture]:
    """The images that hold at least one object with a mask; regions marked as crowds count for nothing.

    Args:
        coco: the set.
        say: told how many objects have a box alone, where some have.

    Raises:
        BadInput: no object has a mask; or a mask is empty or malformed, or a box lies outside its image.
    """
    found, without, first = [], 0, None
    for image in coco.images:
        entries = [entry for entry in coco.annotations_of(image["id"]) if not entry.get("iscrowd")]
        outlined = [entry for entry in entries if entry.get("segmentation")]
        without += len(entries) - len(outlined)
        first = first or next((entry for entry in entries if not entry.get("segmentation")), None)
        if outlined:
            found.append(_picture(coco, image, outlined))
    if not found:
        what = f"annotation {first['id']} has a box and no segmentation" if first else "has no annotations"
        raise BadInput(
            f"{coco.path}: {what}; SAM learns from masks, so tune the detector alone on this set, or give "
            f"one with masks"
        )
    if without:
        say(f"{coco.path.name}: {without} objects have no mask and are left out")
    return found


def _picture(coco: "CocoSet", image: dict[str, Any], entries: list[dict[str, Any]]) -> Picture:
    size = (int(image["height"]), int(image["width"]))
    rles = tuple(_rle(coco, entry, size) for entry in entries)
    boxes = [_box(coco, entry, rle, size) for entry, rle in zip(entries, rles, strict=True)]
    classes = [coco.class_index[entry["category_id"]] for entry in entries]
    return Picture(image["id"], size, np.concatenate(boxes), rles, np.array(classes, np.int64))


def _rle(coco: "CocoSet", entry: dict[str, Any], size: tuple[int, int]) -> Rle:
    try:
        rle = to_rle(entry["segmentation"], *size)
    except BadInput as error:
        raise BadInput(f"{coco.path}: annotation {entry['id']}: {error}") from None
    if not mask_area(rle):
        raise BadInput(
            f"{coco.path}: annotation {entry['id']}: its mask is empty; run validate-dataset, which repairs "
            f"or drops it"
        )
    return rle


def _box(coco: "CocoSet", entry: dict[str, Any], rle: Rle, size: tuple[int, int]) -> NDArray[np.float32]:
    """The annotation's own box (1, 4) XYXY; where it has none, the tight one."""
    x, y, width, height = entry.get("bbox") or box_from_mask(rle)
    where = f"{coco.path}: annotation {entry['id']}"
    return checked_boxes([[x, y, x + width, y + height]], size, where)
