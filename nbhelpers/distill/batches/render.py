"""Pictures drawn into an input, and their objects brought along."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.letterbox import GRAY
from nbhelpers.distill.batches.layout import Part
from nbhelpers.distill.batches.picture import (
    Matrix,
    Objects,
    Patch,
    Picture,
    compose,
    move_boxes,
    scaling,
)
from nbhelpers.distill.outputs import Placement

MASK_STRIDE = 4  # masks are learnt at a quarter of the input
_LEAST_SIDE_PX = 2.0
_LEAST_SHARE = {True: 0.01, False: 0.1}  # of a box's area that must be seen: with masks, without
_LONGEST = 100.0  # width to height, or height to width
_HALF = 128  # a mask pixel covered by more than half counts as covered


@dataclass(frozen=True)
class Drawn:
    """One input and what is to be found in it.

    Attributes:
        pixels: (S, S, 3) uint8, RGB.
        objects: boxes in pixels of the input; its `masks` are not used.
        masks: (n, S / 4, S / 4) float32, 0..1; None where masks are not learnt.
        placements: of the pictures that are seen.
        taught: (XYXY region, `Picture.taught`) of those whose labels do not tell of all classes.
    """

    pixels: NDArray[np.uint8]
    objects: Objects
    masks: NDArray[np.float32] | None
    placements: list[Placement]
    taught: "list[tuple[tuple[float, float, float, float], NDArray[np.float32]]]" = field(
        default_factory=list
    )


def draw(pictures: Sequence[Picture], parts: Sequence[Part], size: int) -> Drawn:
    """Draw every picture where its part says; what no picture covers is gray."""
    pixels = np.full((size, size, 3), GRAY, np.uint8)
    placements, found, masks, taught = [], [], [], []
    for picture, part in zip(pictures, parts, strict=True):
        if not part.is_seen:
            continue
        _draw_pixels(pixels, picture, part)
        if picture.matrix is not None:
            matrix = compose(part.matrix, picture.matrix)
            placements.append(Placement(picture.image_id, matrix, part.region))
        if picture.taught is not None:
            taught.append((part.region, picture.taught))
        kept = _visible(picture.objects, part)
        found.append(kept)
        if kept.masks is not None:
            masks.append(_masks(kept, part, size))
    objects = _joined(found) if found else pictures[0].objects.take(np.zeros(0, np.int64))
    side = size // MASK_STRIDE
    wanted = pictures[0].objects.masks is not None
    stack = np.concatenate([*masks, np.zeros((0, side, side), np.float32)]) if wanted else None
    return Drawn(pixels, objects, stack, placements, taught)


def _draw_pixels(canvas: NDArray[np.uint8], picture: Picture, part: Part) -> None:
    """Fill the pixels whose centres lie in the region, so that neighbours meet without gap or overlap."""
    x1, y1, x2, y2 = (int(np.ceil(value - 0.5)) for value in part.region)
    if x2 <= x1 or y2 <= y1:
        return
    matrix = between_centres(part.matrix, (0, 0), (x1, y1))
    canvas[y1:y2, x1:x2] = cv2.warpAffine(
        picture.pixels, matrix, (x2 - x1, y2 - y1), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def between_centres(matrix: Matrix, start: tuple[int, int], end: tuple[int, int]) -> Matrix:
    """A matrix as OpenCV takes it: its pixels have their centres at whole numbers.

    Args:
        matrix: between coordinates in which the first pixel's centre lies at 0.5.
        start: XY of the pixel that comes first in the array that is read.
        end: XY of the pixel that comes first in the array that is written.
    """
    at = matrix[:, 0] * (start[0] + 0.5) + matrix[:, 1] * (start[1] + 0.5) + matrix[:, 2]
    centred = matrix.copy()
    centred[0, 2], centred[1, 2] = at[0] - end[0] - 0.5, at[1] - end[1] - 0.5
    return centred


def _visible(objects: Objects, part: Part) -> Objects:
    """The objects of which enough is seen, their boxes moved into the input and cut to what is seen."""
    whole = move_boxes(part.matrix, objects.boxes)
    x1, y1, x2, y2 = part.region
    boxes = np.clip(whole, [x1, y1, x1, y1], [x2, y2, x2, y2])
    if objects.masks is not None:
        is_cut = (np.abs(boxes - whole) > 1).any(1) & (boxes[:, 2:] > boxes[:, :2]).all(1)
        for index in np.flatnonzero(is_cut):
            boxes[index] = _tightened(boxes[index], objects.masks[index], part)
    sides, before = boxes[:, 2:] - boxes[:, :2], whole[:, 2:] - whole[:, :2]
    share = sides.prod(1) / np.maximum(before.prod(1), 1e-9)
    longest = sides.max(1, initial=0) / np.maximum(sides.min(1, initial=np.inf), 1e-9)
    large = (sides > _LEAST_SIDE_PX).all(1) & (longest < _LONGEST)
    keep = np.flatnonzero(large & (share > _LEAST_SHARE[objects.masks is not None]))
    kept = objects.take(keep)
    return Objects(boxes[keep].astype(np.float32), kept.classes, kept.weights, kept.scores, kept.masks)


def _tightened(box: NDArray[np.float64], patch: Patch, part: Part) -> NDArray[np.float64]:
    """The box round what is left of a mask that was cut; without area where nothing is left."""
    inverse = np.asarray(cv2.invertAffineTransform(part.matrix), np.float64)
    x1, y1, x2, y2 = move_boxes(inverse, [box])[0] - [patch.x, patch.y, patch.x, patch.y]
    left, top = max(0, round(x1)), max(0, round(y1))
    inside = patch.pixels[top : max(top, round(y2)), left : max(left, round(x2))]
    rows, columns = np.flatnonzero((inside >= _HALF).any(1)), np.flatnonzero((inside >= _HALF).any(0))
    if len(rows) == 0:
        return np.repeat(box[:2], 2).reshape(2, 2).T.ravel()
    found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)
    found += [patch.x + left, patch.y + top, patch.x + left, patch.y + top]
    moved = move_boxes(part.matrix, [found])[0]
    return np.concatenate([np.maximum(moved[:2], box[:2]), np.minimum(moved[2:], box[2:])])


def _masks(objects: Objects, part: Part, size: int) -> NDArray[np.float32]:
    """The masks (n, S / 4, S / 4) of objects whose boxes are in the input already."""
    side = size // MASK_STRIDE
    stack = np.zeros((len(objects), side, side), np.float32)
    # Drawn at twice the grid's size and averaged: at the picture's own size the exact share.
    fine = compose(scaling(2 / MASK_STRIDE, 2 / MASK_STRIDE), part.matrix)
    seen = [int(np.ceil(value * 2 / MASK_STRIDE - 0.5)) for value in part.region]
    for mask, patch, box in zip(stack, objects.masks or (), objects.boxes, strict=True):
        x1, y1 = np.floor(box[:2] / MASK_STRIDE).astype(int)
        x2, y2 = np.minimum(np.ceil(box[2:] / MASK_STRIDE), side).astype(int)
        mask[y1:y2, x1:x2] = _mask(patch, fine, seen, (int(x1), int(y1), int(x2), int(y2)))
    return stack


def _mask(
    patch: Patch, fine: Matrix, seen: list[int], cells: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """The share of each cell of the mask grid that is covered, in the cells from XY to XY.

    `fine` leads from the picture to half cells, of which those from XY to XY `seen` can be covered.
    """
    x1, y1, x2, y2 = cells
    matrix = between_centres(fine, (patch.x, patch.y), (2 * x1, 2 * y1))
    shape = 2 * (x2 - x1), 2 * (y2 - y1)
    drawn = cv2.warpAffine(patch.pixels, matrix, shape, flags=cv2.INTER_LINEAR)
    left, top, right, bottom = seen
    drawn[: max(0, top - 2 * y1)] = 0
    drawn[max(0, bottom - 2 * y1) :] = 0
    drawn[:, : max(0, left - 2 * x1)] = 0
    drawn[:, max(0, right - 2 * x1) :] = 0
    shares = cv2.resize(drawn, (x2 - x1, y2 - y1), interpolation=cv2.INTER_AREA)
    return np.asarray(shares, np.float32) / np.float32(255)


def _joined(found: Sequence[Objects]) -> Objects:
    scores = [objects.scores for objects in found if objects.scores is not None]
    return Objects(
        np.concatenate([objects.boxes for objects in found]),
        np.concatenate([objects.classes for objects in found]),
        np.concatenate([objects.weights for objects in found]),
        np.concatenate(scores) if scores else None,
        None,
    )
