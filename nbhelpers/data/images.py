"""Image files as they are met: header facts without decoding, and one way to RGB for every kind of pixel."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from nbhelpers.errors import BadInput

Frame = Literal["displayed", "stored"]

# EXIF 2.32, 4.6.4 A: how a stored image is turned for display. Values 5 to 8 swap width and height.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_LATE = {b"eXIf", b"tEXt", b"zTXt", b"iTXt"}  # may hold an orientation, and may follow the pixels


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the header of an image file says.

    Attributes:
        width, height: pixels as stored, before any EXIF turn.
        mode: Pillow's name of the pixel kind (`RGB`, `P`, `CMYK`, `I;16` ...).
        exif_orientation: 1 to 8; 1 where there is none or it makes no sense.
        format: `JPEG`, `PNG` ...
        odd: why other tools may read it differently (`palette`, `CMYK`, `16-bit`, `float`, `alpha`,
            `EXIF orientation 6`; joined by `, `), None for an ordinary image.
        suspect: why the file may be cut short, None where its end looks right or is not known to us.
    """

    width: int
    height: int
    mode: str
    exif_orientation: int
    format: str
    odd: str | None
    suspect: str | None = None

    @property
    def displayed_size(self) -> tuple[int, int]:
        """Width and height in pixels as a viewer shows the image, after the EXIF turn."""
        return (self.height, self.width) if self.exif_orientation >= 5 else (self.width, self.height)


def probe_image(path: Path) -> ImageFacts:
    """Read an image file's header; pixels are not decoded.

    Not seen this way: damage inside the pixel data, and a cut in formats other than JPEG, PNG, GIF, BMP and
    WebP; `read_image` finds those.

    Raises:
        BadInput: there is no such file, or it is no image Pillow can open.
    """
    with _opened(path) as (file, image):
        chunks = _png_chunks(file) if image.format == "PNG" else []
        orientation = _orientation(image, late=_says_late(chunks))
        return ImageFacts(
            width=image.width,
            height=image.height,
            mode=image.mode,
            exif_orientation=orientation,
            format=image.format or "",
            odd=_odd(image, orientation, sixteen_bit=_is_sixteen_bit(file, image)),
            suspect=_cut_short(file, image.format or "", chunks),
        )


def read_image(path: Path, frame: Frame = "displayed") -> NDArray[np.uint8]:
    """Decode an image file to RGB, whatever its pixels are.

    EXIF orientation is applied (`frame="displayed"`) or not (`"stored"`); palettes are looked up; CMYK is
    converted by Pillow (no colour profile); 16-bit grey is divided by 257, 32-bit and float by their own
    range; alpha is composed over white. Of several pages or frames the first is read. Formats that Pillow
    turns by itself (TIFF) have only the displayed frame.

    Returns:
        Shape (H, W, 3), uint8, 0..255, RGB.

    Raises:
        BadInput: there is no such file, or it cannot be decoded whole.
    """
    with _opened(path) as (file, image):
        chunks = _png_chunks(file) if image.format == "PNG" else []
        orientation = _orientation(image, late=_says_late(chunks))
        image.load()
        turn = _TURNS.get(orientation) if frame == "displayed" else None
        return np.array(_to_rgb(image if turn is None else image.transpose(turn)))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, Image.Image]]:
    """Open an image; anything Pillow raises on a broken file becomes BadInput with its reason."""
    try:
        # A pipe or device would block for ever, and a folder cannot be read.
        if not Path(path).is_file():
            raise BadInput(f"{path}: there is no such image file")
        with Path(path).open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged EXIF, large images: what matters is raised or reported
            with Image.open(file) as image:
                yield file, image
    except BadInput:
        raise
    except Exception as error:
        # Pillow's format readers raise almost anything on damaged files (OSError, SyntaxError, struct.error,
        # IndexError, OverflowError ...), so the list is left open; the reason is passed on.
        reason = str(error).replace(str(path), "").strip() or type(error).__name__
        if isinstance(error, UnidentifiedImageError):  # it names a reader's address instead of the file
            reason = "its content is of no known image format"
        raise BadInput(f"{path}: cannot be read as an image: {reason}") from error


def _orientation(image: Image.Image, late: bool) -> int:
    """The EXIF orientation 1..8; `late` reads the pixels first because the tag may stand behind them."""
    if image.format == "TIFF":
        return 1  # Pillow turns TIFF while loading and reports the turned size
    try:
        # PngImageFile.getexif decodes the whole image to reach late chunks; the base class does not.
        exif = image.getexif() if late else Image.Image.getexif(image)
        value = exif.get(ExifTags.Base.Orientation, 1)
    except Exception:
        if late:
            raise
        return 1  # a damaged EXIF block says nothing about the pixels; viewers show such images unturned
    return value if isinstance(value, int) and value in _TURNS else 1


def _png_chunks(file: BinaryIO) -> list[bytes]:
    """The chunk names of a PNG in order, from their headers alone; the last one is cut where the file is."""
    size, names = file.seek(0, 2), []
    at = len(_PNG_SIGNATURE)
    while at + 12 <= size:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        at += 12 + length
        if at > size:
            break
        names.append(name)
        if name == b"IEND":
            break
    return names


def _says_late(chunks: list[bytes]) -> bool:
    """Whether a chunk behind the pixels may hold an orientation."""
    return b"IDAT" in chunks and any(name in _PNG_LATE for name in chunks[chunks.index(b"IDAT") :])


def _is_sixteen_bit(file: BinaryIO, image: Image.Image) -> bool:
    """Whether samples have 16 bits; Pillow opens 16-bit colour PNG as 8-bit, so the header is asked."""
    if image.mode.startswith("I;16") or image.mode == "I":
        return True
    if image.format != "PNG":
        return False
    file.seek(24)
    return file.read(1) == b"\x10"


def _odd(image: Image.Image, orientation: int, sixteen_bit: bool) -> str | None:
    reasons = {
        "palette": image.mode in {"P", "PA"},
        "CMYK": image.mode == "CMYK",
        "16-bit": sixteen_bit,
        "float": image.mode == "F",
        f"colour mode {image.mode}": image.mode in {"LAB", "HSV", "YCbCr"},
        "alpha": image.has_transparency_data,
        f"EXIF orientation {orientation}": orientation != 1,
    }
    return ", ".join(reason for reason, holds in reasons.items() if holds) or None


def _cut_short(file: BinaryIO, image_format: str, chunks: list[bytes]) -> str | None:
    """A cheap look at the end of the file: only a hint, since whole images may lack a trailer too."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 4096))
    tail = file.read().rstrip(b"\0\r\n ")
    if image_format in {"JPEG", "MPO"}:
        return None if tail.endswith(b"\xff\xd9") else "no end-of-image marker at its end"
    if image_format == "PNG":
        return None if chunks[-1:] == [b"IEND"] else "no IEND chunk"
    if image_format == "GIF":
        return None if tail.endswith(b";") else "no trailer at its end"
    if image_format in {"BMP", "WEBP"}:
        file.seek(2 if image_format == "BMP" else 4)
        stated = int.from_bytes(file.read(4), "little") + (0 if image_format == "BMP" else 8)
        return f"{size} bytes of {stated}" if size < stated else None
    return None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return Image.fromarray(_to_bytes(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        colour = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour).convert("RGB")
    return image.convert("RGB")


def _to_bytes(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Grey values of any depth to 0..255: by the 16-bit range where they fit it, else by their own range."""
    numbers = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(numbers.min()), float(numbers.max())
    if values.dtype.kind != "f" and low >= 0 and high <= 65535:
        scaled = numbers / 257.0
    elif values.dtype.kind == "f" and low >= 0 and high <= 1:
        scaled = numbers * 255.0
    else:
        scaled = (numbers - low) * (255.0 / (high - low or 1.0))
    result: NDArray[np.uint8] = np.rint(scaled).astype(np.uint8)
    return result
