"""The small things of a warehouse: box, pallet, barrel, cone."""

import numpy as np

from nbhelpers.data.scenes.mesh import Color, Part, Vector, cuboid, face_rect, rgb, tint, turned
from nbhelpers.data.scenes.world import World

Rng = np.random.Generator


def pick(rng: Rng, world: World, material: str) -> Color:
    """One of the world's colours of a material, a little lighter or darker each time."""
    choices = world.colors[material]
    return tint(rgb(choices[int(rng.integers(len(choices)))]), float(rng.uniform(0.93, 1.06)))


def box(rng: Rng, world: World) -> list[Part]:
    """A carton with tape along its top and two sides, a label, sometimes a printed mark."""
    width, depth, height = rng.uniform(0.46, 0.78), rng.uniform(0.4, 0.62), rng.uniform(0.34, 0.62)
    color, tape = pick(rng, world, "carton"), pick(rng, world, "tape")
    body = cuboid((-width / 2, 0, -depth / 2), (width / 2, height, depth / 2), color, edge_m=0.012)
    body.decal("top", (0, 0.485, 1, 0.515), tint(color, 0.72))
    body.decal("top", (0, 0.43, 1, 0.57), tape)
    reach = rng.uniform(0.62, 0.82)
    for face in ("left", "right"):
        body.decal(face, (0.43, reach, 0.57, 1), tape)
    for face in ("front", "back"):
        _label(rng, body, face)
        if rng.random() < 0.5:
            _arrows(body, face, tint(color, 0.6))
    return [body]


def _label(rng: Rng, body: Part, face: str) -> None:
    """A white sticker with a bar code."""
    x, y = rng.uniform(0.52, 0.62), rng.uniform(0.42, 0.56)
    body.decal(face, (x, y, x + 0.3, y + 0.3), (238, 236, 228))
    for left in np.linspace(x + 0.03, x + 0.24, 6):
        body.decal(face, (left, y + 0.1, left + float(rng.uniform(0.008, 0.025)), y + 0.26), (58, 58, 60))
    body.decal(face, (x + 0.03, y + 0.03, x + 0.2, y + 0.06), (120, 120, 122))


def _arrows(body: Part, face: str, color: Color) -> None:
    """Two "this side up" marks."""
    for left in (0.1, 0.21):
        body.decal(face, (left + 0.025, 0.14, left + 0.05, 0.26), color)
        head = face_rect(body.low, body.high, face, (left, 0.25, left + 0.075, 0.38))
        body.polygons.append(np.array([head[0], head[1], (head[2] + head[3]) / 2]))
        body.colors.append(color)


def pallet(rng: Rng, world: World) -> list[Part]:
    """Deck boards with gaps, nine blocks, three runners: one can look through it from the side."""
    width, depth, thick = 1.2, rng.uniform(0.8, 1.0), 0.035
    wood = pick(rng, world, "wood")
    parts = [_plank((x, 0, 0), (0.11, thick, depth), _aged(rng, wood)) for x in (-0.545, 0, 0.545)]
    for x in (-0.545, 0, 0.545):
        for z in (-depth / 2 + 0.07, 0, depth / 2 - 0.07):
            parts.append(_plank((x, thick, z), (0.12, 0.09, 0.13), tint(_aged(rng, wood), 0.86)))
    count = int(rng.integers(5, 8))
    board = depth / (count + (count - 1) * 0.42)
    for z in np.linspace(-depth / 2 + board / 2, depth / 2 - board / 2, count):
        parts.append(_plank((0, thick + 0.09, z), (width, thick, board), _aged(rng, wood), rng))
    return parts


def _aged(rng: Rng, wood: Color) -> Color:
    return tint(wood, float(rng.uniform(0.86, 1.12)))


def _plank(
    base: tuple[float, float, float], size: tuple[float, float, float], color: Color, rng: Rng | None = None
) -> Part:
    """A piece of timber standing on `base` (middle of its underside); a generator adds grain."""
    x, y, z = base
    w, h, d = size
    part = cuboid((x - w / 2, y, z - d / 2), (x + w / 2, y + h, z + d / 2), color)
    if rng is not None:
        for _ in range(3):
            left, low = rng.uniform(0, 0.6), rng.uniform(0.08, 0.85)
            part.decal("top", (left, low, left + rng.uniform(0.2, 0.4), low + 0.07), tint(color, 0.9))
        for nail in (0.04, 0.5, 0.96):
            part.decal("top", (nail - 0.006, 0.3, nail + 0.006, 0.42), tint(color, 0.55))
    return part


def barrel(rng: Rng, world: World) -> list[Part]:
    """A steel drum: two rolling hoops, rims, a lid with bungs, sometimes a paint band, often some rust."""
    radius, height = rng.uniform(0.27, 0.32), rng.uniform(0.82, 0.94)
    color = pick(rng, world, "barrel")
    band = pick(rng, world, "band") if rng.random() < 0.3 else color
    rim, hoop = radius + 0.014, radius + 0.02
    rings = [(0, rim), (0.03, rim), (0.035, radius), (height * 0.32, radius), (height * 0.34, hoop)]
    rings += [(height * 0.37, hoop), (height * 0.39, radius), (height * 0.62, radius), (height * 0.64, hoop)]
    rings += [(height * 0.67, hoop), (height * 0.69, radius), (height - 0.03, radius), (height - 0.025, rim)]
    rings += [(height, rim)]
    dark, light = tint(color, 0.82), tint(color, 1.15)
    shades = [dark, dark, color, light, light, dark, band, light, light, dark, color, dark, light]
    lid = [(rim, light), (rim - 0.022, tint(color, 0.7)), (rim - 0.034, tint(color, 1.02))]
    body = turned(rings, shades, lid, segments=36)
    for x, z, r in ((0.55, 0.3, 0.034), (-0.6, -0.2, 0.02)):
        _disc(body, x * radius, height, z * radius, r, tint(color, 0.5))
    if rng.random() < 0.6:
        _rust(rng, body, radius, height)
    return [body]


def _disc(body: Part, x: float, y: float, z: float, radius: float, color: Color) -> None:
    angles = -np.linspace(0, 2 * np.pi, 14, endpoint=False)
    ring = np.stack([x + radius * np.cos(angles), np.full(14, y), z + radius * np.sin(angles)], axis=1)
    body.polygons.append(ring)
    body.colors.append(color)


def _rust(rng: Rng, body: Part, radius: float, height: float) -> None:
    """Brown blots on the mantle, each a small many-cornered patch that follows the curve."""
    for _ in range(int(rng.integers(4, 12))):
        angle, y = rng.uniform(0, 2 * np.pi), rng.choice([0.1, 0.5, 0.78]) * height + rng.normal(0, 0.05)
        size = rng.uniform(0.015, 0.05)
        turn = np.linspace(0, 2 * np.pi, 9, endpoint=False)
        reach = size * rng.uniform(0.6, 1.2, 9)
        around, up = (
            angle - reach * np.cos(turn) / radius,
            np.clip(y + reach * np.sin(turn), 0.04, height - 0.04),
        )
        blot = np.stack([radius * np.cos(around), up, radius * np.sin(around)], axis=1)
        body.polygons.append(blot)
        body.colors.append(tint((122, 78, 52), float(rng.uniform(0.8, 1.15))))


def cone(rng: Rng, world: World) -> list[Part]:
    """A traffic cone: square foot, tapering body with one or two light bands."""
    height, foot = rng.uniform(0.62, 0.86), rng.uniform(0.2, 0.24)
    color, band = pick(rng, world, "cone"), pick(rng, world, "band")
    sole = cuboid((-foot, 0, -foot), (foot, 0.04, foot), tint(color, 0.85), edge_m=0.015)
    low, high = foot * 0.78, 0.03
    cuts = [0.0, 0.34, 0.54, 0.68, 0.82, 1.0] if rng.random() < 0.6 else [0.0, 0.42, 0.72, 1.0]
    rings = [(0.04 + (height - 0.04) * t, low + (high - low) * t) for t in cuts]
    shades = [band if i % 2 else color for i in range(len(cuts) - 1)]
    return [sole, turned(rings, shades, [(high, tint(color, 0.45))], segments=28)]


def leaning(base: Vector, size: Vector, lean: float, color: Color) -> Part:
    """A cuboid sheared along z by `lean` over its height."""
    low, high = np.array(base), np.array(base) + np.array(size)
    part = cuboid((low[0], low[1], low[2]), (high[0], high[1], high[2]), color)
    for polygon in part.polygons:
        polygon[:, 2] += lean * (polygon[:, 1] - low[1]) / size[1]
    points = np.concatenate(part.polygons)
    part.low, part.high = points.min(axis=0), points.max(axis=0)
    return part
