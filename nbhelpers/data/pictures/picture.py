"""Pictures brought to a square of any side, with the right answers where they are known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from nbhelpers.data.images import read_image
from nbhelpers.errors import BadInput

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Asked:
    """A question and the task it belongs to; wordings of one task share the right answer."""

    text: str
    task: str


@dataclass(frozen=True, eq=False)
class Shown:
    """One picture.

    Attributes:
        name: unique within its set.
        answers: the right answer by task; empty where nobody knows.
        read: from a side to the square picture (side, side, 3) uint8 RGB.
        blocked: from a side to what a patch may not cover, (side, side) bool; None where nothing is known.
        kept: pictures already read, by side.
    """

    name: str
    answers: Mapping[str, str]
    read: Callable[[int], Pixels]
    blocked: Callable[[int], Mask] | None = None
    kept: dict[int, Pixels] = field(default_factory=dict, repr=False)

    def pixels(self, side: int) -> Pixels:
        """The picture as a square (side, side, 3) uint8 RGB; kept up to 256 px, read again above."""
        if side in self.kept:
            return self.kept[side]
        found = self.read(side)
        if side <= 256:
            self.kept[side] = found
        return found

    def legal(self, side: int) -> Mask | None:
        """Where a patch may lie, (side, side) bool; None: anywhere."""
        return None if self.blocked is None else ~self.blocked(side)


@dataclass(frozen=True)
class PicturePart:
    """Pictures and questions of one part."""

    name: str
    pictures: tuple[Shown, ...]
    prompts: tuple[Asked, ...]


@dataclass(frozen=True)
class PictureSet:
    """A set in parts.

    Attributes:
        parts: by name; `train`, `val` and `test` where `attack.split` says nothing else.
        source: for people: where it comes from.
        left_out: files that could not be read, each with its reason.
    """

    parts: Mapping[str, PicturePart]
    source: str
    left_out: tuple[str, ...] = ()

    def part(self, name: str) -> PicturePart:
        """One part.

        Raises:
            BadInput: there is none of that name, or it holds no picture; says what to do.
        """
        found = self.parts.get(name)
        if found is None or not found.pictures:
            have = ", ".join(f"{part} {len(one.pictures)}" for part, one in self.parts.items())
            raise BadInput(
                f"{self.source}: part {name} holds no picture (there are: {have}); give more pictures, or "
                "other shares in attack.split"
            )
        return found

    def describe(self) -> str:
        """One line: pictures and questions of each part."""
        counts = ", ".join(
            f"{name} {len(part.pictures)} pictures and {len(part.prompts)} questions"
            for name, part in self.parts.items()
        )
        return f"{self.source}: {counts}"


def square(pixels: Pixels, side: int) -> Pixels:
    """The middle square of a picture (H, W, 3), brought to `side` pixels."""
    height, width = pixels.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    middle = Image.fromarray(pixels[top : top + edge, left : left + edge])
    return np.asarray(middle.resize((side, side), Image.Resampling.LANCZOS))


def square_mask(mask: Mask, side: int) -> Mask:
    """The same cut of a mask (H, W): True where any of what it covers is."""
    height, width = mask.shape
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    middle = Image.fromarray(mask[top : top + edge, left : left + edge].astype(np.uint8) * 255)
    return np.asarray(middle.resize((side, side), Image.Resampling.BOX)) > 0


@lru_cache(maxsize=8)
def _decoded(path: Path) -> Pixels:
    return read_image(path)


def from_file(path: Path) -> Callable[[int], Pixels]:
    """Reads a file, whatever its format, into a square."""
    return lambda side: square(_decoded(path), side)


def check_some(pictures: Sequence[Shown], source: str) -> None:
    """Refuse an empty set.

    Raises:
        BadInput: there is no picture.
    """
    if not pictures:
        raise BadInput(f"{source}: holds no picture that can be read; give JPEG, PNG or other image files")
