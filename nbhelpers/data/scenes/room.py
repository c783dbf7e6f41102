"""The empty room, seen by casting a ray through every pixel."""

from dataclasses import dataclass

import cv2
import numpy as np

from nbhelpers.data.scenes.camera import Camera
from nbhelpers.data.scenes.fittings import furnish_wall, paint_lanes
from nbhelpers.data.scenes.mesh import rgb
from nbhelpers.data.scenes.textures import FLOORS, SPAN_M, WALLS, Rng
from nbhelpers.data.scenes.world import World

FLOOR, BACK, SIDE = 0, 1, 2


@dataclass
class Room:
    """The empty room as seen by the camera.

    Attributes:
        color: (H, W, 3) float32, 0..255, before any light falls on it.
        plane: (H, W) uint8: floor 0, back wall 1, side wall 2.
        x: (H, W) float32, metres to the right of the camera.
        z: (H, W) float32, metres away from the camera.
        height: (H, W) float32, metres above the floor.
    """

    color: np.ndarray
    plane: np.ndarray
    x: np.ndarray
    z: np.ndarray
    height: np.ndarray


def look_at_room(rng: Rng, world: World, camera: Camera, wall_m: float) -> Room:
    """Draw floor, back wall and one side wall, which may lie outside the picture."""
    side = max(camera.width, camera.height)
    pixels = 384 if side <= 384 else 512 if side <= 640 else 1024
    floor_kind, floor_color = world.floors[int(rng.integers(len(world.floors)))]
    wall_kind, wall_color = world.walls[int(rng.integers(len(world.walls)))]
    floor = FLOORS[floor_kind](rng, np.array(rgb(floor_color), np.float32), pixels)
    paint_lanes(rng, world, floor)
    wall = WALLS[wall_kind](rng, np.array(rgb(wall_color), np.float32), pixels)
    beside = wall.copy()
    furnish_wall(rng, world, wall, np.array(rgb(wall_color), np.float32))
    return _cast(camera, wall_m, float(rng.choice([-1, 1]) * rng.uniform(3.0, 6.5)), (floor, wall, beside))


def _cast(camera: Camera, wall_m: float, side_m: float, textures: tuple[np.ndarray, ...]) -> Room:
    dx, dy, dz = camera.rays()
    # How near each plane is along the ray (1 / reach): the nearest is seen; behind the eye it is negative.
    near = dy * np.float32(-1 / camera.height_m)
    plane = np.zeros(near.shape, np.uint8)
    for index, nearness in ((BACK, dz * np.float32(1 / wall_m)), (SIDE, dx * np.float32(1 / side_m))):
        plane[nearness > near] = index
        np.maximum(near, nearness, out=near)
    t = 1 / np.maximum(near, np.float32(1e-6))
    x, y, z = dx * t, camera.height_m + dy * t, dz * t
    across = np.where(plane == SIDE, z, x + SPAN_M / 2)
    along = np.where(plane == FLOOR, z, y)
    scale = np.float32(textures[0].shape[0] / SPAN_M)
    rows = textures[0].shape[0] - 1 - along * scale
    color = np.empty((*plane.shape, 3), np.float32)
    columns, mirror = across * scale, cv2.BORDER_REFLECT_101
    for index, texture in enumerate(textures):
        where = plane == index
        if where.any():
            box = _box_of(where)
            seen = cv2.remap(texture, columns[box], rows[box], cv2.INTER_LINEAR, borderMode=mirror)
            np.copyto(color[box], seen, where=where[box][..., None])
    return Room(color, plane, x, z, y)


def _box_of(where: np.ndarray) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
