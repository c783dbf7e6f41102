"""What a camera does to a picture: exposure, colour temperature, vignette, lens blur, sensor noise."""

import cv2
import numpy as np

from nbhelpers.data.scenes.world import World


def photograph(rng: np.random.Generator, world: World, color: np.ndarray) -> np.ndarray:
    """Turn light (H, W, 3) float32 into a picture (H, W, 3) uint8."""
    height, width = color.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.14)
    gain = 1 + slope * (np.cos(angle) * x + np.sin(angle) * y)
    gain *= 1 - rng.uniform(*world.vignette) * (x**2 + y**2) / 2
    picture = color * (gain * rng.uniform(*world.exposure)).astype(np.float32)[..., None]
    picture = _soft_clip(picture * _white(rng.uniform(*world.warmth)))
    # A lens of its own size: larger pictures are blurred by more pixels, but by less of the picture.
    sigma = rng.uniform(*world.blur_px) * np.sqrt(max(height, width) / 160)
    if sigma > 0.15:
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    level = rng.uniform(*world.noise)
    noise = rng.standard_normal((height, width, 3), dtype=np.float32)
    # Luminance noise is stronger than colour noise in a developed picture.
    noise = 0.45 * noise + 0.85 * noise.mean(axis=2, keepdims=True) * np.sqrt(3)
    return np.clip(np.round(picture + level * noise), 0, 255).astype(np.uint8)


def _white(warmth: float) -> np.ndarray:
    """Channel factors for a colour temperature from -1 (cold) to 1 (warm)."""
    return np.array([1 + 0.07 * warmth, 1 + 0.005 * warmth, 1 - 0.09 * warmth], np.float32)


def _soft_clip(picture: np.ndarray, knee: float = 205.0) -> np.ndarray:
    """Compress highlights above the knee instead of cutting them."""
    over = np.maximum(picture - knee, 0)
    return np.minimum(picture, knee) + (255 - knee) * (1 - np.exp(-over / (255 - knee)))
