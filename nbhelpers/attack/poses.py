"""Where a patch lies in each picture: place, size, turn and tilt, drawn from a seed within what is legal."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nbhelpers.attack.pictures import Mask
from nbhelpers.errors import BadInput

Range = tuple[float, float]
Rng = np.random.Generator
# Corners of a patch in units of its half side, clockwise from the upper left.
_CORNERS = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])


@dataclass(frozen=True)
class PoseRanges:
    """What is drawn for every placed patch; equal ends switch a change off.

    Attributes:
        scale: factor on the patch's side.
        rotation_deg: clockwise.
        perspective: how far each corner may move, as a share of the side; 0 keeps the patch flat.
        place: None for anywhere that is legal, or a fixed centre (x, y) as shares of the free width and
            height: (0, 0) is as far up and left as the patch fits.
    """

    scale: Range = (1.0, 1.0)
    rotation_deg: Range = (0.0, 0.0)
    perspective: float = 0.0
    place: tuple[float, float] | None = None

    def at(self, **changes: object) -> "PoseRanges":
        """The same with some values changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


def side_of(share: float, count: int, covered: float, side_px: int) -> float:
    """Side in pixels of each of `count` patches that together cover `share` of a picture.

    Args:
        share: of the picture's area, 0..1.
        count: patches in the picture.
        covered: share of the patch's square that its mask covers.
        side_px: side of the picture.
    """
    return math.sqrt(share / count / covered) * side_px


def draw_corners(
    rng: Rng, side: float, ranges: PoseRanges, count: int, picture_px: int, legal: Mask | None = None
) -> np.ndarray:
    """Corners of `count` patches in one picture, none outside it, within `legal` where that is given.

    Patches of one picture may touch; they are kept apart by drawing again a few times.

    Args:
        rng: everything is drawn from it.
        side: of a patch at scale 1, pixels.
        ranges: see `PoseRanges`.
        count: patches.
        picture_px: side of the picture.
        legal: (picture_px, picture_px) bool.

    Returns:
        (count, 4, 2) float64, x and y in pixels, clockwise from the patch's own upper left.

    Raises:
        BadInput: nowhere in the picture is room.
    """
    placed: list[np.ndarray] = []
    for _ in range(count):
        drawn = [_draw(rng, side, ranges, picture_px, legal) for _ in range(1 if not placed else 12)]
        free = [one for one in drawn if all(_apart(one, other) for other in placed)]
        placed.append((free or drawn)[0])
    return np.stack(placed)


def _apart(one: np.ndarray, other: np.ndarray) -> bool:
    low, high = np.maximum(one.min(0), other.min(0)), np.minimum(one.max(0), other.max(0))
    return bool(np.any(low >= high))


def _draw(rng: Rng, side: float, ranges: PoseRanges, picture_px: int, legal: Mask | None) -> np.ndarray:
    scale = rng.uniform(*ranges.scale)
    angle = math.radians(rng.uniform(*ranges.rotation_deg))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = _CORNERS + rng.uniform(-2, 2, (4, 2)) * ranges.perspective
    corners = moved @ turn.T * side * scale / 2
    low, high = -corners.min(0), picture_px - corners.max(0)
    if np.any(high < low):
        raise BadInput(
            f"a patch of {side * scale:.0f} px turned by {math.degrees(angle):.0f} degrees does not fit into "
            f"a picture of {picture_px} px; make its share or its scale smaller"
        )
    return np.asarray(corners + _centre(rng, low, high, corners, ranges, legal))


def _centre(
    rng: Rng, low: np.ndarray, high: np.ndarray, corners: np.ndarray, ranges: PoseRanges, legal: Mask | None
) -> np.ndarray:
    if ranges.place is not None:
        return np.asarray(low + np.array(ranges.place) * (high - low))
    share = rng.random(2)
    if legal is None:
        return np.asarray(low + share * (high - low))
    return _legal_centre(share, low, high, np.ptp(corners, axis=0), legal)


def _legal_centre(
    share: np.ndarray, low: np.ndarray, high: np.ndarray, extent: np.ndarray, legal: Mask
) -> np.ndarray:
    """One of the whole-pixel centres whose whole bounding box is legal; `share` says which."""
    sums = np.pad(np.cumsum(np.cumsum(~legal, axis=0), axis=1), ((1, 0), (1, 0)))
    height, width = legal.shape
    wide, high_px = (min(n, m) for n, m in zip(np.ceil(extent).astype(int), (width, height), strict=True))
    blocked = (
        sums[high_px:, wide:] - sums[:-high_px, wide:] - sums[high_px:, :-wide] + sums[:-high_px, :-wide]
    )
    rows, columns = np.nonzero(blocked == 0)
    if not len(rows):
        raise BadInput(
            f"there is no legal place for a patch of {wide}x{high_px} px in this picture; "
            "make the patch smaller or the mask wider"
        )
    index = min(int(share[0] * len(rows)), len(rows) - 1)
    centre = np.array([columns[index] + wide / 2, rows[index] + high_px / 2])
    return np.clip(centre, low, high)


def corners_of(
    seeds: Sequence[tuple[int, ...]],
    side: float,
    ranges: PoseRanges,
    count: int,
    picture_px: int,
    legal: Sequence[Mask | None],
) -> np.ndarray:
    """Corners for a batch, (N, count, 4, 2): picture k is drawn from `seeds[k]` alone."""
    return np.stack(
        [
            draw_corners(np.random.default_rng(seed), side, ranges, count, picture_px, mask)
            for seed, mask in zip(seeds, legal, strict=True)
        ]
    )
