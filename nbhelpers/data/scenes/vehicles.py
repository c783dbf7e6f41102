"""Forklift and pallet jack."""

import numpy as np

from nbhelpers.data.scenes.mesh import Color, Part, Vector, cuboid, tint, turned
from nbhelpers.data.scenes.objects import Rng, leaning, pick
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
        part = leaning((-0.04, 0.5 + k * 0.17, 0.2), (0.05, 0.17, 0.05), -0.1, dark)
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
