"""Colours changed at random: hue, saturation and value, with the gains ultralytics trains with."""

import cv2
import numpy as np
from numpy.typing import NDArray

_GAINS = np.array([0.015, 0.7, 0.4])  # hue (of the circle), saturation, value


def jitter(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Turn the hue, and multiply saturation and value, of (H, W, 3) uint8 RGB pixels."""
    hue, saturation, value = rng.uniform(-1, 1, 3) * _GAINS
    levels = np.arange(256, dtype=np.float64)
    tables = [
        ((levels + hue * 180) % 180).astype(np.uint8),
        np.clip(levels * (1 + saturation), 0, 255).astype(np.uint8),
        np.clip(levels * (1 + value), 0, 255).astype(np.uint8),
    ]
    table = np.stack(tables, 1)[None]  # (1, 256, 3): one column per channel
    changed = cv2.LUT(cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV), table)
    return np.asarray(cv2.cvtColor(changed, cv2.COLOR_HSV2RGB), np.uint8)
