"""The light of training clips, varied a little each time they are seen: a site has more than one day."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

_CAST = 0.5  # a colour's own share of the variation


class Light:
    """Multiplies a clip's brightness, and each colour a little more or less, by factors drawn from a seed.

    Args:
        strength: standard deviation of the logarithm of the brightness; 0 changes nothing.
        mean, std: of the processor's normalisation, per colour, for values of 0 to 1.
    """

    def __init__(self, strength: float, mean: Sequence[float], std: Sequence[float]) -> None:
        self.strength = strength
        self._mean, self._std = np.array(mean, np.float32), np.array(std, np.float32)

    def __call__(self, pixels: "Tensor", seed: Sequence[int]) -> "Tensor":
        """Normalised pixel values in other light, none below black or above white.

        Args:
            pixels: (rows, 3 * values) patches with the colours one after the other, or (N, 3, H, W) pictures.
            seed: the same one gives the same light.
        """
        if not self.strength:
            return pixels
        import torch

        rng = np.random.default_rng(tuple(seed))
        gain = np.exp(rng.normal(0, self.strength) + rng.normal(0, _CAST * self.strength, 3))
        mean, std = (torch.from_numpy(part).reshape(3, 1) for part in (self._mean, self._std))
        factor = torch.from_numpy(gain.astype(np.float32)).reshape(3, 1)
        colours = pixels.reshape(len(pixels), 3, -1)
        relit = ((colours * std + mean) * factor).clamp(0, 1)
        return ((relit - mean) / std).reshape(pixels.shape).to(pixels.dtype)
