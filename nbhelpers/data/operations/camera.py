"""A pinhole camera over the packing table, and a list of shapes that it turns into pixels at once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

Point = tuple[float, float, float]
Color = tuple[int, int, int]

_DISTANCE_M = 3.4
_SHIFT = 4  # fractional bits of the coordinates handed to OpenCV


@dataclass(frozen=True)
class Camera:
    """Where the scene is seen from.

    World axes in metres: x to the viewer's right, y away from the viewer, z up; the table's front edge runs
    through the origin.

    Attributes:
        yaw_deg: round the vertical axis.
        pitch_deg: looking down.
        width_m: width seen at the point looked at.
        target: the point looked at, the picture's centre.
        roll_deg: tilt of the picture.
    """

    yaw_deg: float
    pitch_deg: float
    width_m: float
    target: Point
    roll_deg: float = 0.0

    @cached_property
    def axes(self) -> np.ndarray:
        """Rows: right, down and forward of the picture in world axes, (3, 3) float64."""
        yaw, pitch, roll = np.radians([self.yaw_deg, self.pitch_deg, self.roll_deg])
        right = np.array([np.cos(yaw), np.sin(yaw), 0.0])
        forward = np.array([-np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), -np.sin(pitch)])
        down = np.cross(forward, right)
        turned = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
        return np.vstack([turned @ np.stack([right, down]), forward])

    @cached_property
    def position(self) -> np.ndarray:
        """Where the camera stands, (3,) metres."""
        return np.array(self.target) - _DISTANCE_M * self.axes[2]

    def project(self, points: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Pixels of world points.

        Args:
            points: (N, 3) metres.
            side: of the square picture in pixels.

        Returns:
            (N, 2) x and y in pixels, and (N,) pixels per metre at each point.
        """
        seen = (points - np.array(self.target)) @ self.axes.T
        scale = side / self.width_m * _DISTANCE_M / (_DISTANCE_M + seen[:, 2])
        return seen[:, :2] * scale[:, None] + side / 2, scale


class Sketch:
    """Shapes in world coordinates, in painting order; projected together, because that is what is fast."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._shapes: list[tuple[str, int, int, Color, float]] = []

    def polygon(self, points: list[Point], color: Color) -> None:
        """Add a convex polygon."""
        self._add("polygon", points, color, 0.0)

    def disc(self, center: Point, radius_m: float, color: Color) -> None:
        """Add a disc that faces the camera."""
        self._add("disc", [center], color, radius_m)

    def limb(self, points: list[Point], width_m: float, color: Color) -> None:
        """Add a line with round ends."""
        self._add("limb", points, color, width_m)

    def _add(self, kind: str, points: list[Point], color: Color, size: float) -> None:
        self._shapes.append((kind, len(self._points), len(self._points) + len(points), color, size))
        self._points += points

    def paint(self, canvas: np.ndarray, camera: Camera) -> None:
        """Paint all shapes, in order, into `canvas` (side, side, 3) uint8."""
        import cv2

        if not self._shapes:
            return
        pixels, scale = camera.project(np.array(self._points), canvas.shape[0])
        fixed = np.round(pixels * (1 << _SHIFT)).astype(np.int32)
        for kind, start, stop, color, size in self._shapes:
            if kind == "polygon":
                cv2.fillConvexPoly(canvas, fixed[start:stop], color, cv2.LINE_8, _SHIFT)
            elif kind == "disc":
                radius = round(size * scale[start] * (1 << _SHIFT))
                cv2.circle(canvas, fixed[start].tolist(), radius, color, -1, cv2.LINE_8, _SHIFT)
            else:
                width = max(1, round(size * scale[start]))
                for first in range(start, stop - 1):
                    cv2.line(
                        canvas, fixed[first].tolist(), fixed[first + 1].tolist(), color, width,
                        cv2.LINE_8, _SHIFT,
                    )  # fmt: skip
