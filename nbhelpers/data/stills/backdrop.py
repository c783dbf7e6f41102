"""Floor and wall behind the objects: textures in perspective, any brightness, never a strong colour."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from nbhelpers.data.stills.world import StillWorld

Rng = np.random.Generator


def clouds(rng: Rng, size: int, cells: int) -> np.ndarray:
    """A smooth random field (size, size) float32 of mean 0 and deviation near 0.7."""
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def _stroke(phase: np.ndarray, width: float) -> np.ndarray:
    """1 on the lines at whole numbers of `phase`, soft at their edges."""
    distance = np.abs(phase - np.round(phase))
    return np.clip(1.5 - distance / width, 0, 1)


def plain(rng: Rng, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A cloudy surface."""
    return 1 + np.float32(rng.uniform(0.01, 0.08)) * clouds(rng, len(u), 7)


def tiles(rng: Rng, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A square grid of joints."""
    step = np.float32(rng.uniform(1.5, 4))
    joints = np.maximum(_stroke(u * step, 0.05), _stroke(v * step, 0.05))
    return 1 + np.float32(rng.uniform(-0.35, 0.2)) * joints


def planks(rng: Rng, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Boards running away from the camera, each a shade of its own."""
    across = u * np.float32(rng.uniform(3, 8))
    shades = rng.normal(1, 0.08, 64).astype(np.float32)
    return shades[np.floor(across).astype(int) % 64] - 0.18 * _stroke(across, 0.05)


def gravel(rng: Rng, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Speckles of two sizes."""
    coarse = clouds(rng, len(u), 20)
    return 1 + np.float32(rng.uniform(0.04, 0.14)) * (coarse + 0.6 * clouds(rng, len(u), 40))


def brick(rng: Rng, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Running bond with lighter or darker joints."""
    rows = v * np.float32(rng.uniform(5, 11))
    columns = u * np.float32(rng.uniform(3, 5)) + 0.5 * (np.floor(rows) % 2)
    joints = np.maximum(_stroke(rows, 0.07), _stroke(columns, 0.05))
    return 1 + np.float32(rng.uniform(-0.25, 0.3)) * joints


def panels(rng: Rng, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Upright corrugated sheet."""
    return 1 + np.float32(0.09) * np.sin(u * np.float32(rng.uniform(20, 55)))


def checker(rng: Rng, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Two shades in squares."""
    step = np.float32(rng.uniform(2, 5))
    return np.float32(0.8) + np.float32(0.35) * ((np.floor(u * step) + np.floor(v * step)) % 2)


def stripes(rng: Rng, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Bold slanted stripes."""
    lean, step = np.float32(rng.uniform(-1, 1)), np.float32(rng.uniform(3, 7))
    return np.float32(0.8) + np.float32(0.35) * (np.floor((u + lean * v) * step) % 2)


TEXTURES: Mapping[str, Callable[[Rng, np.ndarray, np.ndarray], np.ndarray]] = {
    "plain": plain, "tiles": tiles, "planks": planks, "gravel": gravel,
    "brick": brick, "panels": panels, "checker": checker, "stripes": stripes,
}  # fmt: skip


def _surface(rng: Rng, world: StillWorld) -> np.ndarray:
    """A pale colour (3,) float32."""
    hue, tint = rng.uniform(0, 2 * np.pi), rng.uniform(0, world.tint)
    brightness = rng.uniform(*world.backdrop)
    phases = hue + np.array([0, 2 * np.pi / 3, 4 * np.pi / 3])
    return (brightness * (1 - tint / 2 + tint / 2 * np.cos(phases))).astype(np.float32)


def draw_backdrop(
    rng: Rng, world: StillWorld, size: int, roll: float, tilt: float
) -> tuple[np.ndarray, float]:
    """A picture of floor and wall (size, size, 3) float32, and the height of the wall's foot.

    The height is a share of the side. The steeper the camera looks down, the higher the horizon; the foot
    may lie outside the picture.
    """
    foot = float(0.75 - 1.15 * tilt + rng.uniform(-0.2, 0.2))
    line = (np.arange(size, dtype=np.float32) + 0.5) / size
    slope = np.float32(np.tan(np.radians(roll)))
    x, y = line[None, :] - 0.5, line[:, None]
    depth = y + slope * x - np.float32(foot)
    wall_u, wall_v = np.broadcast_to(x + 2, (size, size)), depth + 4
    near = 1 / np.maximum(depth + np.float32(0.35 + 0.5 * tilt), np.float32(0.12))
    floor = TEXTURES[str(rng.choice(world.floors))](rng, x * near + 8, near * 2)
    wall = TEXTURES[str(rng.choice(world.walls))](rng, wall_u, wall_v)
    floor_color, wall_color = _surface(rng, world), _surface(rng, world)
    on_floor = np.clip(depth * size * 0.7 + 0.5, 0, 1)[..., None]
    picture = floor[..., None] * floor_color * on_floor + wall[..., None] * wall_color * (1 - on_floor)
    return picture.astype(np.float32), foot
