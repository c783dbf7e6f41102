"""True masks at a resolution between the decoder's and the input's, in the frame of the model's input."""

import numpy as np
from numpy.typing import NDArray

from nbhelpers.teach.sam.placement import Placed


def coverage(mask: NDArray[np.bool_], place: Placed, side: int) -> NDArray[np.float32]:
    """How much of each place an object covers.

    The way is that of the picture itself: scaled, padded, then averaged over each place, so that an answer of
    these shares gives the mask back when the processor enlarges and cuts it.

    Args:
        mask: (H, W) bool of the picture.
        place: where the picture lies in the model's input.
        side: places in a row; divides that of the input.

    Returns:
        (side, side) float32, 0 to 1.
    """
    import cv2

    height, width = place.resized
    shrinks = height * width < mask.size
    scaled = cv2.resize(
        np.ascontiguousarray(mask).view(np.uint8).astype(np.float32),
        (width, height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    return _averaged(np.asarray(scaled, np.float32), place, side)


def inside(place: Placed, side: int) -> NDArray[np.float32]:
    """How much of each place lies in the picture: (side, side) float32, 0 to 1."""
    return _averaged(np.ones(place.resized, np.float32), place, side)


def _averaged(values: NDArray[np.float32], place: Placed, side: int) -> NDArray[np.float32]:
    """Values (h, w) of the picture's part of the input, padded and averaged down to (side, side)."""
    below, right = place.side - values.shape[0], place.side - values.shape[1]
    whole = np.pad(values, ((0, below), (0, right)))
    factor = place.side // side
    return whole.reshape(side, factor, side, factor).mean(axis=(1, 3), dtype=np.float32)
