"""Where pictures go in an input: alone, or four of them as a mosaic; scaled, shifted, flipped.

Mosaics are those of YOLOv4 (Bochkovskiy et al. 2020, arXiv:2004.10934) with the ranges ultralytics trains
YOLOv8 with: centre within the middle half, scale 0.5..1.5, shift 0.1, flip 0.5.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nbhelpers.distill.batches.picture import Matrix, compose, move_boxes, scaling, shifting

SCALE, SHIFT, FLIP = 0.5, 0.1, 0.5


@dataclass(frozen=True)
class Part:
    """One picture's place in an input.

    Attributes:
        matrix: (2, 3) float64: pixels of the picture to pixels of the input.
        region: XYXY pixels of the input where the picture is seen; empty where it is not.
    """

    matrix: Matrix
    region: tuple[float, float, float, float]

    @property
    def is_seen(self) -> bool:
        """Whether any of the picture is."""
        x1, y1, x2, y2 = self.region
        return x2 > x1 and y2 > y1


def plain(shape: tuple[int, int], size: int) -> Part:
    """A picture of (height, width) in the middle of the input, as `data.letterbox` places it."""
    height, width = shape
    ratio = size / max(height, width)
    left, top = round((size - width * ratio) / 2 - 0.1), round((size - height * ratio) / 2 - 0.1)
    matrix = compose(shifting(left, top), scaling(ratio, ratio))
    return Part(matrix, _clipped(move_boxes(matrix, [[0, 0, width, height]])[0], (0, 0, size, size)))


def varied(shapes: Sequence[tuple[int, int]], size: int, rng: np.random.Generator) -> list[Part]:
    """One picture, or four as a mosaic, drawn at random.

    Args:
        shapes: (height, width) of each picture.
        size: of the input, pixels.
        rng: what is drawn from.
    """
    if len(shapes) == 1:
        before, canvas = [plain(shapes[0], size)], size
    else:
        before, canvas = _mosaic(shapes, size, rng), 2 * size
    view = _view(canvas, size, rng)
    return [_seen_through(part, view, size) for part in before]


def _mosaic(shapes: Sequence[tuple[int, int]], size: int, rng: np.random.Generator) -> list[Part]:
    """Four pictures round a centre, on a canvas of twice the size, cut at its edge."""
    cx, cy = (int(value) for value in rng.uniform(size / 2, 3 * size / 2, 2))
    parts = []
    for (height, width), right, below in zip(shapes, (0, 1, 0, 1), (0, 0, 1, 1), strict=True):
        ratio = size / max(height, width)
        inner_w, inner_h = width * ratio, height * ratio
        left, top = cx - (0 if right else inner_w), cy - (0 if below else inner_h)
        matrix = compose(shifting(left, top), scaling(ratio, ratio))
        box = left, top, left + inner_w, top + inner_h
        parts.append(Part(matrix, _clipped(box, (0, 0, 2 * size, 2 * size))))
    return parts


def _view(canvas: int, size: int, rng: np.random.Generator) -> Matrix:
    """Pixels of the canvas to those of the input: about the middle, scaled and shifted, perhaps flipped."""
    scale = rng.uniform(1 - SCALE, 1 + SCALE)
    x, y = rng.uniform(0.5 - SHIFT, 0.5 + SHIFT, 2) * size
    view = compose(shifting(x, y), compose(scaling(scale, scale), shifting(-canvas / 2, -canvas / 2)))
    if rng.random() < FLIP:
        view = compose(np.array([[-1.0, 0.0, size], [0.0, 1.0, 0.0]]), view)
    return view


def _seen_through(part: Part, view: Matrix, size: int) -> Part:
    region = move_boxes(view, [part.region])[0]
    return Part(compose(view, part.matrix), _clipped(region, (0, 0, size, size)))


def _clipped(
    box: Sequence[float] | np.ndarray, limits: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    x1, y1 = max(float(box[0]), limits[0]), max(float(box[1]), limits[1])
    x2, y2 = min(float(box[2]), limits[2]), min(float(box[3]), limits[3])
    return x1, y1, max(x1, x2), max(y1, y2)
