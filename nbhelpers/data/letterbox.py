"""An image in a square input: resized with its aspect kept, on gray, and the way back."""

from dataclasses import dataclass

import numpy as np

from nbhelpers.errors import BadInput

GRAY = 114  # the padding ultralytics trains with


@dataclass(frozen=True)
class Letterbox:
    """Where an image lies in the square input: its pixels became `inner_*` at (`left`, `top`)."""

    width: int
    height: int
    size: int
    inner_width: int
    inner_height: int
    left: int
    top: int

    @property
    def scale(self) -> tuple[float, float]:
        """Input pixels per image pixel, along x and y (they differ by rounding only)."""
        return self.inner_width / self.width, self.inner_height / self.height

    def to_image(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """Boxes (N, 4) XYXY in input pixels to float32 XYXY in image pixels, clipped to the image."""
        scale_x, scale_y = self.scale
        shift = np.array([self.left, self.top, self.left, self.top], np.float32)
        boxes = (boxes_xyxy - shift) / np.array([scale_x, scale_y, scale_x, scale_y], np.float32)
        limits = np.array([self.width, self.height, self.width, self.height], np.float32)
        return np.clip(boxes, 0, limits).astype(np.float32)

    def to_input(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """Boxes (N, 4) XYXY in image pixels to float32 XYXY in input pixels."""
        scale_x, scale_y = self.scale
        boxes = boxes_xyxy * np.array([scale_x, scale_y, scale_x, scale_y], np.float32)
        return (boxes + np.array([self.left, self.top, self.left, self.top], np.float32)).astype(np.float32)


def place(width: int, height: int, size: int) -> Letterbox:
    """Where an image lies in a square input of `size` pixels: centred, aspect kept."""
    ratio = min(size / width, size / height)
    inner_w, inner_h = max(round(width * ratio), 1), max(round(height * ratio), 1)
    # Half a pixel goes to the left and top, as ultralytics rounds it.
    left, top = round((size - inner_w) / 2 - 0.1), round((size - inner_h) / 2 - 0.1)
    return Letterbox(width, height, size, inner_w, inner_h, left, top)


def letterbox(image: np.ndarray, size: int) -> tuple[np.ndarray, Letterbox]:
    """Fit an image into a gray square, keeping its aspect.

    Args:
        image: (H, W, 3) uint8 RGB.
        size: side of the square, pixels.

    Returns:
        (3, size, size) float32 RGB 0..1, contiguous, and the placement needed to come back.

    Raises:
        BadInput: the array has another shape or dtype.
    """
    import cv2

    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise BadInput(
            f"image of shape {image.shape} and dtype {image.dtype}: give height x width x 3, uint8, RGB"
        )
    placed = place(image.shape[1], image.shape[0], size)
    inner = image
    if (placed.inner_height, placed.inner_width) != image.shape[:2]:
        inner = cv2.resize(image, (placed.inner_width, placed.inner_height), interpolation=cv2.INTER_LINEAR)
    canvas = np.full((size, size, 3), GRAY, np.uint8)
    canvas[placed.top : placed.top + placed.inner_height, placed.left : placed.left + placed.inner_width] = (
        inner
    )
    return np.ascontiguousarray(canvas.transpose(2, 0, 1), dtype=np.float32) / np.float32(255), placed
