"""The large things of a warehouse: forklift, shelf; and the two that only a shifted world has."""

import numpy as np

from nbhelpers.data.scenes.mesh import Color, Part, Vector, cuboid, tint, turned
from nbhelpers.data.scenes.objects import Rng, pick
from nbhelpers.data.scenes.world import World

TYRE: Color = (44, 45, 48)
HUB: Color = (170, 172, 170)


def forklift(rng: Rng, world: World) -> list[Part]:
    """A counterbalance truck facing +x: body, weight, seat, guard, mast, carriage, forks, four wheels."""
    color, dark, steel = (pick(rng, world, name) for name in ("truck", "dark", "metal"))
    lift = float(rng.choice([0.0, 0.0, 0.15, 0.4]))
    parts = [
        cuboid((-0.62, 0.16, -0.4), (0.56, 0.52, 0.4), color, 0.02),
        cuboid((-1.0, 0.2, -0.44), (-0.62, 0.86, 0.44), dark, 0.03, 1.25),
        cuboid((-0.62, 0.52, -0.38), (-0.2, 0.82, 0.38), color, 0.02),
        cuboid((-0.5, 0.82, -0.22), (-0.12, 0.9, 0.22), tint(dark, 0.8)),
        cuboid((-0.6, 0.9, -0.22), (-0.5, 1.24, 0.22), tint(dark, 0.8)),
        cuboid((0.36, 0.52, -0.34), (0.5, 0.94, 0.34), tint(color, 0.9), 0.02),
        cuboid((0.26, 0.94, -0.12), (0.34, 0.98, 0.12), (30, 30, 32)),
        cuboid((-0.9, 1.76, -0.42), (0.52, 1.82, 0.42), dark, 0.04, 1.3),
    ]
    parts[1].decal("left", (0.1, 0.55, 0.9, 0.72), color)
    parts[0].decal("front", (0.2, 0.42, 0.62, 0.7), tint(color, 0.72))
    parts += _guard_posts(dark) + _mast(steel, dark, lift) + _forks(dark, lift)
    for x, radius in ((0.4, 0.25), (-0.66, 0.2)):
        for z in (-0.5, 0.4):
            parts.append(_wheel((x, radius, z), radius, 0.1))
    return parts


def _guard_posts(color: Color) -> list[Part]:
    posts = [cuboid((x, 0.86, z), (x + 0.05, 1.76, z + 0.05), color) for x in (-0.88,) for z in (-0.4, 0.35)]
    return posts + [cuboid((0.44, 0.52, z), (0.5, 1.76, z + 0.05), color) for z in (-0.4, 0.35)]


def _mast(steel: Color, dark: Color, lift: float) -> list[Part]:
    """Two uprights, cross members, the ram between them."""
    parts = [cuboid((0.66, 0.08, z), (0.78, 1.98, z + 0.09), tint(dark, 1.25), 0.02) for z in (-0.34, 0.25)]
    parts += [cuboid((0.68, y, -0.25), (0.76, y + 0.08, 0.25), dark) for y in (0.3, 1.16, 1.88)]
    ram = turned([(0.38, 0.035), (1.16, 0.035)], [steel], centre=(0.72, 0, 0), segments=12)
    return [*parts, ram]


def _forks(dark: Color, lift: float) -> list[Part]:
    """Carriage with a load guard and two forks, `lift` metres above the floor."""
    parts = [
        cuboid((0.8, 0.12 + lift + dy, -0.42), (0.86, 0.2 + lift + dy, 0.42), dark) for dy in (0.0, 0.34)
    ]
    parts += [
        cuboid((0.8, 0.54 + lift, z - 0.015), (0.84, 0.94 + lift, z + 0.015), dark)
        for z in (-0.38, -0.13, 0.13, 0.38)
    ]
    parts.append(cuboid((0.8, 0.94 + lift, -0.42), (0.84, 0.98 + lift, 0.42), dark))
    for z in (-0.3, 0.18):
        parts.append(cuboid((0.87, 0.04 + lift, z), (0.92, 0.5 + lift, z + 0.12), tint(dark, 0.8)))
        parts.append(cuboid((0.92, 0.04 + lift, z), (1.62, 0.08 + lift, z + 0.12), tint(dark, 1.15)))
    return parts


def _wheel(centre: Vector, radius: float, width: float) -> Part:
    """A tyre with its hub, axle along z, from `centre` z to z + width."""
    rings = [(0.0, radius * 0.86), (width * 0.2, radius), (width * 0.8, radius), (width, radius * 0.86)]
    hub = [(radius * 0.86, TYRE), (radius * 0.5, HUB), (radius * 0.2, tint(HUB, 0.6))]
    wheel = turned(rings, [TYRE, tint(TYRE, 1.15), TYRE], hub, axis=2, centre=centre, segments=24)
    # The other flat side: the same discs, mirrored in z, with their corners in reverse order.
    for polygon, color in zip(wheel.polygons[-3:], wheel.colors[-3:], strict=True):
        other = polygon[::-1].copy()
        other[:, 2] = centre[2]
        wheel.polygons.append(other)
        wheel.colors.append(color)
    return wheel


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
            parts.append(_leaning((x, y, z), (0.035, rise, 0.06), run, color))
            parts.append(
                _leaning((x, y, reach * 0.8 - k * run * 0.8), (0.03, rise, 0.035), -run * 0.8, color)
            )
        parts.append(
            cuboid(
                (-half, y + rise - 0.03, z + run * 0.8), (half, y + rise, z + run + 0.09), tint(color, 0.85)
            )
        )
    parts.append(
        cuboid((-0.22, steps * rise, -0.06), (0.22, steps * rise + 0.05, 0.2), tint(color, 0.7), 0.02)
    )
    return parts


def _leaning(base: Vector, size: Vector, lean: float, color: Color) -> Part:
    """A cuboid sheared along z by `lean` over its height."""
    low, high = np.array(base), np.array(base) + np.array(size)
    part = cuboid((low[0], low[1], low[2]), (high[0], high[1], high[2]), color)
    for polygon in part.polygons:
        polygon[:, 2] += lean * (polygon[:, 1] - low[1]) / size[1]
    points = np.concatenate(part.polygons)
    part.low, part.high = points.min(axis=0), points.max(axis=0)
    return part


def pallet_jack(rng: Rng, world: World) -> list[Part]:
    """A hand pallet truck facing +x: two forks, pump body, tilted handle, wheels."""
    color, dark = pick(rng, world, "jack"), pick(rng, world, "dark")
    parts = [cuboid((-0.1, 0.06, z), (1.0, 0.13, z + 0.16), color, 0.012) for z in (-0.27, 0.11)]
    parts.append(cuboid((-0.32, 0.08, -0.26), (-0.1, 0.26, 0.26), color, 0.015))
    parts.append(
        turned(
            [(0.26, 0.07), (0.5, 0.07)], [dark], [(0.07, tint(dark, 1.3))], centre=(-0.2, 0, 0), segments=16
        )
    )
    for k in range(4):
        part = _leaning((-0.04, 0.5 + k * 0.17, 0.2), (0.05, 0.17, 0.05), -0.1, dark)
        # Lean along -x instead of z: swap the two axes, reversing corners to keep normals outward.
        parts.append(_swap_xz(part, k))
    grip_x = -0.2 - 0.4
    parts.append(cuboid((grip_x - 0.04, 1.18, -0.2), (grip_x + 0.03, 1.24, 0.2), dark))
    parts += [_wheel((-0.24, 0.085, z), 0.085, 0.05) for z in (-0.12, 0.07)]
    return parts


def _swap_xz(part: Part, k: int) -> Part:
    polygons = [p[::-1][:, [2, 1, 0]] - np.array([0.42 + 0.1 * k, 0.0, 0.0]) for p in part.polygons]
    points = np.concatenate(polygons)
    return Part(points.min(axis=0), points.max(axis=0), polygons, part.colors)
