"""Where things stand: classes dealt evenly, then positions that fit the picture and do not collide."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nbhelpers.data.scenes import machines, objects
from nbhelpers.data.scenes.camera import Camera
from nbhelpers.data.scenes.mesh import Part, may_hide, paint_order
from nbhelpers.data.scenes.world import World

Rng = np.random.Generator
BUILDERS: Mapping[str, Callable[[Rng, World], list[Part]]] = {
    **{"box": objects.box, "pallet": objects.pallet, "barrel": objects.barrel, "cone": objects.cone},
    **{"forklift": machines.forklift, "shelf": machines.shelf},
    **{"ladder": machines.ladder, "pallet_jack": machines.pallet_jack},
}
# Large things look for a place first; small ones fill what is left.
_FIRST = ("shelf", "forklift", "pallet_jack", "ladder", "pallet", "barrel", "box", "cone")
SIZE_SHARE = (0.08, 0.45)
_TRIES = 60


@dataclass
class Thing:
    """One object in the scene: its class, body parts in its own frame, and where it stands."""

    name: str
    parts: list[Part]
    x: float
    y: float
    z: float
    yaw: float

    @property
    def low(self) -> np.ndarray:
        """Lower corner of the body in its own frame, (3,)."""
        return np.min([part.low for part in self.parts], axis=0)

    @property
    def high(self) -> np.ndarray:
        """Upper corner of the body in its own frame, (3,)."""
        return np.max([part.high for part in self.parts], axis=0)

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Turn and move points (N, 3) from the body's frame into the room."""
        return points @ self.turn.T + np.array([self.x, self.y, self.z])

    @property
    def turn(self) -> np.ndarray:
        """Rotation about the vertical axis, (3, 3)."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])

    def corners(self) -> np.ndarray:
        """The eight corners of the bounding cuboid in the room, (8, 3)."""
        ends = np.stack([self.low, self.high])
        grid = np.array(
            [[ends[i, 0], ends[j, 1], ends[k, 2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
        )
        return self.to_world(grid)

    def eye(self, position: np.ndarray) -> np.ndarray:
        """A point of the room (3,) seen from the body's own frame."""
        return (position - np.array([self.x, self.y, self.z])) @ self.turn


def arrange(rng: Rng, world: World, camera: Camera, wall_m: float) -> list[Thing]:
    """Deal classes and find a place for each; what finds none within 60 tries stays out."""
    count = int(rng.integers(world.objects[0], world.objects[1] + 1))
    deck = [name for _ in range(2) for name in map(str, rng.permutation(world.classes))][:count]
    things: list[Thing] = []
    for name in sorted(deck, key=_FIRST.index):
        parts = BUILDERS[name](rng, world)
        placed = _place(rng, name, parts, things, camera, wall_m)
        if placed is not None:
            things.append(placed)
    return things


def _place(
    rng: Rng, name: str, parts: list[Part], things: list[Thing], camera: Camera, wall_m: float
) -> Thing | None:
    for attempt in range(_TRIES):
        thing = _candidate(rng, name, parts, things, camera, wall_m, attempt)
        if thing is not None and _fits(thing, things, camera, wall_m):
            return thing
    return None


def _candidate(
    rng: Rng, name: str, parts: list[Part], things: list[Thing], camera: Camera, wall_m: float, attempt: int
) -> Thing | None:
    if name in ("box", "barrel") and attempt < 12 and rng.random() < 0.45:
        return _on_top(rng, name, parts, things)
    u, v = rng.uniform(0.04, 0.96) * camera.width, rng.uniform(0.2, 0.98) * camera.height
    spot = camera.floor_point(u, v)
    if spot is None:
        return None
    yaw = float(rng.uniform(-np.pi, np.pi))
    if name in ("shelf", "pallet", "box"):
        yaw = float(rng.normal(0, 0.35))
    thing = Thing(name, parts, spot[0], 0.0, spot[1], yaw)
    if name == "shelf" and attempt < 40:
        thing.yaw, thing.z = float(rng.normal(0, 0.015)), wall_m - float(thing.high[2]) - 0.08
    return thing


def _on_top(rng: Rng, name: str, parts: list[Part], things: list[Thing]) -> Thing | None:
    """Stand on a free pallet, or a box on a box."""
    bases = [t for t in things if t.name == "pallet" or (name == t.name == "box" and t.y == 0)]
    if not bases:
        return None
    base = bases[int(rng.integers(len(bases)))]
    spare = (base.high - base.low - np.max([p.high - p.low for p in parts], axis=0))[[0, 2]] / 2
    if spare.min() < -0.08:
        return None
    shift = np.array([rng.uniform(-1, 1) * max(0.0, spare[0]), 0.0, rng.uniform(-1, 1) * max(0.0, spare[1])])
    spot = base.to_world(shift[None])[0]
    height = base.y + float(base.high[1])
    return Thing(name, parts, float(spot[0]), height, float(spot[2]), base.yaw + float(rng.normal(0, 0.06)))


def _fits(thing: Thing, things: list[Thing], camera: Camera, wall_m: float) -> bool:
    corners = thing.corners()
    if corners[:, 2].max() > wall_m - 0.03 or min(camera.depth(c) for c in corners) < 1.2:
        return False
    seen = camera.project(corners)
    (left, top), (right, bottom) = seen.min(axis=0), seen.max(axis=0)
    share = max(right - left, bottom - top) / max(camera.width, camera.height)
    if not SIZE_SHARE[0] <= share <= SIZE_SHARE[1]:
        return False
    shown_x = min(right, camera.width) - max(left, 0)
    shown_y = min(bottom, camera.height) - max(top, 0)
    if shown_x < 0.75 * (right - left) or shown_y < 0.75 * (bottom - top):
        return False
    return all(apart(thing, other) for other in things)


def _axes(a: Thing, b: Thing) -> np.ndarray:
    """The directions along which two upright cuboids can be told apart, (5, 3)."""
    return np.stack([a.turn[:, 0], a.turn[:, 2], b.turn[:, 0], b.turn[:, 2], np.array([0.0, 1.0, 0.0])])


def apart(a: Thing, b: Thing, gap_m: float = 0.06) -> bool:
    """Whether two things leave `gap_m` between them on the floor, or stand on one another."""
    along_a, along_b = a.corners() @ _axes(a, b).T, b.corners() @ _axes(a, b).T
    gaps = np.maximum(along_a.min(0) - along_b.max(0), along_b.min(0) - along_a.max(0))
    return bool((gaps[:4] >= gap_m).any() or gaps[4] >= -1e-6)


def things_order(things: list[Thing], camera: Camera) -> list[int]:
    """Back-to-front order of whole things."""
    eye, count = camera.position, len(things)
    hides = np.zeros((count, count), dtype=bool)
    for i, a in enumerate(things):
        for j, b in enumerate(things):
            axes = _axes(a, b)
            along = np.stack([a.corners() @ axes.T, b.corners() @ axes.T])
            hides[i, j] = may_hide(along.min(axis=1), along.max(axis=1), axes @ eye)[0, 1]
    distance = np.array([np.linalg.norm(thing.corners().mean(axis=0) - eye) for thing in things])
    return paint_order(hides, distance)
