"""Where things stand: classes dealt evenly, then positions that fit the picture and do not collide."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nbhelpers.data.scenes import objects, racks, vehicles
from nbhelpers.data.scenes.camera import Camera
from nbhelpers.data.scenes.mesh import Part, may_hide, paint_order
from nbhelpers.data.scenes.world import World

Rng = np.random.Generator
BUILDERS: Mapping[str, Callable[[Rng, World], list[Part]]] = {
    **{"box": objects.box, "pallet": objects.pallet, "barrel": objects.barrel, "cone": objects.cone},
    **{"forklift": vehicles.forklift, "shelf": racks.shelf},
    **{"ladder": racks.ladder, "pallet_jack": vehicles.pallet_jack},
}
# Large things look for a place first; small ones fill what is left.
_FIRST = ("forklift", "shelf", "pallet_jack", "ladder", "pallet", "barrel", "cone", "box")
_LARGE = ("shelf", "forklift", "ladder", "pallet_jack")
SIZE_SHARE = (0.08, 0.44)
_TRIES = 90
_UNIT_CUBE = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=bool)


@dataclass(frozen=True, eq=False)
class Shape:
    """The body of an object in its own frame: its class, its parts, their bounds (P, 3) and its own (3,).

    `reach` is how far it goes from its vertical axis, metres.
    """

    name: str
    parts: list[Part]
    part_low: np.ndarray
    part_high: np.ndarray
    low: np.ndarray
    high: np.ndarray
    reach: float


def build(rng: Rng, world: World, name: str) -> Shape:
    """Make one body of a class; no two are alike."""
    parts = BUILDERS[name](rng, world)
    low, high = np.stack([part.low for part in parts]), np.stack([part.high for part in parts])
    ends = low.min(axis=0), high.max(axis=0)
    reach = float(np.hypot(*np.maximum(np.abs(ends[0]), np.abs(ends[1]))[[0, 2]]))
    return Shape(name, parts, low, high, *ends, reach)


@dataclass(frozen=True, eq=False)
class Thing:
    """One object in the scene: its body, and where it stands."""

    shape: Shape
    x: float
    y: float
    z: float
    yaw: float

    @cached_property
    def turn(self) -> np.ndarray:
        """Rotation about the vertical axis, (3, 3)."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])

    @cached_property
    def corners(self) -> np.ndarray:
        """The eight corners of the bounding cuboid in the room, (8, 3)."""
        return self.cuboids(self.shape.low[None], self.shape.high[None])[0]

    @cached_property
    def part_corners(self) -> np.ndarray:
        """The eight corners round every part in the room, (P, 8, 3)."""
        return self.cuboids(self.shape.part_low, self.shape.part_high)

    def cuboids(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Corners in the room (N, 8, 3) of cuboids (N, 3) given in the body's own frame."""
        corners = np.where(_UNIT_CUBE, high[:, None], low[:, None])
        return self.to_world(corners.reshape(-1, 3)).reshape(-1, 8, 3)

    @property
    def name(self) -> str:
        """Class of the object."""
        return self.shape.name

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Turn and move points (N, 3) from the body's frame into the room."""
        return points @ self.turn.T + np.array([self.x, self.y, self.z])

    def eye(self, position: np.ndarray) -> np.ndarray:
        """A point of the room (3,) seen from the body's own frame."""
        return (position - np.array([self.x, self.y, self.z])) @ self.turn


def arrange(rng: Rng, world: World, camera: Camera, wall_m: float) -> list[Thing]:
    """Deal classes and find a place for each; what finds none within 90 tries stays out."""
    count = int(rng.integers(world.objects[0], world.objects[1] + 1))
    deck = [name for _ in range(2) for name in map(str, rng.permutation(world.classes))][:count]
    things: list[Thing] = []
    for name in sorted(deck, key=_FIRST.index):
        placed = _place(rng, build(rng, world, name), things, camera, wall_m)
        if placed is not None:
            things.append(placed)
    return things


def _place(rng: Rng, shape: Shape, things: list[Thing], camera: Camera, wall_m: float) -> Thing | None:
    for attempt in range(_TRIES):
        thing = _candidate(rng, shape, things, camera, wall_m, attempt)
        if thing is not None and _fits(thing, things, camera, wall_m):
            return thing
    return None


def _candidate(
    rng: Rng, shape: Shape, things: list[Thing], camera: Camera, wall_m: float, attempt: int
) -> Thing | None:
    if shape.name in ("box", "barrel") and attempt < 12 and rng.random() < 0.45:
        return _on_top(rng, shape, things)
    row = shape.name == "shelf" and attempt < 60  # shelves stand along the back wall
    if row:
        z = wall_m - float(shape.high[2]) - 0.08
    else:
        # Even in depth, not in the picture: large things need the room behind.
        z = wall_m * rng.uniform(0.5, 1) if shape.name in _LARGE else rng.uniform(2.2, wall_m)
    x = z * np.tan(camera.yaw) + rng.uniform(-0.5, 0.5) * camera.width / camera.focal_px * z
    spread = 0.012 if row else 0.35 if shape.name in ("shelf", "pallet", "box") else np.pi
    return Thing(shape, float(x), 0.0, float(z), float(spread * np.clip(rng.normal(), -2, 2)))


def _on_top(rng: Rng, shape: Shape, things: list[Thing]) -> Thing | None:
    """Stand on a free pallet, or a box on a box."""
    bases = [t for t in things if t.name == "pallet" or (shape.name == t.name == "box" and t.y == 0)]
    if not bases:
        return None
    base = bases[int(rng.integers(len(bases)))]
    spare = ((base.shape.high - base.shape.low) - (shape.high - shape.low))[[0, 2]] / 2
    if spare.min() < -0.08:
        return None
    shift = np.array([rng.uniform(-1, 1) * max(0.0, spare[0]), 0.0, rng.uniform(-1, 1) * max(0.0, spare[1])])
    spot = base.to_world(shift[None])[0]
    height = base.y + float(base.shape.high[1])
    return Thing(shape, float(spot[0]), height, float(spot[2]), base.yaw + float(rng.normal(0, 0.06)))


def _fits(thing: Thing, things: list[Thing], camera: Camera, wall_m: float) -> bool:
    corners = thing.corners
    if corners[:, 2].max() > wall_m - 0.03 or camera.depth(corners).min() < 1.2:
        return False
    if not all(apart(thing, other) for other in things):
        return False
    seen = camera.project(thing.part_corners.reshape(-1, 3))
    (left, top), (right, bottom) = seen.min(axis=0), seen.max(axis=0)
    share = max(right - left, bottom - top) / max(camera.width, camera.height)
    if not SIZE_SHARE[0] <= share <= SIZE_SHARE[1]:
        return False
    shown_x = min(right, camera.width) - max(left, 0)
    shown_y = min(bottom, camera.height) - max(top, 0)
    return bool(shown_x >= 0.75 * (right - left) and shown_y >= 0.75 * (bottom - top))


def _axes(a: Thing, b: Thing) -> np.ndarray:
    """The directions along which two upright cuboids can be told apart, (5, 3)."""
    return np.stack([a.turn[:, 0], a.turn[:, 2], b.turn[:, 0], b.turn[:, 2], np.array([0.0, 1.0, 0.0])])


def apart(a: Thing, b: Thing, gap_m: float = 0.06) -> bool:
    """Whether two things leave `gap_m` between them on the floor, or stand on one another."""
    reach = a.shape.reach + b.shape.reach + gap_m
    if (a.x - b.x) ** 2 + (a.z - b.z) ** 2 >= reach**2:
        return True
    along_a, along_b = a.corners @ _axes(a, b).T, b.corners @ _axes(a, b).T
    gaps = np.maximum(along_a.min(0) - along_b.max(0), along_b.min(0) - along_a.max(0))
    return bool((gaps[:4] >= gap_m).any() or gaps[4] >= -1e-6)


def things_order(things: list[Thing], camera: Camera) -> list[int]:
    """Back-to-front order of whole things."""
    eye, count = camera.position, len(things)
    hides = np.zeros((count, count), dtype=bool)
    for i, a in enumerate(things):
        for j, b in enumerate(things):
            axes = _axes(a, b)
            along = np.stack([a.corners @ axes.T, b.corners @ axes.T])
            hides[i, j] = may_hide(along.min(axis=1), along.max(axis=1), axes @ eye)[0, 1]
    distance = np.array([np.linalg.norm(thing.corners.mean(axis=0) - eye) for thing in things])
    return paint_order(hides, distance)
