"""A pinhole camera in a room: x to the right, y up, z away from the camera; metres; the floor is y = 0."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

NEAR_M = 0.3


@dataclass(frozen=True)
class Camera:
    """Pinhole camera at (0, height, 0).

    Attributes:
        height_m: above the floor.
        yaw: turn to the right, radians.
        pitch: downwards, radians.
        focal_px: focal length in pixels of a `width` x `height` picture.
    """

    height_m: float
    yaw: float
    pitch: float
    focal_px: float
    width: int
    height: int

    @cached_property
    def position(self) -> np.ndarray:
        """Where the camera stands, (3,)."""
        return np.array([0.0, self.height_m, 0.0])

    @cached_property
    def axes(self) -> np.ndarray:
        """Unit vectors right, up, forward as rows, (3, 3)."""
        s, c, sp, cp = np.sin(self.yaw), np.cos(self.yaw), np.sin(self.pitch), np.cos(self.pitch)
        return np.array([[c, 0.0, -s], [s * sp, cp, c * sp], [s * cp, -sp, c * cp]])

    def resized(self, share: float) -> "Camera":
        """The same view with a picture of `share` times the width and height."""
        width, height = round(self.width * share), round(self.height * share)
        return replace(self, focal_px=self.focal_px * share, width=width, height=height)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels (N, 2) of points (N, 3); what lies nearer than 0.3 m is pushed out to there."""
        seen = (points - self.position) @ self.axes.T
        depth = np.maximum(seen[:, 2:], NEAR_M)
        centre = np.array([self.width / 2, self.height / 2])
        return centre + self.focal_px * seen[:, :2] / depth * np.array([1.0, -1.0])

    def depth(self, points: np.ndarray) -> np.ndarray:
        """Distance of points (N, 3) along the viewing direction, (N,) metres."""
        return (points - self.position) @ self.axes[2]

    def rays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Components x, y, z of the ray through each pixel centre, (H, W) float32 each, of any length."""
        u = (np.arange(self.width, dtype=np.float32) + 0.5 - self.width / 2) / self.focal_px
        v = (np.arange(self.height, dtype=np.float32) + 0.5 - self.height / 2) / self.focal_px
        right, up, forward = self.axes.astype(np.float32)
        rows, columns = (v * -up[:, None])[:, :, None], (u * right[:, None] + forward[:, None])[:, None, :]
        return rows[0] + columns[0], rows[1] + columns[1], rows[2] + columns[2]
