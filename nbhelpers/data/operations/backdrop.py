"""What stands still in a video: wall, shelf, back table, packing table and the idle things on it."""

import numpy as np

from nbhelpers.data.operations.actions import BACK_TABLE, PRINTER, SHELF, TOTE, Prop
from nbhelpers.data.operations.bodies import cuboid
from nbhelpers.data.operations.camera import Color, Point, Sketch
from nbhelpers.data.operations.look import Look, shade
from nbhelpers.data.operations.tools import draw_prop

_WALL_Y = 1.75


def paint_backdrop(look: Look, side: int) -> np.ndarray:
    """Everything that does not move.

    Args:
        look: of the video.
        side: of the square picture in pixels.

    Returns:
        (side, side, 3) uint8 RGB, without light.
    """
    canvas = np.full((side, side, 3), shade(look.colors["wall"], 0.62), np.uint8)
    eye = eye_of(look)
    sketch = Sketch()
    _wall(sketch, look)
    _shelf(sketch, eye, look)
    _back_table(sketch, eye, look)
    _table(sketch, eye, look)
    for kind, x, y, color in look.clutter:
        _idle(sketch, eye, kind, (x, y, 0.0), color, look)
    sketch.paint(canvas, look.camera)
    return canvas


def eye_of(look: Look) -> Point:
    """Where the camera stands, metres."""
    x, y, z = look.camera.position.tolist()
    return x, y, z


def _wall(sketch: Sketch, look: Look) -> None:
    color = look.colors["wall"]
    _sheet(sketch, -4, 4, -0.55, 3, color)
    if look.wall == "brick":
        for row in range(12):
            z = -0.5 + 0.18 * row
            sketch.limb([(-3, _WALL_Y, z), (3, _WALL_Y, z)], 0.012, shade(color, 0.8))
            for column in range(14):
                x = -2.4 + 0.36 * column + 0.18 * (row % 2)
                sketch.limb([(x, _WALL_Y, z), (x, _WALL_Y, z + 0.18)], 0.012, shade(color, 0.8))
    elif look.wall == "panels":
        for column in range(12):
            _sheet(sketch, -3 + 0.5 * column, -2.97 + 0.5 * column, -0.55, 3, shade(color, 0.75))
    elif look.wall == "stripes":
        for row in range(4):
            _sheet(sketch, -4, 4, 0.05 + 0.4 * row, 0.18 + 0.4 * row, shade(color, 0.78 if row % 2 else 1.15))
    elif look.wall == "mesh":
        for step in range(24):
            x = -3 + 0.25 * step
            sketch.limb([(x, _WALL_Y, -0.5), (x + 1.2, _WALL_Y, 2.0)], 0.015, shade(color, 1.3))
            sketch.limb([(x + 1.2, _WALL_Y, -0.5), (x, _WALL_Y, 2.0)], 0.015, shade(color, 1.3))
    elif look.wall == "shelves":
        for number, bin_color in enumerate(look.shelf_bins):
            x, z = -1.6 + 0.45 * (number % 8), 0.3 + 0.5 * (number % 2)
            _sheet(sketch, x, x + 0.36, z, z + 0.3, shade(bin_color, 0.7))
        for z in (0.28, 0.78):
            _sheet(sketch, -3, 3, z - 0.05, z, shade(color, 0.6))


def _sheet(sketch: Sketch, x0: float, x1: float, z0: float, z1: float, color: Color) -> None:
    sketch.polygon([(x0, _WALL_Y, z0), (x1, _WALL_Y, z0), (x1, _WALL_Y, z1), (x0, _WALL_Y, z1)], color)


def _shelf(sketch: Sketch, eye: Point, look: Look) -> None:
    """Three boards of bins at the worker's right hand (the viewer's left), where items are picked from."""
    x, y, _ = SHELF
    metal = shade(look.colors["table"], 0.6)
    for post in (-0.27, 0.27):
        sketch.limb([(x + post, y + 0.12, -0.4), (x + post, y + 0.12, 0.85)], 0.03, metal)
    for row in range(3):
        z = 0.05 + 0.29 * row
        cuboid(sketch, eye, (x, y + 0.12, z - 0.03), (0.58, 0.22, 0.03), metal)
        for column in range(3):
            at = (x - 0.19 + 0.19 * column, y + 0.1, z)
            cuboid(sketch, eye, at, (0.16, 0.18, 0.14), look.shelf_bins[3 * row + column])


def _back_table(sketch: Sketch, eye: Point, look: Look) -> None:
    x, y, z = BACK_TABLE
    cuboid(sketch, eye, (x, y + 0.02, -0.5), (0.72, 0.46, 0.5 + z), shade(look.colors["table"], 0.85))


def _table(sketch: Sketch, eye: Point, look: Look) -> None:
    color = look.colors["table"]
    cuboid(sketch, eye, (0.0, 0.36, -0.9), (2.1, 0.78, 0.9), color)
    sketch.limb([(-1.05, -0.03, -0.02), (1.05, -0.03, -0.02)], 0.035, shade(color, 0.7))
    x, y, z = TOTE
    tote = look.colors["tote"]
    cuboid(sketch, eye, (x, y, 0.0), (0.34, 0.3, z), tote)
    sketch.polygon(
        [(x - 0.15, y - 0.13, z), (x + 0.15, y - 0.13, z), (x + 0.15, y + 0.13, z), (x - 0.15, y + 0.13, z)],
        shade(tote, 0.45),
    )
    for number in range(3):
        draw_prop(
            sketch,
            eye,
            Prop("item", (x - 0.08 + 0.08 * number, y + 0.04 * (number - 1), z), number=number),
            look,
        )
    x, y, z = PRINTER
    cuboid(sketch, eye, (x, y, 0.0), (0.24, 0.22, z), (205, 205, 200))
    cuboid(sketch, eye, (x, y - 0.02, z), (0.16, 0.05, 0.01), (70, 72, 76))


def _idle(sketch: Sketch, eye: Point, kind: str, at: Point, color: Color, look: Look) -> None:
    x, y, _ = at
    if kind == "block":
        cuboid(sketch, eye, at, (0.12, 0.1, 0.1), color)
    elif kind == "box":
        cuboid(sketch, eye, at, (0.2, 0.13, 0.12), look.colors["box"])
    elif kind == "cup":
        sketch.limb([(x, y, 0.03), (x, y, 0.1)], 0.07, color)
    elif kind == "paper":
        sketch.polygon(
            [
                (x - 0.1, y - 0.06, 0),
                (x + 0.08, y - 0.07, 0),
                (x + 0.1, y + 0.06, 0),
                (x - 0.08, y + 0.07, 0),
            ],
            (238, 238, 232),
        )
    else:
        sketch.disc((x, y, 0.05), 0.06, look.colors["gun"])
        sketch.disc((x, y - 0.02, 0.05), 0.035, look.colors["tape"])
