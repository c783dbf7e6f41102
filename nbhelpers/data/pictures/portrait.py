"""A plain picture of one drawn thing: what a sticker looks like that simply shows what it wants said."""

import colorsys

import numpy as np

from nbhelpers.data.pictures.picture import Pixels
from nbhelpers.errors import BadInput

_FINE = 4  # painted so many times larger, then averaged down


def portrait(name: str, side_px: int = 96, world: str = "base") -> Pixels:
    """A thing as large as it fits into a disc, in the middle of its colour's range, on mid-grey.

    Args:
        name: colour and kind, such as "blue wheel".
        side_px: side of the picture.
        world: whose colours.

    Returns:
        (side_px, side_px, 3) uint8 RGB.

    Raises:
        BadInput: no such colour or kind in that world.
    """
    from nbhelpers.data.stills import find_still_world
    from nbhelpers.data.stills.kinds import paint

    found, (color, _, kind) = find_still_world(world), name.partition(" ")
    if color not in found.colors or kind not in found.kinds:
        raise BadInput(
            f"portrait of {name!r}: the {world} world has the colours {', '.join(found.colors)} and the "
            f"kinds {', '.join(found.kinds)}"
        )
    side = side_px * _FINE
    centre = np.full(2, side / 2 - 0.5)
    canvas = paint(kind, side, side / 2, 0.0, centre, tilt=0.4, light=1.0).astype(np.float64)
    reach = np.hypot(*(axis - centre[0] for axis in np.nonzero(canvas))).max()
    canvas = paint(kind, side, side / 2 * (side / 2 - 1) / reach, 0.0, centre, tilt=0.4, light=1.0)
    return _colored(canvas.astype(np.float64), _middle(found.colors[color]), side_px)


def _middle(shade: object) -> np.ndarray:
    hue, saturation, value = (sum(getattr(shade, part)) / 2 for part in ("hue", "saturation", "value"))
    return 255 * np.array(colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value))


def _colored(canvas: np.ndarray, color: np.ndarray, side_px: int) -> Pixels:
    painted, shade = (canvas > 0)[..., None], canvas[..., None] / 128
    lit = color * np.minimum(shade, 1) + (255 - color) * np.maximum(shade - 1, 0)
    fine = np.where(painted, lit, 128.0).reshape(side_px, _FINE, side_px, _FINE, 3)
    return np.rint(fine.mean(axis=(1, 3))).clip(0, 255).astype(np.uint8)
