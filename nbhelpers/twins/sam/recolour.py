"""Objects in colours they never have: what is outlined must not hang on the paint of one site."""

import numpy as np

_SHARE = 0.75  # of the pictures; the others stay as they were drawn
_OBJECT_SHARE = 0.7  # of a recoloured picture's objects and backgrounds
_GAIN_SD = 0.4  # of the logarithm, one gain per colour
_SHIFT = 0.25  # of 0..1, to either side
_DARKEST = 0.4
_NOISE = 0.035  # largest standard deviation, of 0..1


def recoloured(rng: np.random.Generator, pictures: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Give objects and backgrounds other colours, each its own, and the picture another light.

    Light and shade within an object stay, since they are what its shape is seen by. Random textures and
    colours in training make a model see through those of a new place (Tobin et al. 2017, arXiv:1703.06907).

    Args:
        rng: source of chance.
        pictures: (B, H, W, 3) float32, 0..1.
        ids: (B, H, W) uint8, the object of every pixel, 0 is background.

    Returns:
        (B, H, W, 3) float32, 0..1.
    """
    changed = pictures.copy()
    for picture, own in zip(changed, ids, strict=True):
        if rng.random() < _SHARE:
            picture[:] = _repainted(rng, picture, own)
    return changed


def _repainted(rng: np.random.Generator, picture: np.ndarray, ids: np.ndarray) -> np.ndarray:
    count = int(ids.max()) + 1
    chosen = rng.random((count, 1)) < _OBJECT_SHARE
    gains = np.where(chosen, np.exp(rng.normal(0, _GAIN_SD, (count, 3))), 1).astype(np.float32)
    shifts = np.where(chosen, rng.uniform(-_SHIFT, _SHIFT, (count, 3)), 0).astype(np.float32)
    light = np.float32(np.exp(rng.uniform(np.log(_DARKEST), 0)))
    painted = np.clip(picture * gains[ids] + shifts[ids], 0, 1) * light
    noise = rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(rng.uniform(0, _NOISE))
    return np.asarray(np.clip(painted + noise, 0, 1), np.float32)
