"""An image at the size it is trained at, with its objects."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Patch:
    """A mask where it is: `pixels` (h, w) uint8, 0..255 the share covered, at column `x`, row `y`."""

    x: int
    y: int
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Objects:
    """The n objects of a picture.

    Attributes:
        boxes: (n, 4) float32, XYXY, pixels of the picture.
        classes: (n,) int64, class index.
        weights: (n,) float32, 0..1.
        scores: (n, C) float32, 0..1 by class, NaN where no teacher looked; None where the set has none.
        masks: one patch per object, or None where masks are not learnt.
    """

    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    weights: NDArray[np.float32]
    scores: NDArray[np.float32] | None
    masks: tuple[Patch, ...] | None

    def __len__(self) -> int:
        return len(self.classes)

    def take(self, index: NDArray[np.int64]) -> "Objects":
        """Some of them, in this order; an object may come twice."""
        scores = None if self.scores is None else self.scores[index]
        masks = None if self.masks is None else tuple(self.masks[i] for i in index)
        return Objects(self.boxes[index], self.classes[index], self.weights[index], scores, masks)

    @property
    def nbytes(self) -> int:
        """Bytes of the patches, which are nearly all there is."""
        return sum(patch.pixels.nbytes for patch in self.masks or ())


@dataclass(frozen=True)
class Picture:
    """An image and its objects at the size they are trained at.

    Attributes:
        image_id: of the COCO record.
        pixels: (h, w, 3) uint8, RGB.
        matrix: (2, 3) float64: pixels of the image to pixels of the picture, centres at + 0.5; None where
            the picture was bent, and no such matrix is true.
        objects: in pixels of the picture.
        taught: (C,) float32, 0..1: how far the labels tell of each class that it is *not* somewhere; 0 where
            objects of it may be unlabelled. None: they tell it of all classes.
    """

    image_id: int
    pixels: NDArray[np.uint8]
    matrix: Matrix | None
    objects: Objects
    taught: NDArray[np.float32] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.pixels.nbytes + self.objects.nbytes


def patch_of(mask: NDArray[Any]) -> Patch | None:
    """The part of an (h, w) uint8 mask, 0..255, that is not empty; None for an empty one."""
    x, y, width, height = cv2.boundingRect(mask)
    if width == 0 or height == 0:
        return None
    return Patch(x, y, np.ascontiguousarray(mask[y : y + height, x : x + width]))


def compose(outer: Matrix, inner: Matrix) -> Matrix:
    """The (2, 3) matrix of first `inner`, then `outer`."""
    return np.concatenate([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2:] + outer[:, 2:]], 1)


def scaling(x: float, y: float) -> Matrix:
    """The (2, 3) matrix of a change of size about the origin."""
    return np.array([[x, 0.0, 0.0], [0.0, y, 0.0]])


def shifting(x: float, y: float) -> Matrix:
    """The (2, 3) matrix of a shift."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y]])


def move_boxes(matrix: Matrix, boxes: ArrayLike) -> NDArray[np.float64]:
    """The boxes (n, 4) round the moved corners of boxes, XYXY."""
    sides = np.asarray(boxes, np.float64).reshape(-1, 2, 2)
    # A sum of what x and what y add: each corner takes one of two of both, so the ends add up as well.
    from_x = sides[:, :, :1] * matrix[:, 0]  # (n, 2, 2): side, XY of the input
    from_y = sides[:, :, 1:] * matrix[:, 1]
    low = np.minimum(from_x[:, 0], from_x[:, 1]) + np.minimum(from_y[:, 0], from_y[:, 1])
    high = np.maximum(from_x[:, 0], from_x[:, 1]) + np.maximum(from_y[:, 0], from_y[:, 1])
    return np.concatenate([low + matrix[:, 2], high + matrix[:, 2]], 1)
