"""Convex parts made of flat polygons, and the order in which parts can be painted over one another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Color = tuple[float, float, float]
Vector = tuple[float, float, float]
# Face of a cuboid -> (corner it starts at, axis and sign along its width, axis and sign along its height).
# Corners are 0 (low) or 1 (high) per axis; width x height points outwards.
_FACES: dict[str, tuple[tuple[int, int, int], tuple[int, int], tuple[int, int]]] = {
    "front": ((1, 0, 0), (0, -1), (1, 1)),
    "back": ((0, 0, 1), (0, 1), (1, 1)),
    "right": ((1, 0, 1), (2, -1), (1, 1)),
    "left": ((0, 0, 0), (2, 1), (1, 1)),
    "top": ((0, 1, 1), (0, 1), (2, -1)),
    "bottom": ((0, 0, 0), (0, 1), (2, 1)),
}


@dataclass
class Part:
    """A convex body: `polygons` (n, 3) metres, counter-clockwise from outside, decals after their face."""

    low: np.ndarray
    high: np.ndarray
    polygons: list[np.ndarray]
    colors: list[Color]

    def decal(self, face: str, rect: tuple[float, float, float, float], color: Color) -> None:
        """Paint a rectangle on a cuboid's face; `rect` is left, bottom, right, top, 0..1 of the face."""
        self.polygons.append(face_rect(self.low, self.high, face, rect))
        self.colors.append(color)


def rgb(value: str) -> Color:
    """'#rrggbb' as floats 0..255."""
    return float(int(value[1:3], 16)), float(int(value[3:5], 16)), float(int(value[5:7], 16))


def tint(color: Color, factor: float) -> Color:
    """A colour made lighter (factor > 1) or darker."""
    return color[0] * factor, color[1] * factor, color[2] * factor


def face_rect(
    low: np.ndarray, high: np.ndarray, face: str, rect: tuple[float, float, float, float]
) -> np.ndarray:
    """Corners (4, 3) of a rectangle on the face of the cuboid from `low` to `high`."""
    corner, (u_axis, u_sign), (v_axis, v_sign) = _FACES[face]
    left, bottom, right, top = rect
    points = np.empty((4, 3))
    points[:] = [(high if end else low)[axis] for axis, end in enumerate(corner)]
    points[:, u_axis] += u_sign * (high[u_axis] - low[u_axis]) * np.array((left, right, right, left))
    points[:, v_axis] += v_sign * (high[v_axis] - low[v_axis]) * np.array((bottom, bottom, top, top))
    return points


_UNIT_FACES = np.stack([face_rect(np.zeros(3), np.ones(3), face, (0, 0, 1, 1)) for face in _FACES])
_IN_PLANE = np.ptp(_UNIT_FACES, axis=1)  # (6, 3): 1 along the two axes of each face, 0 across


def cuboid(low: Vector, high: Vector, color: Color, edge_m: float = 0.0, edge_tint: float = 1.12) -> Part:
    """A cuboid along the axes; with `edge_m` its faces have a border of that width in another tint."""
    start, end = np.array(low, float), np.array(high, float)
    polygons = list(start + _UNIT_FACES * (end - start))
    if not edge_m:
        return Part(start, end, polygons, [color] * 6)
    margin = np.minimum(0.4, edge_m / (end - start)) * _IN_PLANE
    inner = _UNIT_FACES + (0.5 - _UNIT_FACES) * 2 * margin[:, None]
    polygons += list(start + inner * (end - start))
    return Part(start, end, polygons, [tint(color, edge_tint)] * 6 + [color] * 6)


def turned(
    rings: Sequence[tuple[float, float]],
    colors: Sequence[Color],
    top: Sequence[tuple[float, Color]] = (),
    axis: int = 1,
    centre: Vector = (0.0, 0.0, 0.0),
    segments: int = 32,
) -> Part:
    """A body of revolution.

    Args:
        rings: (position along the axis, radius) from the bottom up, metres.
        colors: one per band between two rings.
        top: discs on the upper end, outermost first, as (radius, colour).
        axis: 0, 1 or 2: the axis of revolution is x, y or z.
        centre: added to every point.
        segments: flat faces around.
    """
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    circle = np.stack([np.cos(angles), np.zeros(segments), np.sin(angles)], axis=1)
    # A cyclic swap of the axes keeps normals outward.
    swap = {1: [0, 1, 2], 2: [2, 0, 1], 0: [1, 2, 0]}[axis]
    levels = [(circle * (r, 0, r) + (0, y, 0))[:, swap] + np.array(centre) for y, r in rings]
    after = np.roll(np.arange(segments), -1)
    polygons: list[np.ndarray] = []
    painted: list[Color] = []
    for lower, upper, color in zip(levels[:-1], levels[1:], colors, strict=True):
        polygons += list(np.stack([lower, upper, upper[after], lower[after]], axis=1))
        painted += [color] * segments
    for radius, color in top:
        disc = circle[::-1] * (radius, 0, radius) + (0, rings[-1][0], 0)
        polygons.append(disc[:, swap] + np.array(centre))
        painted.append(color)
    points = np.concatenate(levels)
    return Part(points.min(axis=0), points.max(axis=0), polygons, painted)


def may_hide(low: np.ndarray, high: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """Which boxes can hide which, seen from `eye`.

    A plane between two boxes tells it: the box on the eye's side cannot be hidden by the other one.

    Args:
        low: (N, K) lower bounds along K axes.
        high: (N, K) upper bounds.
        eye: (K,).

    Returns:
        (N, N) bool; [a, b] is True where a can hide b.
    """
    slack = 1e-6
    above = low[:, None] >= high[None, :] - slack  # a lies above b
    below = high[:, None] <= low[None, :] + slack
    # a above b and the eye not above the gap: b is on the eye's side (or in between, where neither hides).
    blocked = (above & (eye <= low[:, None] + slack)) | (below & (eye >= high[:, None] - slack))
    return np.logical_not(blocked.any(axis=2))


def paint_order(hides: np.ndarray, distance: np.ndarray) -> list[int]:
    """Back-to-front order: a body comes once it can hide nothing that is left; cycles are cut far away."""
    left = list(np.argsort(-distance, kind="stable"))
    order: list[int] = []
    while left:
        index = np.array(left)
        pairs = hides[np.ix_(index, index)].copy()
        # Bodies that could hide each other either way are told apart by distance.
        pairs &= ~pairs.T
        free = np.flatnonzero(~pairs.any(axis=1))
        pick = left[int(free[0])] if len(free) else left[0]
        order.append(int(pick))
        left.remove(pick)
    return order
