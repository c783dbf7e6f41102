"""Instance masks from prototypes and coefficients, computed at image resolution and only inside each box."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nbhelpers.distill.postprocess import Letterbox


@dataclass(frozen=True)
class Patch:
    """The part of one mask that can be true: `pixels` (h, w) bool at column `x`, row `y` of the image."""

    x: int
    y: int
    pixels: np.ndarray


def mask_stack(
    prototypes: np.ndarray, coefficients: np.ndarray, boxes_xyxy: np.ndarray, placed: "Letterbox"
) -> np.ndarray:
    """All masks of one image as (N, H, W) bool; see `mask_patches` for the arguments."""
    masks = np.zeros((len(boxes_xyxy), placed.height, placed.width), bool)
    for mask, patch in zip(masks, mask_patches(prototypes, coefficients, boxes_xyxy, placed), strict=True):
        height, width = patch.pixels.shape
        mask[patch.y : patch.y + height, patch.x : patch.x + width] = patch.pixels
    return masks


def mask_patches(
    prototypes: np.ndarray, coefficients: np.ndarray, boxes_xyxy: np.ndarray, placed: "Letterbox"
) -> Iterator[Patch]:
    """The masks one by one, so that hundreds of them on a large photograph need no memory of N x H x W.

    Args:
        prototypes: (M, h, w) float32, covering the whole letterboxed input.
        coefficients: (N, M) float32.
        boxes_xyxy: (N, 4) in image pixels; a mask ends at its box (Bolya et al. 2019, YOLACT).
        placed: the letterbox of this image.
    """
    if len(coefficients) == 0:
        return
    channels, height, width = prototypes.shape
    logits = (coefficients @ prototypes.reshape(channels, -1)).reshape(-1, height, width)
    columns = _samples(placed.width, placed.scale[0], placed.left, width / placed.size, width)
    rows = _samples(placed.height, placed.scale[1], placed.top, height / placed.size, height)
    for logit, (x1, y1, x2, y2) in zip(logits, boxes_xyxy, strict=True):
        left, right = int(np.ceil(x1)), max(int(np.ceil(x2)), int(np.ceil(x1)))
        top, bottom = int(np.ceil(y1)), max(int(np.ceil(y2)), int(np.ceil(y1)))
        yield Patch(left, top, _bilinear(logit, rows[:, top:bottom], columns[:, left:right]) > 0)


def _samples(count: int, scale: float, offset: int, per_input_px: float, limit: int) -> np.ndarray:
    """Where the centres of `count` image pixels fall on the prototype grid, clipped to it: (1, count)."""
    centres = ((np.arange(count) + 0.5) * scale + offset) * per_input_px - 0.5
    return np.clip(centres, 0, limit - 1)[None]


def _bilinear(grid: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Sample (h, w) at the crossings of `rows` and `columns`, linearly along each axis."""
    y, x = rows[0], columns[0]
    y0, x0 = y.astype(int), x.astype(int)
    y1, x1 = np.minimum(y0 + 1, grid.shape[0] - 1), np.minimum(x0 + 1, grid.shape[1] - 1)
    weight_y, weight_x = (y - y0)[:, None], (x - x0)[None]
    lines = grid[y0] * (1 - weight_y) + grid[y1] * weight_y
    return np.asarray(lines[:, x0] * (1 - weight_x) + lines[:, x1] * weight_x)
