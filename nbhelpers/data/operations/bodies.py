"""Worker, box and tools as shapes."""

import math

from nbhelpers.data.operations.actions import Box, Pose
from nbhelpers.data.operations.camera import Color, Point, Sketch
from nbhelpers.data.operations.look import Look, shade

_ARM_M = 0.62


def cuboid(
    sketch: Sketch, eye: Point, at: Point, size: tuple[float, float, float], color: Color, lid: bool = True
) -> None:
    """Add a solid that stands on `at` (middle of its bottom); only faces turned to `eye` are drawn."""
    (x, y, z), (width, depth, height) = at, size
    x0, x1, y0, y1, z1 = x - width / 2, x + width / 2, y - depth / 2, y + depth / 2, z + height
    if eye[0] < x0:
        sketch.polygon([(x0, y0, z), (x0, y1, z), (x0, y1, z1), (x0, y0, z1)], shade(color, 0.72))
    elif eye[0] > x1:
        sketch.polygon([(x1, y0, z), (x1, y1, z), (x1, y1, z1), (x1, y0, z1)], shade(color, 0.66))
    sketch.polygon([(x0, y0, z), (x1, y0, z), (x1, y0, z1), (x0, y0, z1)], shade(color, 0.86))
    if lid:
        sketch.polygon([(x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)], shade(color, 1.08))


def draw_worker(sketch: Sketch, pose: Pose, look: Look) -> None:
    """Add torso and head; the arms come after the box."""
    shirt, skin = look.colors["shirt"], look.colors["skin"]
    x, lean = pose.shift * 0.75, 0.2 * pose.bow
    top, chest = 0.48 - 0.1 * pose.bow, pose.shift
    left, right = (chest - 0.2, 0.86 - lean, top), (chest + 0.2, 0.86 - lean, top)
    hips = [(x + 0.15, 0.84, -0.02), (x - 0.15, 0.84, -0.02)]
    sketch.polygon([left, (chest, 0.86 - lean, top + 0.06), right, *hips], shade(shirt, 0.95))
    middle = (chest + 0.04, 0.86 - lean, top + 0.05)
    sketch.polygon([middle, right, hips[0], (x + 0.03, 0.84, -0.02)], shade(shirt, 0.8))
    if look.vest:
        _draw_vest(sketch, look.colors["vest"], chest, x, lean, top)
    sketch.limb([(chest, 0.84 - lean, top), (chest, 0.82 - lean, top + 0.14)], 0.09, shade(skin, 0.82))
    _draw_head(sketch, (chest + 0.03 * pose.gaze, 0.82 - 1.5 * lean, top + 0.2 - 0.07 * pose.bow), pose, look)


def _draw_vest(sketch: Sketch, color: Color, chest: float, x: float, lean: float, top: float) -> None:
    for side in (-1, 1):
        y = 0.85 - lean
        sketch.polygon(
            [
                (chest + side * 0.17, y, top), (chest + side * 0.06, y, top + 0.03),
                (x + side * 0.03, 0.83, 0.0), (x + side * 0.15, 0.83, 0.0),
            ],
            color if side < 0 else shade(color, 0.85),
        )  # fmt: skip


def _draw_head(sketch: Sketch, at: Point, pose: Pose, look: Look) -> None:
    x, y, z = at
    skin, hair = look.colors["skin"], look.colors["hair"]
    sketch.disc((x, y + 0.02, z + 0.025), 0.105, hair)
    sketch.disc((x + 0.035 * pose.gaze, y - 0.05, z - 0.02 - 0.035 * pose.bow), 0.088, skin)
    if look.cap:
        brim = z + 0.035 - 0.02 * pose.bow
        sketch.limb(
            [(x - 0.07 + 0.05 * pose.gaze, y - 0.1, brim), (x + 0.07 + 0.05 * pose.gaze, y - 0.1, brim)],
            0.05,
            hair,
        )
    for side in (-0.034, 0.034):
        eye = (x + side + 0.06 * pose.gaze, y - 0.13, z - 0.02 - 0.05 * pose.bow)
        sketch.disc(eye, 0.012, shade(skin, 0.25))


def draw_arms(sketch: Sketch, pose: Pose, look: Look) -> None:
    """Add both arms: sleeve to the elbow, skin from there, a hand."""
    top, lean = 0.48 - 0.1 * pose.bow, 0.2 * pose.bow
    for side, hand in ((-1, pose.left), (1, pose.right)):
        shoulder = (pose.shift + side * 0.19, 0.84 - lean, top - 0.02)
        elbow = _elbow(shoulder, hand, side)
        sleeve, skin = look.colors["shirt"], look.colors["skin"]
        sketch.limb([shoulder, elbow], 0.105, shade(sleeve, 0.72))
        sketch.limb([shoulder, elbow], 0.085, shade(sleeve, 1.08))
        sketch.limb([elbow, hand], 0.072, shade(skin, 0.8))
        sketch.limb([elbow, hand], 0.05, skin)
        sketch.disc(hand, 0.052, shade(skin, 1.05))


def _elbow(shoulder: Point, hand: Point, side: int) -> Point:
    """Bent outward and down by as much as the arm is longer than the way."""
    way = math.dist(shoulder, hand)
    bend = 0.5 * math.sqrt(max(0.0, _ARM_M**2 - way**2))
    x, y, z = ((a + b) / 2 for a, b in zip(shoulder, hand, strict=True))
    return x + side * 0.75 * bend, y, z - 0.5 * bend


def draw_box(sketch: Sketch, eye: Point, box: Box, look: Look) -> None:
    """Add the carton in its present state, with shadow, flaps, tape and labels."""
    (x, y, z), (width, depth, height) = box.at, box.size
    color, high = look.colors["box"], height * box.rise
    if z < 0.02:
        reach = 0.06 + 0.3 * high
        sketch.polygon(
            [(x - width / 2, y - depth / 2 - 0.02, 0), (x + width / 2 + reach, y - depth / 2 - 0.02, 0),
             (x + width / 2 + reach, y + depth / 2, 0), (x - width / 2, y + depth / 2, 0)],
            shade(look.colors["table"], 0.72),
        )  # fmt: skip
    closed = max(box.flaps) < 1
    if not closed:
        _draw_inside(sketch, box, high, color)
    cuboid(sketch, eye, box.at, (width, depth, high), color, lid=closed)
    if look.patterned:
        _draw_pattern(sketch, box, high, color)
    if closed:
        _draw_lid(sketch, box, look)
    else:
        _draw_flap(sketch, box, high, color, 3)
    if box.label:
        draw_label(sketch, (x + 0.05 * width, y - depth / 2 - 0.005, z + 0.55 * height), look)


def _draw_inside(sketch: Sketch, box: Box, high: float, color: Color) -> None:
    (x, y, z), (width, depth, _) = box.at, box.size
    _draw_flap(sketch, box, high, color, 2)
    x0, x1, y0, y1, z1 = x - width / 2, x + width / 2, y - depth / 2, y + depth / 2, z + high
    sketch.polygon([(x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)], shade(color, 0.34))
    sketch.polygon(
        [(x0, y1, z1), (x1, y1, z1), (x1, y1, z1 - 0.5 * high), (x0, y1, z1 - 0.5 * high)], shade(color, 0.55)
    )
    _draw_flap(sketch, box, high, color, 0)
    _draw_flap(sketch, box, high, color, 1)


def _draw_flap(sketch: Sketch, box: Box, high: float, color: Color, which: int) -> None:
    """Flap 0 left, 1 right, 2 back, 3 front; hinged at the rim, 0 degrees is closed."""
    (x, y, z), (width, depth, _) = box.at, box.size
    x0, x1, y0, y1, z1 = x - width / 2, x + width / 2, y - depth / 2, y + depth / 2, z + high
    angle = math.radians(box.flaps[0] if which < 2 else box.flaps[1])
    length = (0.42 * width if which < 2 else 0.5 * depth) * (0.35 + 0.65 * box.rise)
    out, up = -length * math.cos(angle), length * math.sin(angle)
    shapes = (
        [(x0, y0, z1), (x0, y1, z1), (x0 - out, y1, z1 + up), (x0 - out, y0, z1 + up)],
        [(x1, y0, z1), (x1, y1, z1), (x1 + out, y1, z1 + up), (x1 + out, y0, z1 + up)],
        [(x0, y1, z1), (x1, y1, z1), (x1, y1 + out, z1 + up), (x0, y1 + out, z1 + up)],
        [(x0, y0, z1), (x1, y0, z1), (x1, y0 - out, z1 + up), (x0, y0 - out, z1 + up)],
    )
    sketch.polygon(shapes[which], shade(color, (1.0, 0.92, 1.12, 1.16)[which]))


def _draw_lid(sketch: Sketch, box: Box, look: Look) -> None:
    (x, y, z), (width, depth, height) = box.at, box.size
    top, x0, x1 = z + height + 0.002, x - width / 2, x + width / 2
    sketch.limb([(x0, y, top), (x1, y, top)], 0.008, shade(look.colors["box"], 0.5))
    if box.tape > 0:
        end = x0 + width * box.tape
        sketch.polygon(
            [(x0, y - 0.032, top), (end, y - 0.032, top), (end, y + 0.032, top), (x0, y + 0.032, top)],
            look.colors["tape"],
        )
        front = y - depth / 2 - 0.002
        sketch.polygon(
            [
                (x0, y - 0.032, top),
                (x0, y + 0.032, top),
                (x0, y + 0.032, top - 0.07),
                (x0, y - 0.032, top - 0.07),
            ],
            shade(look.colors["tape"], 0.85),
        )
        sketch.limb(
            [(x0 + 0.02, front, z + 0.02), (x1 - 0.02, front, z + 0.02)],
            0.006,
            shade(look.colors["box"], 0.7),
        )
    if box.shipping:
        draw_sheet(sketch, (x, y, top), look)


def _draw_pattern(sketch: Sketch, box: Box, high: float, color: Color) -> None:
    (x, y, z), (width, depth, _) = box.at, box.size
    front = y - depth / 2 - 0.003
    for share in (-0.32, 0.0, 0.32):
        x0 = x + share * width
        sketch.polygon(
            [
                (x0 - 0.03, front, z),
                (x0 + 0.03, front, z),
                (x0 + 0.06, front, z + high),
                (x0, front, z + high),
            ],
            shade(color, 0.62),
        )


def draw_label(sketch: Sketch, at: Point, look: Look) -> None:
    """Add the small box label, upright, with two printed lines."""
    x, y, z = at
    sketch.polygon(
        [
            (x - 0.085, y, z - 0.06),
            (x + 0.085, y, z - 0.06),
            (x + 0.085, y, z + 0.06),
            (x - 0.085, y, z + 0.06),
        ],
        look.colors["box_label"],
    )
    for offset in (-0.025, 0.02):
        sketch.limb(
            [(x - 0.055, y - 0.002, z + offset), (x + 0.055, y - 0.002, z + offset)], 0.014, (40, 40, 40)
        )


def draw_sheet(sketch: Sketch, at: Point, look: Look) -> None:
    """Add the shipping label: a large sheet, lying, with a bar code."""
    x, y, z = at
    white = look.colors["shipping"]
    sketch.polygon(
        [(x - 0.17, y - 0.12, z), (x + 0.17, y - 0.12, z), (x + 0.17, y + 0.12, z), (x - 0.17, y + 0.12, z)],
        white,
    )
    for step in range(5):
        x0 = x - 0.12 + 0.05 * step
        sketch.polygon(
            [(x0, y - 0.08, z), (x0 + 0.022, y - 0.08, z), (x0 + 0.022, y + 0.01, z), (x0, y + 0.01, z)],
            (35, 35, 38),
        )
    sketch.limb([(x - 0.12, y + 0.07, z), (x + 0.1, y + 0.07, z)], 0.02, (120, 120, 125))
