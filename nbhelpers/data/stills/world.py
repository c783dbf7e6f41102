"""What may appear in a still picture: colours, kinds, backgrounds and light, in two worlds."""

from collections.abc import Mapping
from dataclasses import dataclass

from nbhelpers.errors import BadInput

Range = tuple[float, float]


@dataclass(frozen=True)
class Shade:
    """The range of one colour word: hue in degrees, saturation and value in 0..1."""

    hue: Range
    saturation: Range
    value: Range


@dataclass(frozen=True)
class StillWorld:
    """Everything that is drawn at random for a picture, with its range.

    `number` enters the seed, so that two worlds never draw the same layout. `tilt` is how far the camera
    looks down (0: from the side, 1: steeply), `roll` its lean in degrees, `exposure` a factor on the
    light, `noise` a deviation in grey levels, `backdrop` the brightness of floor and wall in 0..255 with
    `tint`, their highest saturation.
    """

    name: str
    number: int
    colors: Mapping[str, Shade]
    kinds: tuple[str, ...]
    floors: tuple[str, ...]
    walls: tuple[str, ...]
    exposure: Range = (0.38, 1.3)
    tilt: Range = (0.1, 0.9)
    roll: Range = (-10.0, 10.0)
    noise: Range = (0.0, 6.0)
    blur_px: Range = (0.0, 0.55)
    backdrop: Range = (45.0, 225.0)
    tint: float = 0.22
    warmth: Range = (-1.0, 1.0)


def _vivid(hue: float, spread: float) -> Shade:
    return Shade((hue - spread, hue + spread), (0.78, 1.0), (0.78, 1.0))


def _dull(hue: float, spread: float) -> Shade:
    return Shade((hue - spread, hue + spread), (0.42, 0.7), (0.5, 0.85))


_BASE_COLORS: Mapping[str, Shade] = {
    "red": _vivid(0, 7),
    "orange": _vivid(28, 5),
    "yellow": _vivid(55, 5),
    "green": _vivid(122, 16),
    "cyan": _vivid(182, 7),
    "blue": _vivid(225, 9),
    "purple": _vivid(284, 11),
    "white": Shade((0, 360), (0.0, 0.06), (0.9, 1.0)),
}
_SHIFTED_COLORS: Mapping[str, Shade] = {
    "red": _dull(350, 6),
    "orange": _dull(22, 4),
    "yellow": _dull(48, 4),
    "green": _dull(92, 14),
    "cyan": _dull(170, 6),
    "blue": _dull(212, 7),
    "purple": _dull(265, 8),
    "white": Shade((30, 60), (0.05, 0.14), (0.8, 0.95)),
    "pink": Shade((325, 338), (0.3, 0.5), (0.85, 1.0)),
    "brown": Shade((18, 30), (0.5, 0.75), (0.3, 0.45)),
}
_BASE_KINDS = ("crate", "ball", "cone", "barrel", "bag", "wheel")

STILL_WORLDS: Mapping[str, StillWorld] = {
    "base": StillWorld(
        name="base",
        number=0,
        colors=_BASE_COLORS,
        kinds=_BASE_KINDS,
        floors=("plain", "tiles", "planks", "gravel"),
        walls=("plain", "brick", "panels"),
    ),
    "shifted": StillWorld(
        name="shifted",
        number=1,
        colors=_SHIFTED_COLORS,
        kinds=(*_BASE_KINDS, "bucket", "bottle"),
        floors=("checker", "stripes", "gravel"),
        walls=("stripes", "checker", "brick"),
        exposure=(0.35, 1.1),
        tilt=(0.5, 1.0),
        roll=(-24.0, 24.0),
        noise=(3.0, 12.0),
        blur_px=(0.2, 0.9),
        tint=0.4,
    ),
}


def find_still_world(name: str) -> StillWorld:
    """The world of that name.

    Raises:
        BadInput: there is none; lists those there are.
    """
    if name not in STILL_WORLDS:
        raise BadInput(f"world {name!r} of still pictures is not known; known: {', '.join(STILL_WORLDS)}")
    return STILL_WORLDS[name]
