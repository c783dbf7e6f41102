"""Where objects are in a picture and what lies behind them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
COARSE_PX = 32  # longer side of the coarse picture that background colours are spread on


@dataclass(frozen=True)
class Region:
    """One object: the rectangle of pixels it lies in, and which of them are its own.

    Attributes:
        row: of the boxes it belongs to.
        rows, columns: slices of the image.
        inside: (h, w) bool, of that rectangle; all of it where the object has no mask.
    """

    row: int
    rows: slice
    columns: slice
    inside: NDArray[np.bool_]

    @property
    def window(self) -> tuple[slice, slice]:
        """For indexing an image (H, W, ...)."""
        return self.rows, self.columns


def regions_of(data: Mapping[str, Any]) -> list[Region]:
    """The objects amid a pipeline of albumentations.

    Args:
        data: `image` (H, W, 3); `bboxes` (n, 6): XYXY as shares of the image, the object's place among the
            masks, its number in the original; `masks` (m, H, W), if there are any.
    """
    height, width = data["image"].shape[:2]
    found = []
    for row, box in enumerate(np.asarray(data.get("bboxes", ())).reshape(-1, 6)):
        left, top = np.floor(box[:2] * (width, height) + 1e-4).astype(int)
        right, bottom = np.ceil(box[2:4] * (width, height) - 1e-4).astype(int)
        rows = slice(max(top, 0), min(max(bottom, top + 1), height))
        columns = slice(max(left, 0), min(max(right, left + 1), width))
        mask = mask_of(data, int(box[4]))
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        inside = np.ones(shape, bool) if mask is None else mask[rows, columns] > 0
        if inside.any():
            found.append(Region(row, rows, columns, inside))
    return found


def mask_of(data: Mapping[str, Any], place: int) -> NDArray[Any] | None:
    """The mask (H, W) of the object at this place; None where it has none."""
    masks = data.get("masks")
    if masks is None or not np.any(masks[place]):
        return None
    mask: NDArray[Any] = masks[place]
    return mask


def union(regions: list[Region], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(H, W) bool: pixels of any object."""
    taken = np.zeros(shape[:2], bool)
    for region in regions:
        taken[region.window] |= region.inside
    return taken


def behind(image: Pixels, taken: NDArray[np.bool_]) -> NDArray[np.float32]:
    """What may lie behind the objects: colours of the background, spread smoothly across their places.

    Args:
        image: (H, W, 3) uint8.
        taken: (H, W) bool, pixels of objects.

    Returns:
        (H, W, 3) float32, 0..255; the mean colour of the image where nothing of the background is seen.
    """
    import cv2

    height, width = taken.shape
    scale = min(1.0, COARSE_PX / max(height, width))
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    seen = (~taken).astype(np.float32)
    weight = cv2.resize(seen, size, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(image * seen[..., None], size, interpolation=cv2.INTER_AREA).astype(np.float32)
    total, filled = np.full(weight.shape, 1e-6, np.float32), image.mean(axis=(0, 1)) * np.float32(1e-6)
    # Near colours count most; wider blurs reach where the narrow ones found nothing.
    for sigma, share in ((0.7, 1.0), (2.0, 0.05), (8.0, 0.002)):
        total = total + share * cv2.GaussianBlur(weight, (0, 0), sigma)
        filled = filled + share * cv2.GaussianBlur(colour, (0, 0), sigma)
    coarse = (filled / total[..., None]).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def to_pixels(values: NDArray[Any]) -> Pixels:
    """Round and clip to uint8."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
