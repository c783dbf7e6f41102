"""The outline of a patch: square, circle, or any mask."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nbhelpers.errors import BadInput

_FINE = 512  # a pixel on the outline is looked at in several places, about so many along the whole side


def _square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.ones_like(x, dtype=bool)


def _circle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return x * x + y * y <= 1


_OUTLINES: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "square": _square,
    "circle": _circle,
}
SHAPES = tuple(_OUTLINES)


def shape_mask(shape: str | Path, side_px: int) -> npt.NDArray[np.float32]:
    """How much of each pixel the patch covers.

    Args:
        shape: `square`, `circle`, or an image file: what is opaque and bright in it is patch.
        side_px: side of the square the shape is drawn in.

    Returns:
        (side_px, side_px) float32, 0..1.

    Raises:
        BadInput: no such shape or file, or a mask with nothing in it.
    """
    if str(shape) in _OUTLINES:
        smooth = max(2, -(-_FINE // side_px))
        steps = (np.arange(side_px * smooth) + 0.5) / (side_px * smooth) * 2 - 1
        fine = _OUTLINES[str(shape)](steps[None, :] + 0 * steps[:, None], steps[:, None] + 0 * steps[None, :])
        blocks = fine.reshape(side_px, smooth, side_px, smooth)
        return blocks.mean(axis=(1, 3)).astype(np.float32)
    return _from_file(Path(shape), side_px)


def _from_file(path: Path, side_px: int) -> npt.NDArray[np.float32]:
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise BadInput(f"patch shape {path}: is neither {' nor '.join(SHAPES)} nor an image file")
    try:
        with Image.open(path) as image:
            grey = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image.convert("RGBA"))
            small = grey.convert("L").resize((side_px, side_px), Image.Resampling.BOX)
    except (UnidentifiedImageError, OSError) as error:
        raise BadInput(f"patch shape {path}: cannot be read as an image ({error})") from None
    mask = (np.asarray(small) / 255).astype(np.float32)
    if mask.mean() < 0.01:
        raise BadInput(f"patch shape {path}: is black all over; paint the patch white on black")
    return mask
