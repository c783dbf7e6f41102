"""The print sheet: the patch at a stated width, crop marks, a ruler, and what it was made by; PNG and PDF."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbhelpers.artifacts import write_atomic
from nbhelpers.attack.controls import sans
from nbhelpers.attack.patch import read_png
from nbhelpers.attack.shapes import shape_mask
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from PIL.Image import Image

MM_PER_INCH = 25.4
# Paper in millimetres, the smallest first; the first on which the patch with its marks has room is taken.
PAPERS = (
    ("A4", 210.0, 297.0),
    ("A3", 297.0, 420.0),
    ("A2", 420.0, 594.0),
    ("A1", 594.0, 841.0),
    ("A0", 841.0, 1189.0),
)
_MARGIN_MM, _MARK_MM, _GAP_MM, _TEXT_MM = 8.0, 6.0, 2.0, 30.0


@dataclass(frozen=True)
class Sheet:
    """A print sheet on disk.

    Attributes:
        png, pdf: the same page.
        width_mm: of the patch on paper, when printed at 100 %.
        dpi: dots per inch.
        paper: name of the paper.
        box_px: the patch within the page, left, top, right, bottom, pixels of the PNG.
    """

    png: Path
    pdf: Path
    width_mm: float
    dpi: int
    paper: str
    box_px: tuple[int, int, int, int]


def print_sheet(
    patch: Path,
    folder: Path,
    *,
    width_mm: float,
    dpi: int,
    mark: str,
    title: str = "",
    shape: str | None = None,
) -> Sheet:
    """Write `print_sheet.png` and `print_sheet.pdf`.

    Args:
        patch: the PNG that was evaluated; its pixels are enlarged smoothly, its transparency left white.
        folder: where the sheet goes.
        width_mm: of the patch on paper.
        dpi: dots per inch of the page.
        mark: the settings' hash; its first 16 letters are printed beside the patch.
        title: one line more, such as the target.
        shape: see `shape_mask`; its outline is then drawn as finely as the page, not as the patch's pixels.

    Raises:
        BadInput: wider than the largest paper.
    """
    paper, page_w, page_h = _paper(width_mm)
    page = _page(page_w, page_h, dpi)
    side = _px(width_mm, dpi)
    left, top = (page.width - side) // 2, _px(_MARGIN_MM + _MARK_MM + _GAP_MM, dpi) + _px(4, dpi)
    box = (left, top, left + side, top + side)
    _paste(page, patch, box, shape)
    _marks(page, box, dpi)
    lines = [
        title,
        f"{width_mm:g} mm wide when printed at 100 % ({dpi} dpi, {paper}); measure the line below",
        f"settings {mark[:16]}",
    ]
    _text(page, [line for line in lines if line], box, dpi)
    png, pdf = Path(folder) / "print_sheet.png", Path(folder) / "print_sheet.pdf"
    write_atomic(png, _encoded(page, "PNG", dpi))
    write_atomic(pdf, _encoded(page, "PDF", dpi))
    return Sheet(png, pdf, width_mm, dpi, paper, box)


def _paper(width_mm: float) -> tuple[str, float, float]:
    need = width_mm + 2 * (_MARGIN_MM + _MARK_MM + _GAP_MM)
    for name, wide, high in PAPERS:
        if need <= wide and need + _TEXT_MM <= high:
            return name, wide, high
    most = PAPERS[-1][1] - 2 * (_MARGIN_MM + _MARK_MM + _GAP_MM)
    raise BadInput(f"a patch {width_mm:g} mm wide does not fit on A0; at most {most:g} mm")


def _px(mm: float, dpi: int) -> int:
    return round(mm / MM_PER_INCH * dpi)


def _page(wide_mm: float, high_mm: float, dpi: int) -> "Image":
    from PIL import Image

    return Image.new("RGB", (_px(wide_mm, dpi), _px(high_mm, dpi)), "white")


def _paste(page: "Image", patch: Path, box: tuple[int, int, int, int], shape: str | None) -> None:
    from PIL import Image

    from nbhelpers.attack.patch import to_rgba

    small = Image.fromarray(to_rgba(*read_png(patch)))
    size = (box[2] - box[0], box[3] - box[1])
    # Colours and outline are enlarged apart: colours of transparent pixels must not bleed into the edge.
    color = small.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    outline = small.getchannel("A").resize(size, Image.Resampling.BICUBIC)
    if shape is not None:
        outline = Image.fromarray((shape_mask(shape, size[0]) * 255).round().astype(np.uint8))
    page.paste(color, box[:2], outline)


def _marks(page: "Image", box: tuple[int, int, int, int], dpi: int) -> None:
    """Two lines at each corner, outside of what is cut out."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(page)
    gap, long, thick = _px(_GAP_MM, dpi), _px(_MARK_MM, dpi), max(1, _px(0.2, dpi))
    for x, outward in ((box[0], -1), (box[2], 1)):
        for y, down in ((box[1], -1), (box[3], 1)):
            draw.line([(x + outward * gap, y), (x + outward * (gap + long), y)], "black", thick)
            draw.line([(x, y + down * gap), (x, y + down * (gap + long))], "black", thick)


def _text(page: "Image", lines: list[str], box: tuple[int, int, int, int], dpi: int) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(page)
    height = _px(3.6, dpi)
    y = box[3] + _px(_GAP_MM + _MARK_MM + 2, dpi)
    for line in lines:
        draw.text((page.width / 2, y), line, "black", sans(round(height * 0.75), bold=False), anchor="ma")
        y += height
    ruler = _px(50, dpi)
    start = (page.width - ruler) // 2
    y += _px(2, dpi)
    draw.line([(start, y), (start + ruler, y)], "black", max(1, _px(0.3, dpi)))
    for x in (start, start + ruler):
        draw.line([(x, y - _px(1.5, dpi)), (x, y + _px(1.5, dpi))], "black", max(1, _px(0.3, dpi)))
    draw.text(
        (page.width / 2, y + _px(1, dpi)),
        "50 mm",
        "black",
        sans(round(height * 0.7), bold=False),
        anchor="ma",
    )


def _encoded(page: "Image", kind: str, dpi: int) -> bytes:
    buffer = io.BytesIO()
    options = {"resolution": float(dpi)} if kind == "PDF" else {"dpi": (dpi, dpi)}
    page.save(buffer, kind, **options)
    return buffer.getvalue()
