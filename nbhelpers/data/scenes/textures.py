"""Floors and walls as flat textures (P, P, 3) float32, 0..255, of 12.8 m x 12.8 m."""

from collections.abc import Callable, Mapping
from functools import lru_cache

import cv2
import numpy as np

Rng = np.random.Generator
SPAN_M = 12.8
FLOOR, BACK, SIDE = 0, 1, 2


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


Texture = Callable[[Rng, np.ndarray, int], np.ndarray]
FLOORS: Mapping[str, Texture] = {
    **{"concrete": concrete, "epoxy": epoxy, "tiles": tiles, "planks": planks, "plates": plates}
}
WALLS: Mapping[str, Texture] = {
    **{"brick": brick, "blocks": blocks, "panels": panels, "plaster": plaster, "tiles": tiles}
}
