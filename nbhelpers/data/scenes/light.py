"""Light of a scene: one main direction, pools of lamp light, soft shadows and dark contact lines."""

from dataclasses import dataclass

import cv2
import numpy as np

from nbhelpers.data.scenes.camera import Camera
from nbhelpers.data.scenes.layout import Thing
from nbhelpers.data.scenes.room import FLOOR, Room

Rng = np.random.Generator


@dataclass(frozen=True)
class Light:
    """Where light comes from.

    Attributes:
        to_light: unit vector towards the main light, (3,).
        contrast: 1 is plain; higher makes lit and unlit faces differ more.
        softness: blur of shadow edges, as a share of the picture's side.
        lamps: (n, 4) rows of x, z, radius in metres, and gain.
    """

    to_light: np.ndarray
    contrast: float
    softness: float
    lamps: np.ndarray

    def shade(self, normals: np.ndarray) -> np.ndarray:
        """Factor on the colour of faces with unit `normals` (N, 3); about 0.45 to 1.15."""
        facing = np.clip(normals @ self.to_light, 0, 1)
        sky = 0.5 + 0.5 * normals[:, 1]
        return 0.86 + self.contrast * (0.42 * facing + 0.2 * sky - 0.36)

    def pools(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Factor 1.. of the lamps' light at places of the room."""
        gain = np.ones(np.shape(x), np.float32)
        for lx, lz, radius, strength in self.lamps.astype(np.float32):
            gain += strength * np.exp(-((x - lx) ** 2 + (z - lz) ** 2) / (2 * radius**2))
        return gain


def sample_light(rng: Rng, contrast: float) -> Light:
    """A light from above and mostly from the camera's side, with none to three lamps."""
    azimuth, elevation = rng.uniform(-1.25, 1.25), np.deg2rad(rng.uniform(42, 72))
    level = np.cos(elevation)
    to_light = np.array([level * np.sin(azimuth), np.sin(elevation), -level * np.cos(azimuth)])
    count = int(rng.integers(0, 4))
    lamps = np.column_stack(
        [
            rng.uniform(-3.5, 3.5, count),
            rng.uniform(2.5, 8, count),
            rng.uniform(0.9, 2.2, count),
            rng.uniform(0.08, 0.34, count),
        ]
    )
    return Light(to_light, contrast, float(rng.uniform(0.003, 0.016)), lamps)


def shadows(things: list[Thing], camera: Camera, light: Light, room: Room, wall_m: float) -> np.ndarray:
    """Factor (H, W) float32 in 0..1 that shadows leave of the light on floor and walls."""
    onto_floor, onto_wall, contact = (np.zeros(room.plane.shape, np.uint8) for _ in range(3))
    for thing in things:
        corners = thing.part_corners
        _fill(onto_floor, camera, corners - light.to_light * (corners[..., 1:2] / light.to_light[1]))
        _fill(
            onto_wall, camera, corners - light.to_light * ((corners[..., 2:3] - wall_m) / light.to_light[2])
        )
        low, high = thing.shape.part_low, thing.shape.part_high
        near = (low[:, 1] < 0.13) & (thing.y == 0)
        _fill(contact, camera, thing.cuboids(low[near] - 0.03, high[near] + 0.03) * (1, 0, 1))
    side = max(room.plane.shape)
    both = np.where(room.plane == FLOOR, onto_floor, onto_wall)
    soft = cv2.GaussianBlur(both, (0, 0), light.softness * side).astype(np.float32)
    close = cv2.GaussianBlur(contact, (0, 0), 0.008 * side).astype(np.float32) * (room.plane == FLOOR)
    depth = np.float32(0.36 * light.contrast / 255)
    return (1 - depth * soft) * (1 - np.float32(0.4 / 255) * close)


def _fill(mask: np.ndarray, camera: Camera, bodies: np.ndarray) -> None:
    """Fill the outline of every body (N, 8, 3)."""
    pixels = camera.project(bodies.reshape(-1, 3)).reshape(-1, 8, 2)
    # Under grazing light a shadow runs out of the room; the picture's own range is all that matters.
    for outline in pixels[np.abs(pixels).max(axis=(1, 2)) < 1e5]:
        hull = cv2.convexHull(outline.astype(np.float32))
        cv2.fillConvexPoly(mask, np.round(hull * 16).astype(np.int32), 255, cv2.LINE_8, 4)
