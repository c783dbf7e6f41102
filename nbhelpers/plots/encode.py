"""Figures as small files: the best-looking encoding that stays under a size bound."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from nbhelpers.artifacts import write_atomic
from nbhelpers.errors import BadInput
from nbhelpers.plots.palette import PALETTE, class_color

if TYPE_CHECKING:
    from IPython.display import Image as InlineImage
    from matplotlib.figure import Figure

# Fewer pixels cost the eye less than few colours, so each resolution tries 256 colours and no less.
_SHRINK = (1.0, 0.85, 0.72, 0.6, 0.5, 0.4, 0.3)
_FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}


def save_figure(figure: "Figure", path: Path | str, max_kb: float = 150, dpi: float = 130) -> int:
    """Save a figure, atomically, in at most `max_kb` thousand bytes.

    Full colour at `dpi` comes first; then fewer colours (PNG) or lower quality (JPEG), then fewer dots.

    Args:
        figure: a matplotlib figure; it stays open.
        path: ends in .png, .jpg or .jpeg. Photographs fit better in JPEG, lines and text in PNG.
        max_kb: bound of the file, 1 kB = 1000 bytes.
        dpi: dots per inch to start from.

    Returns:
        Size of the file in bytes.

    Raises:
        BadInput: another suffix, or a bound that no encoding meets.
    """
    path = Path(path)
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise BadInput(f"{path}: save_figure writes {', '.join(_FORMATS)}; change the suffix")
    data = encode_figure(figure, kind, max_kb, dpi)
    write_atomic(path, data)
    return len(data)


def encode_figure(figure: "Figure", kind: str = "png", max_kb: float = 150, dpi: float = 130) -> bytes:
    """Encode a figure as `png` or `jpeg` in at most `max_kb` thousand bytes.

    Raises:
        BadInput: `kind` is another one, or no encoding meets the bound.
    """
    if kind not in _FORMATS.values():
        raise BadInput(f"encode_figure: kind {kind!r} is unknown; use 'png' or 'jpeg'")
    bound, tried, smallest = max_kb * 1000, 1.0, 0
    for shrink in _SHRINK:
        # Bytes fall about with the number of pixels: skip what is far from fitting, since drawing takes time.
        if smallest * (shrink / tried) ** 2 > 1.3 * bound:
            continue
        sizes = []
        for data in _encodings(_render(figure, dpi * shrink), kind):
            if len(data) <= bound:
                return data
            sizes.append(len(data))
        tried, smallest = shrink, min(sizes)
    raise BadInput(
        f"encode_figure: the figure needs {smallest / 1000:.0f} kB at {tried:.0%} of {dpi:g} dpi; "
        f"raise max_kb (now {max_kb:g}) or show fewer images"
    )


def _encodings(image: Image.Image, kind: str) -> Iterator[bytes]:
    """Encodings from the best-looking to the smallest."""
    if kind == "jpeg":
        for quality in (90, 80, 70):
            yield _to_bytes(image, "jpeg", quality=quality, optimize=True, subsampling=0)
        return
    yield _to_bytes(image, "png", optimize=True)
    for method in (Image.Quantize.MEDIANCUT, Image.Quantize.FASTOCTREE):
        yield _to_bytes(_few_colors(image, method), "png", optimize=True)


def _few_colors(image: Image.Image, method: Image.Quantize) -> Image.Image:
    """The picture in 256 colours, the house palette among them, so that class colours stay what they are."""
    fixed = [channel for index in range(len(PALETTE)) for channel in class_color(index)]
    free = image.quantize(256 - len(PALETTE), method=method, dither=Image.Dither.NONE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(fixed + free[: 768 - len(fixed)])
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


def _render(figure: "Figure", dpi: float) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return Image.open(buffer).convert("RGB")


def _to_bytes(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def inline(
    figure: "Figure", max_kb: float = 150, *, alt: str = "", kind: str = "png", dpi: float = 110
) -> "InlineImage":
    """Turn a figure into a picture for a notebook cell, of at most `max_kb` thousand bytes, and close it.

    Args:
        figure: a matplotlib figure, from `grid` and the like or from pyplot.
        max_kb: bound of the encoded picture (as base64 in the notebook it takes a third more).
        alt: what the picture shows, for readers who do not see it.
        kind: `png`, or `jpeg` for photographs.
        dpi: dots per inch to start from.

    Raises:
        BadInput: as `encode_figure`.
    """
    from IPython.display import Image as InlineImage
    from matplotlib import pyplot

    data = encode_figure(figure, kind, max_kb, dpi)
    pyplot.close(figure)
    return InlineImage(data=data, format=kind, alt=alt or None)
