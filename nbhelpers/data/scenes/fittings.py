"""What is painted on floors and hangs on walls: lanes, bays, doors, windows, signs, pipes."""

import numpy as np

from nbhelpers.data.scenes.mesh import rgb, tint
from nbhelpers.data.scenes.textures import SPAN_M, Rng, clouds
from nbhelpers.data.scenes.world import World


def _rect(texture: np.ndarray, left: float, low: float, right: float, high: float, color: np.ndarray) -> None:
    """Fill a rectangle given in metres, from the texture's middle to the sides and from its foot upwards."""
    scale, pixels = texture.shape[0] / SPAN_M, texture.shape[0]
    columns = slice(max(0, int(pixels / 2 + left * scale)), max(0, int(pixels / 2 + right * scale)))
    rows = slice(max(0, int(pixels - high * scale)), max(0, int(pixels - low * scale)))
    region = texture[rows, columns]
    region[:] = 0.1 * region + 0.9 * color


def furnish_wall(rng: Rng, world: World, wall: np.ndarray, base: np.ndarray) -> None:
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


def paint_lanes(rng: Rng, world: World, floor: np.ndarray) -> None:
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
