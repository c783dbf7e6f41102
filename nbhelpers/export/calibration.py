"""Calibration data for static quantisation: real images through the student's own letterbox, one by one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nbhelpers.errors import BadInput


def iterate_images(source: Any, limit: int | None = None) -> Iterator[np.ndarray]:
    """Yield (H, W, 3) uint8 RGB images of a COCO set, or of a sequence of arrays and paths, evenly spread.

    Args:
        source: a `data.CocoSet`, or a sequence of arrays (H, W, 3) uint8 RGB or image paths.
        limit: at most so many, taken at even steps, since sets are often sorted by content.
    """
    items = list(source.image_ids) if hasattr(source, "image_ids") else list(source)
    count = len(items) if limit is None else min(limit, len(items))
    for step in range(count):
        item = items[step * len(items) // count]
        if hasattr(source, "image_ids"):
            yield source.image(item)
        else:
            yield item if isinstance(item, np.ndarray) else _read(Path(item))


def _read(path: Path) -> np.ndarray:
    from nbhelpers.data import read_image

    return read_image(path)


class CalibrationReader:
    """Feeds ONNX Runtime's calibrator; the images are letterboxed as the engine will see them.

    Attributes:
        count: images given out so far.
    """

    def __init__(self, source: Any, image_size: int, input_name: str, limit: int | None = None) -> None:
        from nbhelpers.distill import letterbox

        self.count = 0
        self._input = input_name
        self._batches = (letterbox(image, image_size)[0][None] for image in iterate_images(source, limit))

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch of one image, or None at the end (ONNX Runtime's protocol)."""
        batch = next(self._batches, None)
        if batch is None:
            if self.count == 0:
                raise BadInput("calibration has no images; give some like those the engine will see")
            return None
        self.count += 1
        return {self._input: batch}
