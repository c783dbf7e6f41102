"""How each kind of object is shaped and shaded, in coordinates of its own.

A kind lies within the unit disc: x to the right, y down, -1..1. It is painted as one channel: 0 is not
painted, 128 is the object's colour in full light, less is darker, more is a highlight. OpenCV paints without
anti-aliasing here; the canvas is larger than the picture and is averaged down afterwards.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

import cv2
import numpy as np

_ANGLES = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_FRACTION_BITS = 4


class Pen:
    """Paints in an object's own coordinates on a canvas (H, W) uint8.

    Args:
        canvas: painted in place.
        matrix: (2, 2), own coordinates to canvas pixels, offset added afterwards.
        offset: (2,) canvas pixels of the object's centre.
        tilt: 0..1, how much of a top face is seen.
        light: -1 when the light comes from the left, 1 from the right.
    """

    def __init__(
        self, canvas: np.ndarray, matrix: np.ndarray, offset: np.ndarray, tilt: float, light: float
    ) -> None:
        self.canvas, self.matrix, self.offset = canvas, matrix, offset
        self.tilt, self.light = tilt, light

    def polygon(self, points: np.ndarray | list[tuple[float, float]], shade: float) -> None:
        """Fill a polygon (N, 2)."""
        pixels = np.asarray(points, np.float64) @ self.matrix.T + self.offset
        fixed = np.round(pixels * (1 << _FRACTION_BITS)).astype(np.int32)
        cv2.fillPoly(self.canvas, [fixed], int(shade), cv2.LINE_8, _FRACTION_BITS)

    def ellipse(self, x: float, y: float, width: float, height: float, shade: float) -> None:
        """Fill an ellipse given by its centre and half axes."""
        self.polygon(_CIRCLE * (width, height) + (x, y), shade)

    def strips(self, top: np.ndarray, bottom: np.ndarray, dark: float = 62, bright: float = 140) -> None:
        """Shade a round body by slices between two rows of points (N + 1, 2), brightest towards the light."""
        count = len(top) - 1
        for index in range(count):
            across = (index + 0.5) / count * 2 - 1
            lit = max(0.0, float(np.cos((across - 0.45 * self.light) * 1.25)))
            corners = np.stack([top[index], top[index + 1], bottom[index + 1], bottom[index]])
            self.polygon(corners, dark + (bright - dark) * lit)


def _row(width: float, y: float, bulge: float, count: int = 8) -> np.ndarray:
    """Points (count + 1, 2) of the front half of a horizontal ellipse at height y."""
    return _half_circle(count) * (width, bulge) + (0.0, y)


@lru_cache(maxsize=8)
def _half_circle(count: int) -> np.ndarray:
    angles = np.linspace(np.pi, 0, count + 1)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def crate(pen: Pen) -> None:
    """A box of three faces with a frame and a diagonal slat."""
    top, side = 0.12 + 0.3 * pen.tilt, 0.26 * pen.light
    left, right = -0.68 - min(side, 0) * 0.5, 0.68 - max(side, 0) * 0.5
    low, high = 0.72, -0.72 + top
    pen.polygon([(left, high), (right, high), (right + side, high - top), (left + side, high - top)], 150)
    near = right if side > 0 else left
    pen.polygon([(near, high), (near + side, high - top), (near + side, low - top), (near, low)], 66)
    pen.polygon([(left, high), (right, high), (right, low), (left, low)], 112)
    edge = 0.13
    inner = [(left + edge, high + edge), (right - edge, high + edge), (right - edge, low - edge)]
    pen.polygon([*inner, (left + edge, low - edge)], 80)
    pen.polygon([(left, high), (left + 0.2, high), (right, low), (right - 0.2, low)], 118)


def ball(pen: Pen) -> None:
    """A sphere with its highlight towards the light."""
    for step, shade in enumerate((58, 78, 98, 116, 130)):
        shrink, shift = 1 - 0.17 * step, 0.075 * step
        radius = 0.84 * shrink
        pen.ellipse(shift * pen.light, -shift, radius, radius, shade)
    pen.ellipse(0.34 * pen.light, -0.36, 0.13, 0.13, 215)


def cone(pen: Pen) -> None:
    """A traffic cone: a foot plate, a tapering body, a dark band."""
    bulge = 0.06 + 0.16 * pen.tilt
    pen.ellipse(0, 0.68, 0.74, bulge + 0.08, 60)
    pen.ellipse(0, 0.6, 0.74, bulge + 0.06, 96)
    foot, tip = _row(0.5, 0.58, bulge), _row(0.09, -0.88, 0.02)
    pen.strips(tip, foot)
    pen.strips(tip + 0.40 * (foot - tip), tip + 0.62 * (foot - tip), 38, 76)


def barrel(pen: Pen) -> None:
    """An upright drum with a lid and two rims."""
    bulge = 0.05 + 0.24 * pen.tilt
    high, low = -0.84 + bulge, 0.86 - bulge
    pen.strips(_row(0.58, high, bulge), _row(0.58, low, bulge))
    for y in (0.33, 0.66):
        line = high + (low - high) * y
        pen.strips(_row(0.6, line - 0.05, bulge), _row(0.6, line + 0.05, bulge), 30, 70)
    pen.ellipse(0, high, 0.58, bulge, 150)
    pen.ellipse(0, high, 0.46, bulge * 0.72, 92)


_SACK = np.array(
    [
        (-0.26, -0.9), (0.0, -0.78), (0.26, -0.9), (0.13, -0.6), (0.36, -0.42), (0.66, 0.0), (0.78, 0.42),
        (0.66, 0.76), (0.3, 0.86), (-0.3, 0.86), (-0.66, 0.76), (-0.78, 0.42), (-0.66, 0.0), (-0.36, -0.42),
        (-0.13, -0.6),
    ]
)  # fmt: skip


def bag(pen: Pen) -> None:
    """A sack, tied below its open end."""
    pen.polygon(_SACK, 76)
    for shrink, shade in ((0.84, 96), (0.62, 116)):
        body = np.array([(0.12 * pen.light * (1 - shrink) * 3, 0.12)]) + (_SACK[4:14] - (0, 0.2)) * shrink
        pen.polygon(body, shade)
    pen.polygon([(-0.2, -0.66), (0.2, -0.66), (0.2, -0.53), (-0.2, -0.53)], 34)
    for x in (-0.3, 0.05, 0.36):
        pen.polygon([(x * 0.4, -0.46), (x + 0.05, 0.3), (x - 0.05, 0.3)], 58)


def wheel(pen: Pen) -> None:
    """A spoked ring: what lies behind is seen between the spokes."""
    squeeze = 1 - 0.3 * pen.tilt
    pen.ellipse(0, 0, 0.86, 0.86 * squeeze, 66)
    pen.ellipse(0.03 * pen.light, -0.03, 0.8, 0.8 * squeeze, 116)
    pen.ellipse(0, 0, 0.56, 0.56 * squeeze, 0)
    for angle in (0.3, 0.3 + np.pi / 3, 0.3 + 2 * np.pi / 3):
        along = np.array([np.cos(angle), np.sin(angle) * squeeze])
        wide = np.array([-along[1], along[0]]) * 0.08
        pen.polygon(
            np.stack([along * 0.6 + wide, along * 0.6 - wide, -along * 0.6 - wide, -along * 0.6 + wide]), 92
        )
    pen.ellipse(0, 0, 0.17, 0.17 * squeeze, 140)


def bucket(pen: Pen) -> None:
    """An open pail, wider above than below."""
    bulge = 0.08 + 0.22 * pen.tilt
    high, low = -0.62 + bulge, 0.84 - bulge
    pen.strips(_row(0.74, high, bulge), _row(0.46, low, bulge * 0.7))
    pen.ellipse(0, high, 0.74, bulge, 148)
    pen.ellipse(0, high, 0.64, bulge * 0.8, 42)


def bottle(pen: Pen) -> None:
    """A slender bottle with shoulders and a cap."""
    bulge = 0.03 + 0.09 * pen.tilt
    pen.strips(_row(0.36, -0.18, bulge), _row(0.36, 0.88 - bulge, bulge))
    pen.strips(_row(0.12, -0.5, bulge * 0.3), _row(0.36, -0.18, bulge))
    pen.strips(_row(0.12, -0.78, bulge * 0.3), _row(0.12, -0.5, bulge * 0.3))
    pen.strips(_row(0.16, -0.92, bulge * 0.3), _row(0.16, -0.76, bulge * 0.3), 34, 60)


KINDS: Mapping[str, Callable[[Pen], None]] = {
    "crate": crate, "ball": ball, "cone": cone, "barrel": barrel,
    "bag": bag, "wheel": wheel, "bucket": bucket, "bottle": bottle,
}  # fmt: skip


def paint(
    kind: str, side_px: int, scale: float, roll: float, centre: np.ndarray, tilt: float, light: float
) -> np.ndarray:
    """One object on its own canvas (side_px, side_px) uint8, 0 where nothing is painted.

    Args:
        kind: a key of `KINDS`.
        side_px: side of the canvas.
        scale: canvas pixels per unit of the object's own coordinates.
        roll: lean in degrees, clockwise.
        centre: (2,) canvas pixels.
        tilt: 0..1, see `Pen`.
        light: -1 or 1, see `Pen`.
    """
    canvas = np.zeros((side_px, side_px), np.uint8)
    angle = np.radians(roll)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    KINDS[kind](Pen(canvas, turn * scale, centre, tilt, light))
    return canvas


@lru_cache(maxsize=1024)
def extent(kind: str, tilt_step: int) -> tuple[float, float, float]:
    """Half width, half height and painted area of a kind in its own units, at tilt `tilt_step` / 10."""
    scale = 100
    canvas = paint(kind, 220, scale, 0.0, np.array([110.0, 110.0]), tilt_step / 10, 1.0) > 0
    columns, rows = np.flatnonzero(canvas.any(axis=0)), np.flatnonzero(canvas.any(axis=1))
    half_width = max(110 - columns[0], columns[-1] - 109) / scale
    half_height = max(110 - rows[0], rows[-1] - 109) / scale
    return half_width, half_height, float(canvas.sum()) / scale**2
