"""Shelf with goods, and step ladder."""

import numpy as np

from nbhelpers.data.scenes.mesh import Color, Part, Vector, cuboid, tint, turned
from nbhelpers.data.scenes.objects import Rng, leaning, pick
from nbhelpers.data.scenes.world import World


def shelf(rng: Rng, world: World) -> list[Part]:
    """An open rack: posts, braces, beams and boards; about two thirds of its places hold bins or rolls."""
    width, depth = rng.uniform(1.8, 2.5), rng.uniform(0.55, 0.7)
    levels = int(rng.integers(3, 5))
    rise = rng.uniform(0.52, 0.62)
    rack, beam, board = (pick(rng, world, name) for name in ("rack", "beam", "board"))
    top = 0.14 + (levels - 1) * rise + 0.16
    post, xs = 0.07, (-width / 2, width / 2 - 0.07)
    parts = [
        cuboid((x, 0, z), (x + post, top, z + post), rack, 0.012)
        for x in xs
        for z in (-depth / 2, depth / 2 - post)
    ]
    parts += _braces(xs, depth, top, post, tint(rack, 0.9))
    if rng.random() < 0.3:
        parts.append(
            cuboid((xs[0] + post, 0.2, depth / 2 - 0.012), (xs[1], top, depth / 2), tint(board, 0.8))
        )
    for level in range(levels):
        y = 0.1 + level * rise
        inner = (xs[0] + post, xs[1])
        parts += [
            cuboid((inner[0], y, z), (inner[1], y + 0.09, z + 0.04), beam, 0.008)
            for z in (-depth / 2, depth / 2 - 0.052)
        ]
        parts.append(
            cuboid((inner[0], y + 0.05, -depth / 2 + 0.041), (inner[1], y + 0.09, depth / 2 - 0.053), board)
        )
        parts += _goods(rng, world, inner, y + 0.091, depth, rise - 0.14)
    return parts


def _braces(xs: tuple[float, float], depth: float, top: float, post: float, color: Color) -> list[Part]:
    """Horizontal ties between the front and back post of each side."""
    ties = np.arange(0.3, top - 0.1, 0.5)
    return [
        cuboid((x + 0.02, y, -depth / 2 + post), (x + 0.05, y + 0.035, depth / 2 - post), color)
        for x in xs
        for y in ties
    ]


def _goods(
    rng: Rng, world: World, inner: tuple[float, float], y: float, depth: float, room: float
) -> list[Part]:
    """What stands on one board, left to right."""
    parts: list[Part] = []
    x, shade = inner[0] + 0.04, pick(rng, world, "tote")
    while x < inner[1] - 0.28:
        width = float(rng.uniform(0.26, 0.5))
        if x + width > inner[1] - 0.02:
            break
        if rng.random() < 0.68:
            shade = pick(rng, world, "tote") if rng.random() < 0.5 else shade
            parts += _bin_or_roll(rng, (x, y, -depth / 2 + 0.05), width, room, depth, shade)
        x += width + 0.04
    return parts


def _bin_or_roll(rng: Rng, at: Vector, width: float, room: float, depth: float, color: Color) -> list[Part]:
    x, y, z = at
    if rng.random() < 0.2:
        radius = min(width, depth - 0.15) / 2
        rings = [(0.0, radius), (room * rng.uniform(0.6, 0.95), radius)]
        lid = [(radius, tint(color, 1.1)), (radius * 0.3, tint(color, 0.5))]
        return [turned(rings, [color], lid, centre=(x + radius, y, z + radius), segments=20)]
    height, end = room * rng.uniform(0.5, 0.92), depth / 2 - 0.06
    body = cuboid((x, y, z), (x + width, y + height * 0.84, end), color, 0.01)
    body.decal("front", (0.3, 0.3, 0.7, 0.62), tint(color, 1.25) if rng.random() < 0.6 else (236, 234, 226))
    rim = cuboid(
        (x - 0.01, y + height * 0.84, z - 0.012), (x + width + 0.01, y + height, end), tint(color, 0.88)
    )
    return [body, rim]


def ladder(rng: Rng, world: World) -> list[Part]:
    """A step ladder: front stiles with treads, rear stiles, a platform; stiles in pieces that sort well."""
    color = pick(rng, world, "ladder")
    steps = int(rng.integers(4, 7))
    rise, run = 0.27, 0.1
    reach = steps * run
    parts: list[Part] = []
    for k in range(steps):
        z, y, half = -reach + k * run, k * rise, 0.27 - 0.015 * k
        for x in (-half - 0.03, half):
            parts.append(leaning((x, y, z), (0.035, rise, 0.06), run, color))
            parts.append(leaning((x, y, reach * 0.8 - k * run * 0.8), (0.03, rise, 0.035), -run * 0.8, color))
        parts.append(
            cuboid(
                (-half, y + rise - 0.03, z + run * 0.8), (half, y + rise, z + run + 0.09), tint(color, 0.85)
            )
        )
    parts.append(
        cuboid((-0.22, steps * rise, -0.06), (0.22, steps * rise + 0.05, 0.2), tint(color, 0.7), 0.02)
    )
    return parts
