"""Boxes and points as prompts: checked, moved a little, drawn inside masks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.errors import BadInput


def checked_boxes(boxes: Any, size: tuple[int, int], where: str) -> NDArray[np.float32]:
    """Boxes cut to their picture.

    Args:
        boxes: (K, 4) XYXY pixels of the picture; K may be 0.
        size: (height, width) of the picture.
        where: what they belong to, for the message.

    Returns:
        (K, 4) float32, within the picture.

    Raises:
        BadInput: not of this shape, not finite, or nothing of a box lies in the picture.
    """
    found = np.asarray(boxes, np.float32)
    found = found.reshape(0, 4) if found.size == 0 else found
    if found.ndim != 2 or found.shape[1] != 4:
        raise BadInput(f"{where}: boxes have shape {found.shape}; give (K, 4) as x1, y1, x2, y2")
    height, width = size
    cut = np.clip(found, 0, np.array([width, height, width, height], np.float32))
    bad = ~np.isfinite(found).all(axis=1) | (cut[:, 2:] <= cut[:, :2]).any(axis=1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise BadInput(
            f"{where}: box {row} {[round(float(v), 1) for v in found[row]]} has no area inside the picture "
            f"of {width} x {height} pixels; give x1, y1, x2, y2 in pixels"
        )
    return cut


def jittered_boxes(
    rng: np.random.Generator, boxes: NDArray[np.float32], size: tuple[int, int], share: float
) -> NDArray[np.float32]:
    """Move each edge by up to `share` of the side (normal, cut at two sigma) plus up to a pixel.

    Args:
        rng: what is drawn from.
        boxes: (..., 4) XYXY pixels.
        size: (height, width) of the picture; edges stay within.
        share: of the side, 0 to 0.5.
    """
    sides = np.tile(boxes[..., 2:] - boxes[..., :2], 2)
    noise = np.clip(rng.standard_normal(boxes.shape), -2, 2).astype(np.float32)
    moved = boxes + noise * (0.5 * share * sides + 0.5)
    limits = np.array([size[1], size[0], size[1], size[0]], np.float32)
    return np.clip(moved, 0, limits).astype(np.float32)


def points_inside(rng: np.random.Generator, mask: NDArray[np.bool_], count: int) -> NDArray[np.float32]:
    """Random pixels of a mask (H, W): (count, 2) float32 x, y; repeated where the mask has fewer."""
    places = np.flatnonzero(mask)
    chosen = rng.choice(places, count, replace=len(places) < count)
    return np.stack([chosen % mask.shape[1], chosen // mask.shape[1]], axis=-1).astype(np.float32)
