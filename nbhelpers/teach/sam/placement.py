"""Where a picture lies in the model's square input, without reading the picture."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Placed:
    """One picture in the model's input; it begins in the upper left corner.

    Attributes:
        original: (height, width) of the picture, pixels.
        resized: (height, width) it takes in the input: SAM keeps the aspect ratio and pads to the right and
            below, SAM 2 stretches the picture over the whole square.
        side: of the input, pixels.
    """

    original: tuple[int, int]
    resized: tuple[int, int]
    side: int

    @property
    def scale(self) -> NDArray[np.float64]:
        """(2,) factors from picture to input along x and y."""
        return np.array([self.resized[1] / self.original[1], self.resized[0] / self.original[0]])

    def to_input(self, points: NDArray[Any]) -> NDArray[np.float32]:
        """Points (..., 2) x, y or boxes (..., 4) XYXY in pixels of the picture, to pixels of the input."""
        factors = np.tile(self.scale, points.shape[-1] // 2)
        return np.asarray(points * factors, np.float32)


def placed(processor: Any, size: tuple[int, int]) -> Placed:
    """Where the stock processor puts a picture.

    Args:
        processor: of SAM (a longest edge) or SAM 2 (a height and a width), or its image processor.
        size: (height, width) of the picture, pixels.
    """
    images = getattr(processor, "image_processor", processor)
    longest = images.size.get("longest_edge") if isinstance(images.size, dict) else images.size.longest_edge
    height, width = int(size[0]), int(size[1])
    if not longest:
        return Placed((height, width), (images.size["height"], images.size["width"]), images.size["height"])
    scale = longest * 1.0 / max(height, width)  # rounded as SamImageProcessor does
    return Placed((height, width), (int(height * scale + 0.5), int(width * scale + 0.5)), int(longest))
