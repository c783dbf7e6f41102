"""The patch itself: pixels that an optimiser may move, kept within what a printer can print."""

import io
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from nbhelpers.artifacts import write_atomic
from nbhelpers.attack.pictures import Pixels
from nbhelpers.attack.shapes import shape_mask
from nbhelpers.errors import BadInput

# Paper is not as bright as 255 and ink not as dark as 0: pixels stay between.
PRINTABLE = (0.02, 0.98)
_GAIN = (
    4.0  # slope of the squashing function: a step of the raw value moves a mid-grey pixel by the same step
)


class Patch(nn.Module):
    """A square of pixels with a mask over it.

    The raw values are free; `pixels()` squashes them into the printable range, so no step leaves it and no
    clipping stops a gradient. There may be fewer of them than pixels: they are then enlarged smoothly, which
    keeps the patch free of detail that does not survive another place, another size, or a printer.

    Attributes:
        raw: (3, detail, detail) float32, what is trained.
        mask: (side, side) float32, 0..1: how much of each pixel belongs to the patch.
        low, high: printable range, 0..1.
    """

    mask: Tensor

    def __init__(self, start: Tensor, mask: Tensor, printable: tuple[float, float] = PRINTABLE) -> None:
        """From starting pixels (3, detail, detail) in 0..1 and a mask of at least as many."""
        super().__init__()
        self.low, self.high = printable
        self.raw = nn.Parameter(self._raw_of(start))
        self.register_buffer("mask", mask)

    @property
    def side_px(self) -> int:
        """Pixels along a side."""
        return int(self.mask.shape[-1])

    @property
    def device(self) -> torch.device:
        """Where it lies."""
        return self.raw.device

    def pixels(self) -> Tensor:
        """(3, side, side) float32 in the printable range of 0..1, with gradient."""
        raw: Tensor = self.raw
        if raw.shape[-1] != self.side_px:
            size = (self.side_px, self.side_px)
            raw = interpolate(raw[None], size=size, mode="bicubic", align_corners=False)[0]
        return self.low + (self.high - self.low) * torch.sigmoid(_GAIN * raw)

    def _raw_of(self, pixels: Tensor) -> Tensor:
        share = ((pixels - self.low) / (self.high - self.low)).clamp(0.01, 0.99)
        return torch.logit(share.float()) / _GAIN

    def image(self) -> Pixels:
        """The patch as 8-bit RGBA, (side, side, 4): what is written to a PNG."""
        return to_rgba(self.pixels().detach(), self.mask)


def to_rgba(pixels: Tensor, mask: Tensor) -> Pixels:
    """(3, H, W) and (H, W) floats in 0..1 as (H, W, 4) uint8."""
    values = torch.cat([pixels, mask[None]]).mul(255).round().clamp(0, 255)
    found: Pixels = values.permute(1, 2, 0).to("cpu", torch.uint8).numpy()
    return found


def start_pixels(start: str | Path, side_px: int, seed: int) -> Tensor:
    """Where an optimisation begins, (3, side_px, side_px) in 0..1.

    Args:
        start: `noise` (uniform), `gray`, or an image file, cropped to its middle square.
        side_px: pixels along a side.
        seed: of the noise.

    Raises:
        BadInput: none of these.
    """
    if str(start) == "noise":
        return torch.rand((3, side_px, side_px), generator=torch.Generator().manual_seed(seed))
    if str(start) == "gray":
        return torch.full((3, side_px, side_px), 0.5)
    if not Path(start).is_file():
        raise BadInput(f"patch start {str(start)!r}: is neither noise nor gray nor an image file")
    return _square_of(Path(start), side_px)


def _square_of(path: Path, side_px: int) -> Tensor:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            square = ImageOps.fit(image.convert("RGB"), (side_px, side_px), Image.Resampling.LANCZOS)
    except (UnidentifiedImageError, OSError) as error:
        raise BadInput(f"patch start {path}: cannot be read as an image ({error})") from None
    return torch.from_numpy(np.array(square)).permute(2, 0, 1).float() / 255


def make_patch(
    start: str | Path, shape: str | Path, side_px: int, seed: int, detail: int | None = None
) -> Patch:
    """A fresh patch.

    Args:
        start: see `start_pixels`.
        shape: see `shape_mask`.
        side_px: pixels along a side.
        seed: of the noise.
        detail: free values along a side; None: one for every pixel.

    Raises:
        BadInput: more detail than pixels, or an unknown start or shape.
    """
    if detail is not None and detail > side_px:
        raise BadInput(f"patch detail {detail}: is more than its {side_px} pixels; give at most as many")
    mask = torch.from_numpy(shape_mask(shape, side_px))
    return Patch(start_pixels(start, detail or side_px, seed), mask)


def save_png(pixels: Pixels, path: Path) -> Path:
    """Write (H, W, 3) or (H, W, 4) uint8 as PNG, whole or not at all."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return write_atomic(path, buffer.getvalue())


def read_png(path: Path) -> tuple[Tensor, Tensor]:
    """Pixels (3, side, side) and mask (side, side) of a patch, float32 in 0..1, from its file.

    Raises:
        BadInput: no such file, no image, or not square.
    """
    from PIL import Image, UnidentifiedImageError

    path = Path(path)
    if not path.is_file():
        raise BadInput(f"patch {path}: there is no such file; `nbhelpers attack` writes patch.png")
    try:
        with Image.open(path) as image:
            values = np.array(image.convert("RGBA"))
    except (UnidentifiedImageError, OSError) as error:
        raise BadInput(f"patch {path}: cannot be read as an image ({error})") from None
    if values.shape[0] != values.shape[1]:
        size = f"{values.shape[1]}x{values.shape[0]}"
        raise BadInput(f"patch {path}: is {size} pixels; a patch is square (its shape is its transparency)")
    found = torch.from_numpy(values).permute(2, 0, 1).float() / 255
    return found[:3], found[3]


def on_white(path: Path, side_px: int = 160) -> Pixels:
    """A patch's file as people look at it: (side_px, side_px, 3) uint8 on white, its pixels as squares."""
    from PIL import Image

    small = Image.fromarray(to_rgba(*read_png(path)))
    white = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small).convert("RGB")
    return np.array(white.resize((side_px, side_px), Image.Resampling.NEAREST))
