"""Floors and walls as flat textures, seen by casting a ray through every pixel of the room."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from nbhelpers.data.scenes.camera import Camera
from nbhelpers.data.scenes.mesh import rgb, tint
from nbhelpers.data.scenes.world import World

Rng = np.random.Generator
SPAN_M = 12.8
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
    floor = _FLOORS[floor_kind](rng, np.array(rgb(floor_color), np.float32), pixels)
    _lanes(rng, world, floor)
    wall = _WALLS[wall_kind](rng, np.array(rgb(wall_color), np.float32), pixels)
    beside = wall.copy()
    _fittings(rng, world, wall, np.array(rgb(wall_color), np.float32))
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


@lru_cache(maxsize=4)
def noise_bank(pixels: int) -> np.ndarray:
    """Four cloudy fields (4, pixels, pixels) float32, mean 0, deviation 1, without seams, always the same."""
    fields = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        field = np.zeros((pixels, pixels), np.float32)
        for octave, weight in ((4, 1.0), (16, 0.7), (64, 0.5), (128, 0.4), (pixels, 0.35)):
            coarse = np.pad(rng.normal(size=(octave, octave)).astype(np.float32), 2, mode="wrap")
            step = pixels // octave
            fine = cv2.resize(coarse, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
            field += weight * fine[2 * step : -2 * step, 2 * step : -2 * step]
        fields.append((field - field.mean()) / field.std())
    return np.stack(fields)


def clouds(rng: Rng, pixels: int) -> np.ndarray:
    """One field of the bank, turned, flipped and shifted at random, (pixels, pixels) float32."""
    field = np.rot90(noise_bank(pixels)[int(rng.integers(4))], int(rng.integers(4)))
    field = field[:, ::-1] if rng.random() < 0.5 else field
    return np.roll(field, (int(rng.integers(pixels)), int(rng.integers(pixels))), axis=(0, 1))


def _plain(rng: Rng, color: np.ndarray, pixels: int, amount: float) -> np.ndarray:
    field = 1 + np.float32(amount) * clouds(rng, pixels)
    return np.multiply(field[..., None], color, dtype=np.float32)


def _lines(texture: np.ndarray, rows: np.ndarray, columns: np.ndarray, factor: float, width: int = 1) -> None:
    for row in rows.astype(int):
        texture[max(row, 0) : row + width] *= factor
    for column in columns.astype(int):
        texture[:, max(column, 0) : column + width] *= factor


def concrete(rng: Rng, color: np.ndarray, pixels: int) -> np.ndarray:
    """Cloudy concrete with saw-cut joints and a few stains."""
    texture = _plain(rng, color, pixels, float(rng.uniform(0.03, 0.07)))
    step = pixels / SPAN_M * rng.uniform(2.4, 3.6)
    joints = np.arange(rng.uniform(0, step), pixels, step)
    _lines(texture, joints, joints, 0.8, max(1, pixels // 512))
    for _ in range(int(rng.integers(0, 5))):
        stain = np.zeros((pixels, pixels), np.float32)
        size = rng.uniform(0.01, 0.05, 2) * pixels
        centre = rng.uniform(0.2, 0.8, 2) * pixels
        shape = (tuple(map(float, centre)), tuple(map(float, size * 2)), float(rng.uniform(0, 180)))
        cv2.ellipse(stain, shape, 1.0, -1)
        texture *= 1 - 0.16 * cv2.GaussianBlur(stain, (0, 0), pixels / 120)[..., None]
    return texture


def epoxy(rng: Rng, color: np.ndarray, pixels: int) -> np.ndarray:
    """A smooth coating."""
    return _plain(rng, color, pixels, float(rng.uniform(0.012, 0.03)))


def tiles(rng: Rng, color: np.ndarray, pixels: int) -> np.ndarray:
    """Square tiles, each a shade of its own, with dark joints."""
    count = int(rng.integers(16, 30))
    shades = cv2.resize(
        rng.normal(1, 0.035, (count, count)).astype(np.float32),
        (pixels, pixels),
        interpolation=cv2.INTER_NEAREST,
    )
    texture = _plain(rng, color, pixels, 0.015) * shades[..., None]
    joints = np.arange(count) * pixels / count
    _lines(texture, joints, joints, float(rng.uniform(0.74, 0.88)), max(1, pixels // 512))
    return texture


def planks(rng: Rng, color: np.ndarray, pixels: int) -> np.ndarray:
    """Long boards away from the camera."""
    count = int(rng.integers(30, 46))
    shades = rng.normal(1, 0.06, (9, count)).astype(np.float32)
    texture = _plain(rng, color, pixels, 0.03)
    texture *= cv2.resize(shades, (pixels, pixels), interpolation=cv2.INTER_NEAREST)[..., None]
    _lines(texture, np.array([]), np.arange(count) * pixels / count, 0.78, max(1, pixels // 512))
    return texture


def plates(rng: Rng, color: np.ndarray, pixels: int) -> np.ndarray:
    """Steel plates with a diamond pattern."""
    texture = _plain(rng, color, pixels, 0.03)
    rows, columns = np.mgrid[:pixels, :pixels] * (512 / pixels)
    bumps = (np.sin((rows + columns) * 0.9) * np.sin((rows - columns) * 0.9) > 0.55).astype(np.float32)
    texture *= 1 + 0.14 * cv2.GaussianBlur(bumps, (0, 0), 0.7)[..., None]
    joints = np.arange(5) * pixels / 5
    _lines(texture, joints, joints, 0.7, max(1, pixels // 512))
    return texture


def plaster(rng: Rng, color: np.ndarray, pixels: int) -> np.ndarray:
    """A painted wall, often darker up to hip height with a line above."""
    texture = _plain(rng, color, pixels, 0.012)
    if rng.random() < 0.6:
        edge = pixels - int(rng.uniform(0.9, 1.5) * pixels / SPAN_M)
        texture[edge:] *= np.array([0.80, 0.84, 0.86], np.float32) * np.float32(rng.uniform(0.84, 1.0))
        texture[edge - 2 : edge] *= 0.82
    return texture


def brick(rng: Rng, color: np.ndarray, pixels: int) -> np.ndarray:
    """Running bond with light mortar."""
    return _masonry(rng, color, pixels, (0.09, 0.27), 0.09)


def blocks(rng: Rng, color: np.ndarray, pixels: int) -> np.ndarray:
    """Concrete blocks in running bond."""
    return _masonry(rng, color, pixels, (0.24, 0.52), 0.03)


def _masonry(
    rng: Rng, color: np.ndarray, pixels: int, unit_m: tuple[float, float], spread: float
) -> np.ndarray:
    units, joint = _bond(pixels, unit_m)
    shades = rng.normal(1, spread, units.max() + 1).astype(np.float32)
    texture = _plain(rng, color, pixels, 0.02) * shades[units][..., None]
    return np.where(joint, texture * np.float32(0.35) + (color * 0.45 + 95) * np.float32(0.62), texture)


@lru_cache(maxsize=8)
def _bond(pixels: int, unit_m: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Running bond: the number of the unit at every pixel (P, P), and where its joints are (P, P, 1) bool."""
    rows, columns = np.mgrid[:pixels, :pixels].astype(np.float32) * np.float32(SPAN_M / pixels)
    course = (rows / unit_m[0]).astype(int)
    place = columns / unit_m[1] + 0.5 * (course % 2)
    joint = ((rows / unit_m[0]) % 1 < 0.14) | (place % 1 < 0.14 * unit_m[0] / unit_m[1])
    return course * (int(place.max()) + 1) + place.astype(int), joint[..., None]


def panels(rng: Rng, color: np.ndarray, pixels: int) -> np.ndarray:
    """Upright corrugated sheet."""
    texture = _plain(rng, color, pixels, 0.012)
    period = rng.uniform(0.24, 0.4) * pixels / SPAN_M
    phase = np.arange(pixels) / period % 1
    profile = 1 + 0.07 * np.clip(np.sin(2 * np.pi * phase) * 2, -1, 1)
    return np.ascontiguousarray(texture * profile[None, :, None], dtype=np.float32)


def _rect(texture: np.ndarray, left: float, low: float, right: float, high: float, color: np.ndarray) -> None:
    """Fill a rectangle given in metres, from the texture's middle to the sides and from its foot upwards."""
    scale, pixels = texture.shape[0] / SPAN_M, texture.shape[0]
    columns = slice(max(0, int(pixels / 2 + left * scale)), max(0, int(pixels / 2 + right * scale)))
    rows = slice(max(0, int(pixels - high * scale)), max(0, int(pixels - low * scale)))
    region = texture[rows, columns]
    region[:] = 0.1 * region + 0.9 * color


def _fittings(rng: Rng, world: World, wall: np.ndarray, base: np.ndarray) -> None:
    """Skirting, a shutter door, windows, a sign, pipes: what a back wall may carry."""
    _rect(wall, -6.4, 0, 6.4, 0.12, base * 0.7)
    at = rng.uniform(-3.2, 3.2)
    if rng.random() < 0.45:
        _shutter(rng, wall, at - 1.3, at + 1.3)
    if rng.random() < 0.5:
        _windows(rng, wall, base * 0.7)
    if rng.random() < 0.4:
        left, low = rng.uniform(-3.5, 2.5), rng.uniform(1.7, 2.3)
        sign = np.array(rgb(world.colors["sign"][int(rng.integers(len(world.colors["sign"])))]), np.float32)
        _rect(wall, left, low, left + 0.8, low + 0.5, sign)
        _rect(wall, left + 0.1, low + 0.2, left + 0.7, low + 0.3, np.array([236, 234, 228], np.float32))
    if rng.random() < 0.4:
        height = rng.uniform(2.3, 3.2)
        _rect(wall, -6.4, height, 6.4, height + 0.1, base * 0.82)
        _rect(wall, -6.4, height + 0.06, 6.4, height + 0.08, base * 1.12)


def _shutter(rng: Rng, wall: np.ndarray, left: float, right: float) -> None:
    base = np.array(tint((176, 182, 184), float(rng.uniform(0.75, 1.1))), np.float32)
    _rect(wall, left - 0.1, 0, right + 0.1, 2.75, base * 0.62)
    for low in np.arange(0, 2.6, 0.16):
        _rect(wall, left, low, right, low + 0.16, base)
        _rect(wall, left, low, right, low + 0.04, base * 0.84)


def _windows(rng: Rng, wall: np.ndarray, frame: np.ndarray) -> None:
    glass = np.array(tint((198, 216, 226), float(rng.uniform(0.85, 1.15))), np.float32)
    for left in np.arange(rng.uniform(-6, -4.5), 6, rng.uniform(1.7, 2.6)):
        _rect(wall, left - 0.06, 2.44, left + 1.26, 3.46, frame)
        for pane in range(2):
            _rect(wall, left + 0.62 * pane, 2.5, left + 0.62 * pane + 0.58, 3.4, glass)


def _lanes(rng: Rng, world: World, floor: np.ndarray) -> None:
    """Painted lanes: one or two lines, sometimes a hatched bay."""
    if rng.random() < 0.45:
        return
    paint = np.array(rgb(world.colors["paint"][int(rng.integers(len(world.colors["paint"])))]), np.float32)
    left = rng.uniform(-2.6, 0.5)
    worn = floor.copy()
    for edge in (left, left + rng.uniform(1.6, 2.6)):
        _rect(worn, edge, 0, edge + 0.1, SPAN_M, paint)
    if rng.random() < 0.5:
        low = rng.uniform(3.5, 6)
        _rect(worn, left, low, left + 1.6, low + 0.1, paint)
    if rng.random() < 0.35:
        _hatched(rng, worn, paint)
    # Tyres wear paint away: less of it where the noise is low.
    keep = np.clip(0.8 + 0.35 * clouds(rng, floor.shape[0]), 0.25, 0.95)[..., None]
    floor[:] = floor + (worn - floor) * keep


def _hatched(rng: Rng, floor: np.ndarray, paint: np.ndarray) -> None:
    pixels, scale = floor.shape[0], floor.shape[0] / SPAN_M
    left, low = pixels / 2 + rng.uniform(-2.5, 1.0) * scale, pixels - rng.uniform(4, 6.5) * scale
    size = rng.uniform(1.0, 1.6) * scale
    rows, columns = np.mgrid[:pixels, :pixels]
    inside = (columns > left) & (columns < left + size * 1.4) & (rows > low) & (rows < low + size)
    floor[inside & ((rows + columns) % (0.4 * scale) < 0.2 * scale)] = paint


Texture = Callable[[Rng, np.ndarray, int], np.ndarray]
_FLOORS: Mapping[str, Texture] = {
    **{"concrete": concrete, "epoxy": epoxy, "tiles": tiles, "planks": planks, "plates": plates}
}
_WALLS: Mapping[str, Texture] = {
    **{"brick": brick, "blocks": blocks, "panels": panels, "plaster": plaster, "tiles": tiles}
}
