"""Things that hands hold or that lie about, as shapes."""

from collections.abc import Callable

from nbhelpers.data.operations.actions import Prop
from nbhelpers.data.operations.bodies import cuboid, draw_label, draw_sheet
from nbhelpers.data.operations.camera import Point, Sketch
from nbhelpers.data.operations.look import Look, shade


def _item(sketch: Sketch, eye: Point, prop: Prop, look: Look) -> None:
    color = look.items[prop.number % len(look.items)]
    x, y, z = prop.at
    cuboid(sketch, eye, (x, y, z - 0.06), (0.13, 0.11, 0.12), color)


def _parcel(sketch: Sketch, eye: Point, prop: Prop, look: Look) -> None:
    cuboid(sketch, eye, prop.at, (0.26, 0.2, 0.22), look.items[0])


def _board(sketch: Sketch, eye: Point, prop: Prop, look: Look) -> None:
    x, y, z = prop.at
    cuboid(sketch, eye, (x, y, 0.0), (0.4, 0.3, z), (45, 60, 95))
    for number in range(prop.number):
        _sticker(sketch, eye, Prop("sticker", (x - 0.1 + 0.1 * number, y, z + 0.003)), look)


def _sticker(sketch: Sketch, eye: Point, prop: Prop, look: Look) -> None:
    x, y, z = prop.at
    corners = [
        (x - 0.05, y - 0.04, z),
        (x + 0.05, y - 0.04, z),
        (x + 0.05, y + 0.04, z),
        (x - 0.05, y + 0.04, z),
    ]
    sketch.polygon(corners, (240, 240, 235))


def _gun(sketch: Sketch, eye: Point, prop: Prop, look: Look) -> None:
    """A tape gun: a roll with a handle."""
    x, y, z = prop.at
    color = look.colors["gun"]
    sketch.limb([(x - 0.05, y, z), (x + 0.02, y, z + 0.12)], 0.07, color)
    sketch.disc((x + 0.05, y - 0.03, z + 0.06), 0.08, shade(color, 0.7))
    sketch.disc((x + 0.05, y - 0.05, z + 0.06), 0.05, look.colors["tape"])


def _scanner(sketch: Sketch, eye: Point, prop: Prop, look: Look) -> None:
    """A hand-held scanner: handle below, head towards what it reads."""
    x, y, z = prop.at
    color = look.colors["scanner"]
    nose = tuple(a + 0.28 * (b - a) for a, b in zip(prop.at, prop.to, strict=True))
    sketch.limb([(x + 0.02, y, z + 0.05), (x + 0.05, y, z - 0.12)], 0.06, shade(color, 0.8))
    sketch.limb([(x + 0.05, y, z + 0.07), nose], 0.085, color)  # type: ignore[list-item]
    sketch.disc((x + 0.04, y - 0.03, z + 0.08), 0.02, (90, 200, 90))


def _scanner_on(sketch: Sketch, eye: Point, prop: Prop, look: Look) -> None:
    nose = tuple(a + 0.3 * (b - a) for a, b in zip(prop.at, prop.to, strict=True))
    x, y, z = prop.to
    beam = look.colors["beam"]
    fan = [nose, (x - 0.13, y - 0.02, z + 0.03), (x + 0.13, y - 0.02, z - 0.03)]
    sketch.polygon(fan, shade(beam, 0.8))  # type: ignore[arg-type]
    sketch.limb([(x - 0.14, y - 0.02, z), (x + 0.14, y - 0.02, z)], 0.03, beam)
    _scanner(sketch, eye, prop, look)


def _form(sketch: Sketch, eye: Point, prop: Prop, look: Look) -> None:
    """A clipboard with a form; `number` lines are filled in."""
    x, y, z = prop.at
    cuboid(sketch, eye, (x, y, 0.0), (0.3, 0.32, z), (110, 75, 45))
    sketch.polygon(
        [(x - 0.13, y - 0.14, z), (x + 0.13, y - 0.14, z), (x + 0.13, y + 0.12, z), (x - 0.13, y + 0.12, z)],
        (245, 245, 240),
    )
    for line in range(prop.number):
        row = y + 0.09 - 0.04 * line
        sketch.limb([(x - 0.1, row, z + 0.001), (x + 0.09, row, z + 0.001)], 0.012, (60, 70, 120))
    sketch.limb([(x - 0.05, y + 0.14, z + 0.01), (x + 0.05, y + 0.14, z + 0.01)], 0.03, (160, 165, 170))


def _pen(sketch: Sketch, eye: Point, prop: Prop, look: Look) -> None:
    x, y, z = prop.at
    sketch.limb([(x - 0.02, y - 0.02, 0.02), (x + 0.05, y + 0.02, z + 0.12)], 0.022, (30, 60, 170))


def _label(sketch: Sketch, eye: Point, prop: Prop, look: Look) -> None:
    x, y, z = prop.at
    draw_label(sketch, (x - 0.05, y - 0.05, z - 0.02), look)


def _sheet(sketch: Sketch, eye: Point, prop: Prop, look: Look) -> None:
    draw_sheet(sketch, prop.at, look)


_DRAWINGS: dict[str, Callable[[Sketch, Point, Prop, Look], None]] = {
    "item": _item,
    "parcel": _parcel,
    "board": _board,
    "sticker": _sticker,
    "gun": _gun,
    "scanner": _scanner,
    "scanner_on": _scanner_on,
    "form": _form,
    "pen": _pen,
    "label": _label,
    "sheet": _sheet,
}


def draw_prop(sketch: Sketch, eye: Point, prop: Prop, look: Look) -> None:
    """Add one thing in use."""
    _DRAWINGS[prop.kind](sketch, eye, prop, look)
