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
CORNERS = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
_TRIES = 12


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
    rng: Rng,
    side: float,
    ranges: PoseRanges,
    count: int,
    picture_px: int,
    legal: Mask | None = None,
    outline: np.ndarray | None = None,
) -> np.ndarray:
    """Corners of `count` patches in one picture, none outside it, within `legal` where that is given.

    Patches of one picture may touch; they are kept apart by drawing again a few times. Where a turn or tilt
    has no legal place another is drawn, a few times too.

    Args:
        rng: everything is drawn from it.
        side: of a patch at scale 1, pixels.
        ranges: see `PoseRanges`.
        count: patches.
        picture_px: side of the picture.
        legal: (picture_px, picture_px) bool.
        outline: (P, P), the patch's mask; only what it covers has to be legal. None: the whole square.

    Returns:
        (count, 4, 2) float64, x and y in pixels, clockwise from the patch's own upper left.

    Raises:
        BadInput: nowhere in the picture is room.
    """
    placed: list[np.ndarray] = []
    for _ in range(count):
        drawn = [
            _draw(rng, side, ranges, picture_px, legal, outline) for _ in range(1 if not placed else _TRIES)
        ]
        free = [one for one in drawn if all(_apart(one, other) for other in placed)]
        placed.append((free or drawn)[0])
    return np.stack(placed)


def _apart(one: np.ndarray, other: np.ndarray) -> bool:
    low, high = np.maximum(one.min(0), other.min(0)), np.minimum(one.max(0), other.max(0))
    return bool(np.any(low >= high))


def _draw(
    rng: Rng, side: float, ranges: PoseRanges, picture_px: int, legal: Mask | None, outline: np.ndarray | None
) -> np.ndarray:
    for _ in range(_TRIES):
        corners = _posed(rng, side, ranges)
        low, high = -corners.min(0), picture_px - corners.max(0)
        if np.any(high < low):
            taken = np.ptp(corners, axis=0).max()
            raise BadInput(
                f"a patch of {side:.0f} px, scaled and turned, takes {taken:.0f} px and does not fit into a "
                f"picture of {picture_px} px; make its share or its scale smaller"
            )
        if ranges.place is not None:
            return np.asarray(corners + low + np.array(ranges.place) * (high - low))
        share = rng.random(2)
        if legal is None:
            return np.asarray(corners + low + share * (high - low))
        centres = legal_centres(corners, legal, outline)
        if len(centres):
            return np.asarray(corners + centres[min(int(share[0] * len(centres)), len(centres) - 1)])
    raise BadInput(
        f"there is no legal place for a patch of {side:.0f} px in this picture; make the patch smaller or "
        "the mask wider, or leave such pictures out (`with_room`)"
    )


def _posed(rng: Rng, side: float, ranges: PoseRanges) -> np.ndarray:
    """Corners (4, 2) of one patch about its middle."""
    scale, turn = rng.uniform(*ranges.scale), rng.uniform(*ranges.rotation_deg)
    moved = CORNERS + rng.uniform(-2, 2, (4, 2)) * ranges.perspective
    return turned(moved, turn) * side * scale / 2


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """Points (N, 2) turned clockwise about the origin."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.asarray(points @ turn.T)


def legal_centres(corners: np.ndarray, legal: Mask, outline: np.ndarray | None = None) -> np.ndarray:
    """Where the middle of a patch may lie, a whole pixel apart, so that all it covers is legal.

    Args:
        corners: (4, 2), of the patch about its middle, pixels.
        legal: (S, S) bool.
        outline: see `draw_corners`.

    Returns:
        (K, 2) float64, x and y in pixels; the corners stay within the picture.
    """
    import cv2

    origin = np.floor(corners.min(0))
    wide, high = (np.ceil(corners.max(0)) - origin).astype(int)
    height, width = legal.shape
    if wide > width or high > height:
        return np.empty((0, 2))
    blocked = np.pad((~legal).astype(np.float32), ((0, high), (0, wide)))
    covered = _footprint(corners - origin, int(wide), int(high), outline).astype(np.float32)
    # Correlation with what the patch covers: how many blocked pixels lie below it, from its upper left on.
    hits = cv2.filter2D(blocked, -1, covered, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    rows, columns = np.nonzero(hits[: height - high + 1, : width - wide + 1] < 0.5)
    return np.stack([columns, rows], axis=1) - origin


def _footprint(corners: np.ndarray, wide: int, high: int, outline: np.ndarray | None) -> Mask:
    """Pixels (high, wide) that a patch with these corners touches."""
    import cv2

    outline = np.ones((8, 8)) if outline is None else outline
    side = len(outline)
    # In OpenCV's coordinates a pixel's middle is a whole number. A frame of nothing ends the outline; looked
    # at four times as finely, no pixel that is touched is missed.
    ends = np.array([(0, 0), (side, 0), (side, side), (0, side)], np.float32) + 0.5
    fine = (corners * 4 - 0.5).astype(np.float32)
    framed = np.pad((outline > 0).astype(np.float32), 1)
    warp = cv2.getPerspectiveTransform(ends, fine)
    seen = cv2.warpPerspective(framed, warp, (4 * wide, 4 * high), flags=cv2.INTER_LINEAR) > 0.25
    return np.asarray(seen.reshape(high, 4, wide, 4).any(axis=(1, 3)))


def corners_of(
    seeds: Sequence[tuple[int, ...]],
    side: float,
    ranges: PoseRanges,
    count: int,
    picture_px: int,
    legal: Sequence[Mask | None],
    outline: np.ndarray,
) -> np.ndarray:
    """Corners for a batch, (N, count, 4, 2): picture k is drawn from `seeds[k]` alone."""
    return np.stack(
        [
            draw_corners(np.random.default_rng(seed), side, ranges, count, picture_px, mask, outline)
            for seed, mask in zip(seeds, legal, strict=True)
        ]
    )
