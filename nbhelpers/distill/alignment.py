"""Teachers' feature maps brought onto a student's grid: the one place where the sizes of the two meet.

A teacher saw the whole image at its own size, perhaps padded; the student's input shows the image scaled,
shifted, flipped, or as one part of a mosaic. Coordinates go from places of the student's grid to pixels of
its input, by `Placement.matrix` backwards to pixels of the image, and on to places of the teacher's map.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample

from nbhelpers.distill.outputs import Placement

_EPS = 1e-6
_FINEST = 16  # samples per side of a place, at most: an image seen at a sixteenth is a smudge
_SHARES = 4  # samples per side, at least, from which the share that is seen is counted


@dataclass(frozen=True)
class TeacherMap:
    """A teacher's features of one image.

    Attributes:
        values: (C, h, w) float16 or float32.
        placed: XYXY of the image in the map, in shares of the map's width and height.
        image_size: (width, height) of the image, pixels.
    """

    values: Tensor
    placed: tuple[float, float, float, float]
    image_size: tuple[int, int]


def warp_teacher_map(
    teacher: TeacherMap, placement: Placement, size: int, grid: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """The teacher's map as it lies over a student's input.

    Between the teacher's places it is interpolated linearly. Where a place of the grid covers several of
    them, it is sampled as often and averaged, so that shrinking does not alias.

    Args:
        teacher: the map of the placed image.
        placement: of the image in the input.
        size: side S of the square input, pixels.
        grid: (rows, columns) that the input is divided into.

    Returns:
        The map (C, rows, columns) float32, 0 where nothing is seen, and `valid` (1, rows, columns) float32:
        the share of each place over which the image is seen.
    """
    affine = _affine(teacher, placement, size, grid)
    fine = min(_FINEST, max(1, math.ceil(np.linalg.norm(affine[:, :2], axis=0).max() - _EPS)))
    share = _share(placement, teacher.image_size, size, grid, max(fine, _SHARES))
    if not share.any():
        return torch.zeros(len(teacher.values), *grid), torch.zeros(1, *grid)
    places = _centres(grid, fine)  # (R, K, 2) XY in places of the grid
    values = _sample(teacher, places @ affine[:, :2].T + affine[:, 2])
    seen = _seen(places, placement, teacher.image_size, size, grid)[None, None]
    known = avg_pool2d(seen, fine)
    mean = avg_pool2d(values * seen, fine) / known.clamp(min=_EPS)
    return mean[0], torch.where(known[0] > 0, share, 0.0)


def map_of_input(
    parts: Sequence[tuple[TeacherMap, Placement]], channels: int, size: int, grid: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """The teacher's maps of all images of one input, such as a mosaic, put together.

    Returns:
        As `warp_teacher_map`; a place that two images share has the mean of both, by their shares.
    """
    total, weight = torch.zeros(channels, *grid), torch.zeros(1, *grid)
    for teacher, placement in parts:
        values, valid = warp_teacher_map(teacher, placement, size, grid)
        total += values * valid
        weight += valid
    return total / weight.clamp(min=_EPS), weight.clamp(max=1)


def _affine(
    teacher: TeacherMap, placement: Placement, size: int, grid: tuple[int, int]
) -> NDArray[np.float64]:
    """(2, 3): places of the grid to places of the teacher's map; the first place has its centre at 0.5."""
    rows, columns = grid
    to_input = np.array([[size / columns, 0, 0], [0, size / rows, 0], [0, 0, 1.0]])
    to_image = np.linalg.inv(np.vstack([placement.matrix, [0, 0, 1]]))
    left, top, right, bottom = teacher.placed
    height, width = teacher.values.shape[1:]
    scale_x = (right - left) * width / teacher.image_size[0]
    scale_y = (bottom - top) * height / teacher.image_size[1]
    to_map = np.array([[scale_x, 0, left * width], [0, scale_y, top * height], [0, 0, 1.0]])
    return np.asarray((to_map @ to_image @ to_input)[:2], np.float64)


def _centres(grid: tuple[int, int], fine: int) -> NDArray[np.float64]:
    """(rows * fine, columns * fine, 2): XY of the samples, in places of the grid."""
    y, x = ((np.arange(count * fine) + 0.5) / fine for count in grid)
    return np.stack(np.meshgrid(x, y), -1)


def _share(
    placement: Placement, image_size: tuple[int, int], size: int, grid: tuple[int, int], fine: int
) -> Tensor:
    """(1, rows, columns): the share of each place over which the image is seen."""
    seen = _seen(_centres(grid, fine), placement, image_size, size, grid)
    return avg_pool2d(seen[None], fine)


def _seen(
    places: NDArray[np.float64],
    placement: Placement,
    image_size: tuple[int, int],
    size: int,
    grid: tuple[int, int],
) -> Tensor:
    """1 for each XY of the grid that shows the image: in the region, and from inside the image."""
    inputs = places * np.array([size / grid[1], size / grid[0]])
    left, top, right, bottom = placement.region
    x, y = inputs[..., 0], inputs[..., 1]
    shown = (x >= left) & (x < right) & (y >= top) & (y < bottom)
    image = (inputs - placement.matrix[:, 2]) @ np.linalg.inv(placement.matrix[:, :2]).T
    inside = ((image >= 0) & (image < np.array(image_size))).all(-1)
    return torch.from_numpy(shown & inside).float()


def _sample(teacher: TeacherMap, at: NDArray[np.float64]) -> Tensor:
    """(1, C, R, K): the map at XY places; at its border, nothing of the padding is mixed in."""
    height, width = teacher.values.shape[1:]
    left, top, right, bottom = teacher.placed
    least = np.array([left * width + 0.5, top * height + 0.5])
    most = np.maximum(least, np.array([right * width - 0.5, bottom * height - 0.5]))
    shares = np.clip(at, least, most) / np.array([width, height])
    points = torch.from_numpy((shares * 2 - 1).astype(np.float32))[None]
    return grid_sample(
        teacher.values.float()[None], points, mode="bilinear", padding_mode="border", align_corners=False
    )
