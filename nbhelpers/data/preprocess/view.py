"""An input made visible again: what a model gets to see, as a picture for people."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


def input_picture(pixels: "Tensor", processor: Any = None) -> NDArray[np.uint8]:
    """The pixels of one input without their normalisation.

    Args:
        pixels: (3, h, w) float32, one of a batch.
        processor: whose mean and deviation were used; None: the pixels are 0..1 (students).

    Returns:
        (h, w, 3) uint8 RGB; padding with zeros shows the mean colour, which is what the model takes it for.
    """
    values = pixels.detach().cpu().numpy().transpose(1, 2, 0).astype(np.float64)
    if processor is not None:
        chosen = getattr(processor, "image_processor", processor)
        values = values * np.array(chosen.image_std) + np.array(chosen.image_mean)
    return np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
