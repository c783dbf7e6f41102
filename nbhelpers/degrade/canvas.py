"""A canvas for line drawings: filled shapes with dark outlines, drawn larger than shown."""

from collections.abc import Sequence

import numpy as np

Color = tuple[int, int, int]
Point = tuple[float, float]
INK: Color = (40, 40, 48)
_SCALE = 3  # drawn this many times larger, then averaged: smooth edges
_LINE = 2.0


class Canvas:
    """Shapes in pixels of the finished picture, x to the right, y down.

    Args:
        width: pixels.
        height: pixels.
        color: of the background, RGB 0..255.
    """

    def __init__(self, width: int, height: int, color: Color) -> None:
        self._image = np.full((height * _SCALE, width * _SCALE, 3), color, np.uint8)

    def image(self) -> np.ndarray:
        """The picture: HWC uint8 RGB."""
        import cv2

        height, width = self._image.shape[:2]
        size = (width // _SCALE, height // _SCALE)
        return np.asarray(cv2.resize(self._image, size, interpolation=cv2.INTER_AREA))

    def polygon(self, points: Sequence[Point], fill: Color | None, line: float = _LINE) -> None:
        """A closed shape; no fill leaves what is behind it, no line leaves its edge bare."""
        import cv2

        corners = np.array([[_px(x), _px(y)] for x, y in points], np.int32)
        if fill is not None:
            cv2.fillPoly(self._image, [corners], fill)
        if line:
            cv2.polylines(self._image, [corners], True, INK, _px(line), cv2.LINE_AA)

    def box(self, x: float, y: float, width: float, height: float, fill: Color, line: float = _LINE) -> None:
        """An upright rectangle by its upper left corner."""
        corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
        self.polygon(corners, fill, line)

    def oval(
        self, x: float, y: float, rx: float, ry: float, fill: Color, line: float = _LINE, turn: float = 0.0
    ) -> None:
        """An ellipse by its middle and its half axes, turned by degrees clockwise."""
        import cv2

        where = ((_px(x), _px(y)), (_px(rx), _px(ry)), turn, 0, 360)
        cv2.ellipse(self._image, *where, fill, -1, cv2.LINE_AA)
        if line:
            cv2.ellipse(self._image, *where, INK, _px(line), cv2.LINE_AA)

    def stroke(self, points: Sequence[Point], width: float, color: Color = INK) -> None:
        """An open line through points, with round ends."""
        import cv2

        path = np.array([[_px(x), _px(y)] for x, y in points], np.int32)
        cv2.polylines(self._image, [path], False, color, max(1, _px(width)), cv2.LINE_AA)
        for end in (path[0], path[-1]):
            cv2.circle(self._image, (int(end[0]), int(end[1])), _px(width) // 2, color, -1, cv2.LINE_AA)

    def limb(self, points: Sequence[Point], width: float, color: Color) -> None:
        """A thick line with an outline, such as an arm or a leg."""
        self.stroke(points, width + 2 * _LINE)
        self.stroke(points, width, color)


def _px(value: float) -> int:
    return round(value * _SCALE)
