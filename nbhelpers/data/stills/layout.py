"""What stands where in a still picture: one or two objects anywhere, sizes and places told apart clearly."""

from dataclasses import dataclass

import numpy as np

from nbhelpers.data.stills.kinds import extent
from nbhelpers.data.stills.world import StillWorld

# Shares of the picture's area. The smaller of two is at least about 12 pixels across at 64 px, the larger
# one, and an object alone, at least 16.
SMALLEST, LARGEST = 0.036, 0.2
# The larger object has at least this many times the painted area; what is promised to readers is 1.4.
RATIO = (1.8, 3.8)
_EDGE, _GAP = 0.012, 0.012
# Between "left" and "middle" (and "middle" and "right") lies a strip where no single object is centred.
_MIDDLE, _SIDE = 0.09, 0.15


@dataclass(frozen=True)
class Placed:
    """One object of a layout; lengths in shares of the picture's side, x to the right, y down.

    `scale` is the length of the kind's own unit, `half_width` and `half_height` bound its turned shape.
    """

    kind: str
    color: str
    x: float
    y: float
    scale: float
    roll: float
    half_width: float
    half_height: float


@dataclass(frozen=True)
class Layout:
    """The larger object first; `tilt_step` is the camera's tilt in tenths, `light` -1 or 1."""

    objects: tuple[Placed, ...]
    tilt_step: int
    light: float


def draw_layout(rng: np.random.Generator, world: StillWorld) -> Layout:
    """Choose one or two objects and their places."""
    tilt_step = int(rng.integers(round(world.tilt[0] * 10), round(world.tilt[1] * 10) + 1))
    light = float(rng.choice((-1.0, 1.0)))
    count = 1 if rng.random() < 0.3 else 2
    while True:
        objects = _try(rng, world, count, tilt_step)
        if objects:
            return Layout(objects, tilt_step, light)


def _try(rng: np.random.Generator, world: StillWorld, count: int, tilt_step: int) -> tuple[Placed, ...]:
    """One choice of things and sizes with up to 24 choices of places; empty when none of them is legal."""
    names = [_name(rng, world) for _ in range(count)]
    if count == 2 and names[0] == names[1]:
        return ()
    area = float(np.exp(rng.uniform(np.log(SMALLEST * RATIO[0]), np.log(LARGEST))))
    ratio = float(rng.uniform(RATIO[0], min(RATIO[1], area / SMALLEST))) if count == 2 else 1.0
    base_roll = rng.uniform(*world.roll)
    sized = [
        _sized(name, size, float(base_roll + rng.uniform(-4, 4)), tilt_step)
        for name, size in zip(names, (area, area / ratio), strict=False)
    ]
    for places in rng.random((24, count, 2)):
        objects = tuple(_put(thing, place) for thing, place in zip(sized, places, strict=True))
        if _legal(objects):
            return objects
    return ()


def _name(rng: np.random.Generator, world: StillWorld) -> tuple[str, str]:
    colors = tuple(world.colors)
    return world.kinds[int(rng.integers(len(world.kinds)))], colors[int(rng.integers(len(colors)))]


def _sized(name: tuple[str, str], area: float, roll: float, tilt_step: int) -> Placed:
    half_width, half_height, painted = extent(name[0], tilt_step)
    scale = float(np.sqrt(area / painted))
    cos, sin = abs(np.cos(np.radians(roll))), abs(np.sin(np.radians(roll)))
    wide = float(half_width * cos + half_height * sin) * scale
    high = float(half_width * sin + half_height * cos) * scale
    return Placed(name[0], name[1], 0.0, 0.0, scale, roll, wide, high)


def _put(thing: Placed, place: np.ndarray) -> Placed:
    room_x = thing.half_width + _EDGE
    room_y = thing.half_height + _EDGE
    x = room_x + (1 - 2 * room_x) * float(place[0])
    y = room_y + (1 - 2 * room_y) * float(place[1])
    return Placed(thing.kind, thing.color, x, y, thing.scale, thing.roll, thing.half_width, thing.half_height)


def _legal(objects: tuple[Placed, ...]) -> bool:
    if len(objects) == 1:
        return not _MIDDLE < abs(objects[0].x - 0.5) < _SIDE
    large, small = objects
    dx, dy = abs(large.x - small.x), abs(large.y - small.y)
    apart = (
        dx > large.half_width + small.half_width + _GAP or dy > large.half_height + small.half_height + _GAP
    )
    return apart and (dx > 1.3 * dy or dy > 1.3 * dx)


def relation(large: Placed, other: Placed) -> str:
    """Where the first object lies seen from the second: "left", "right", "above" or "below"."""
    dx, dy = large.x - other.x, large.y - other.y
    if abs(dx) > abs(dy):
        return "left" if dx < 0 else "right"
    return "above" if dy < 0 else "below"


def position(thing: Placed) -> str:
    """Where a single object lies in the picture: "left", "middle" or "right"."""
    offset = thing.x - 0.5
    if abs(offset) <= _MIDDLE:
        return "middle"
    return "left" if offset < 0 else "right"
