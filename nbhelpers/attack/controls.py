"""What any sticker of the same size would have done: the controls that stand in every table."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from nbhelpers.attack.pictures import Pixels

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

CONTROLS = ("clean", "gray", "noise", "shuffled", "typed word")


def control_stickers(
    pixels: Tensor, mask: Tensor, word: str, seed: int = 0, start: Tensor | None = None
) -> Mapping[str, Tensor | None]:
    """Stickers to be laid where the patch would lie, with the patch's own mask.

    Args:
        pixels: the patch, (3, P, P) in 0..1.
        mask: (P, P).
        word: what the typed sticker says: the target, or nothing to the point for an untargeted patch.
        seed: of noise and shuffling.
        start: the picture the optimisation began with, where it was one: it might do the work by itself.

    Returns:
        Name to pixels (3, P, P); None for no sticker at all.
    """
    side = pixels.shape[-1]
    draw = torch.Generator().manual_seed(seed)
    stickers: dict[str, Tensor | None] = {
        "clean": None,
        "gray": torch.full_like(pixels, 0.5),
        "noise": torch.rand(pixels.shape, generator=draw),
        "shuffled": _shuffled(pixels, mask, draw),
        # Letters need more pixels than a patch has: the sticker is drawn finer and averaged where it is laid.
        "typed word": torch.from_numpy(typed(word, max(side, 128))).permute(2, 0, 1).float() / 255,
    }
    return stickers if start is None else {**stickers, "start": start}


def _shuffled(pixels: Tensor, mask: Tensor, draw: torch.Generator) -> Tensor:
    """The patch's own pixels in another order: the same colours without the pattern."""
    inside = (mask > 0.5).flatten().nonzero().flatten()
    flat = pixels.flatten(1).clone()
    flat[:, inside] = flat[:, inside[torch.randperm(len(inside), generator=draw)]]
    return flat.reshape(pixels.shape)


def typed(word: str, side_px: int) -> Pixels:
    """A white sticker with words in black, one a line, as large as they fit: (side, side, 3) uint8."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (side_px, side_px), "white")
    draw = ImageDraw.Draw(image)
    lines = word.split() or ["?"]
    for size in range(side_px, 5, -2):
        font = sans(size, bold=True)
        boxes = [draw.textbbox((0, 0), line, font=font) for line in lines]
        tall = size * 1.1 * len(lines)
        if max(box[2] - box[0] for box in boxes) <= 0.92 * side_px and tall <= 0.96 * side_px:
            break
    top = (side_px - tall) / 2
    for row, line in enumerate(lines):
        middle = (side_px / 2, top + size * 1.1 * (row + 0.5))
        draw.text(middle, line, fill="black", font=font, anchor="mm")
    return np.array(image)


def sans(size: int, *, bold: bool) -> "FreeTypeFont":
    """A sans-serif font that is there on every machine, of a size in pixels."""
    import matplotlib as mpl
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / name, size)
