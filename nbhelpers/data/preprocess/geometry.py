"""Where a picture lies in a model's input, and the way of boxes, points and masks there and back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.letterbox import Letterbox


@dataclass(frozen=True)
class Geometry:
    """One picture in one input. A pixel's centre lies at + 0.5 in both, so edges go to edges.

    Attributes:
        width, height: of the picture, pixels.
        inner_width, inner_height: what it was resized to, pixels of the input.
        left, top: where it begins in the input, pixels.
        input_width, input_height: of the input with its padding, pixels.
    """

    width: int
    height: int
    inner_width: int
    inner_height: int
    left: int
    top: int
    input_width: int
    input_height: int

    @property
    def scale(self) -> tuple[float, float]:
        """Input pixels per picture pixel along x and y; they differ because sides are whole pixels."""
        return self.inner_width / self.width, self.inner_height / self.height

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(2, 3): picture coordinates (x, y, 1) to those of the input."""
        (x, y), shift = self.scale, (self.left, self.top)
        return np.array([[x, 0, shift[0]], [0, y, shift[1]]], np.float64)

    @property
    def region(self) -> tuple[slice, slice]:
        """Rows and columns of the input where the picture is seen."""
        rows = slice(self.top, self.top + self.inner_height)
        return rows, slice(self.left, self.left + self.inner_width)

    def to_input(self, xy: NDArray[Any]) -> NDArray[np.float32]:
        """Points (..., 2) x, y or boxes (..., 4) XYXY, picture pixels to input pixels."""
        scale, shift = self._terms(xy.shape[-1])
        return np.asarray(xy.astype(np.float64) * scale + shift, np.float32)

    def to_image(self, xy: NDArray[Any], *, clip: bool = True) -> NDArray[np.float32]:
        """Points or boxes in input pixels to picture pixels; `clip` keeps them inside the picture."""
        scale, shift = self._terms(xy.shape[-1])
        back = (xy.astype(np.float64) - shift) / scale
        limits = np.tile([self.width, self.height], xy.shape[-1] // 2)
        return np.asarray(np.clip(back, 0, limits) if clip else back, np.float32)

    def masks_to_input(self, masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Masks (n, H, W) of the picture to (n, input_height, input_width); padding is background."""
        rows = _nearest(self.height, self.inner_height)
        columns = _nearest(self.width, self.inner_width)
        placed = np.zeros((len(masks), self.input_height, self.input_width), bool)
        placed[(slice(None), *self.region)] = masks[:, rows[:, None], columns]
        return placed

    def masks_to_image(self, masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Masks (n, input_height, input_width) to (n, H, W) of the picture."""
        inner = masks[(slice(None), *self.region)]
        rows = _nearest(self.inner_height, self.height)
        return np.asarray(inner[:, rows[:, None], _nearest(self.inner_width, self.width)])

    def _terms(self, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Factor and shift for each of 2 or 4 columns."""
        pairs = columns // 2
        return np.tile(self.scale, pairs), np.tile([float(self.left), float(self.top)], pairs)


def _nearest(source: int, wanted: int) -> NDArray[np.int64]:
    """For each of `wanted` pixels the one of `source` that its centre falls into."""
    return np.minimum(((np.arange(wanted) + 0.5) * source / wanted).astype(np.int64), source - 1)


def from_letterbox(placed: Letterbox) -> Geometry:
    """The same as a `Geometry`."""
    inner = (placed.inner_width, placed.inner_height, placed.left, placed.top)
    return Geometry(placed.width, placed.height, *inner, placed.size, placed.size)
