"""Stickers on still pictures, grey, speckled or lettered: on the photograph, not among its objects."""

import string
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from nbhelpers.data.stills.render import Still
from nbhelpers.errors import BadInput

STICKER_STYLES = ("grey", "speckled", "lettered")
_AREA = (0.02, 0.12)  # share of the picture
_ROUND, _TURN_DEG = 0.6, 40  # share of round ones; turned by so much at most
_FINE = 6  # drawn so much finer than the picture, then averaged
_TRIES, _HIDDEN = 20, 0.1  # places looked at; share of an object that may be hidden


def add_sticker(rng: np.random.Generator, still: Still, styles: Sequence[str] = STICKER_STYLES) -> Still:
    """The picture with a sticker on it; what it shows, masks included, stays what it was.

    The sticker takes 2 to 12 % of the area, is round or square and lies flat on the photograph, wherever it
    hides next to nothing of each object. Where twenty places hide more the picture is returned as it is.

    Args:
        rng: everything is drawn from it.
        still: is not changed.
        styles: one of them is drawn; see `STICKER_STYLES`.

    Raises:
        BadInput: an unknown style.
    """
    size = len(still.image)
    area, is_round = rng.uniform(*_AREA), rng.random() < _ROUND
    side = float(np.sqrt(area * (4 / np.pi if is_round else 1))) * size
    paper = _paper(rng, styles[int(rng.integers(len(styles)))], round(side * _FINE))
    shape = _disc(len(paper)) if is_round else np.ones(paper.shape[:2], np.float32)
    angle = rng.uniform(-_TURN_DEG, _TURN_DEG)
    reach = side / 2 * (1 if is_round else np.cos(np.radians(angle)) + abs(np.sin(np.radians(angle))))
    for _ in range(_TRIES):
        centre = rng.uniform(reach, size - reach, 2)
        cover = _laid(shape, angle, centre, size)[..., None]
        if all((thing.mask * cover[..., 0]).sum() <= _HIDDEN * thing.area for thing in still.objects):
            image = still.image * (1 - cover) + _laid(paper, angle, centre, size) * cover
            return replace(still, image=np.clip(np.round(image), 0, 255).astype(np.uint8))
    return still


def _disc(side: int) -> np.ndarray:
    steps = (np.arange(side) + 0.5) / side * 2 - 1
    return (np.hypot(steps[:, None], steps[None]) <= 1).astype(np.float32)


def _laid(texture: np.ndarray, angle: float, centre: np.ndarray, size: int) -> np.ndarray:
    """A fine texture turned, moved and averaged into a picture of `size` pixels; its edge goes on outside."""
    middle = (len(texture) - 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), angle, 1.0)
    turn[:, 2] = turn[:, 2] + centre * _FINE - len(texture) / 2
    whole = (size * _FINE, size * _FINE)
    border = cv2.BORDER_REPLICATE if texture.ndim == 3 else cv2.BORDER_CONSTANT
    return cv2.resize(
        cv2.warpAffine(texture, turn, whole, borderMode=border), (size, size), interpolation=cv2.INTER_AREA
    )


def _paper(rng: np.random.Generator, style: str, side: int) -> np.ndarray:
    """(side, side, 3) float32, 0..255."""
    if style == "grey":
        return np.full((side, side, 3), rng.uniform(30, 240), np.float32)
    if style == "speckled":
        return _speckled(rng, side)
    if style == "lettered":
        return _lettered(rng, side)
    raise BadInput(f"sticker style {style!r} is not known; there are: {', '.join(STICKER_STYLES)}")


def _speckled(rng: np.random.Generator, side: int) -> np.ndarray:
    """Specks of a few colours, or of any colour."""
    cells = int(rng.integers(12, 33))
    if rng.random() < 0.3:
        specks = rng.uniform(0, 255, (cells, cells, 3))
    else:
        palette = rng.uniform(0, 255, (int(rng.integers(2, 7)), 3))
        weights = rng.dirichlet(np.ones(len(palette)))
        specks = palette[rng.choice(len(palette), (cells, cells), p=weights)]
        specks = np.clip(specks + rng.normal(0, 20, specks.shape), 0, 255)
    return cv2.resize(specks.astype(np.float32), (side, side), interpolation=cv2.INTER_NEAREST)


def _lettered(rng: np.random.Generator, side: int) -> np.ndarray:
    """A light label with one or two words of random letters in dark, as wide as the label."""
    paper = np.full((side, side, 3), rng.uniform(200, 255), np.uint8)
    rows = int(rng.integers(1, 3))
    ink = (float(rng.uniform(0, 60)),) * 3
    for row in range(rows):
        word = "".join(rng.choice(list(string.ascii_lowercase), int(rng.integers(3, 8))))
        (wide, high), _ = cv2.getTextSize(word, cv2.FONT_HERSHEY_SIMPLEX, 1, 4)
        scale = 0.9 * side / wide
        foot = (round(0.05 * side), round(side * (row + 0.5) / rows + scale * high / 2))
        cv2.putText(
            paper, word, foot, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, max(1, round(4 * scale)), cv2.LINE_AA
        )
    return paper.astype(np.float32)
