"""What worker, box and tools do during each operation, as a function of time."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from nbhelpers.data.operations.camera import Point

PRINTER: Point = (0.72, 0.36, 0.14)
TOTE: Point = (-0.64, 0.32, 0.1)
SHELF: Point = (-0.8, 0.98, 0.46)
BACK_TABLE: Point = (0.68, 1.12, 0.1)
CLIPBOARD: Point = (0.3, 0.2, 0.012)


@dataclass(frozen=True)
class Box:
    """The carton: `at` is the middle of its bottom; `rise` 0 (flat) to 1; flaps in degrees, 0 closed, 90 up.

    `tape`: how much of the seam is taped, 0..1; `label` and `shipping`: which labels it bears.
    """

    at: Point
    size: tuple[float, float, float]
    rise: float = 1.0
    flaps: tuple[float, float] = (0.0, 0.0)
    tape: float = 1.0
    label: bool = False
    shipping: bool = False


@dataclass(frozen=True)
class Prop:
    """A thing in use: what it is, where, where it points to and which of the video's item colours it has."""

    kind: str
    at: Point
    to: Point = (0.0, 0.0, 0.0)
    number: int = 0


@dataclass(frozen=True)
class Pose:
    """One instant; `left` and `right` are the hands as the viewer sees them, `shift` moves the body."""

    left: Point
    right: Point
    shift: float = 0.0
    bow: float = 0.0
    gaze: float = 0.0
    box: Box | None = None
    props: tuple[Prop, ...] = ()


@dataclass(frozen=True)
class Moment:
    """How far an operation is: `part` 0..1 of it is over, `beats` movements have been made."""

    part: float
    beats: float
    box: Box

    @property
    def top(self) -> float:
        """Height of the full box above the table."""
        return self.box.size[2]

    def on_box(self, x: float, y: float, z: float) -> Point:
        """A point relative to the middle of the box's bottom, in box widths, depths and heights."""
        (cx, cy, cz), (width, depth, height) = self.box.at, self.box.size
        return cx + x * width, cy + y * depth, cz + z * height


def mix(first: Point, second: Point, share: float) -> Point:
    """The point `share` of the way from first to second, eased at both ends."""
    eased = share * share * (3 - 2 * share)
    ax, ay, az = first
    bx, by, bz = second
    return ax + (bx - ax) * eased, ay + (by - ay) * eased, az + (bz - az) * eased


def lift(point: Point, height: float) -> Point:
    """The point `height` metres higher."""
    return point[0], point[1], point[2] + height


def _wave(beats: float) -> float:
    """0 to 1 and back once per beat."""
    return 0.5 - 0.5 * math.cos(2 * math.pi * beats)


def _carry(beats: float, start: Point, end: Point, height: float) -> tuple[Point, bool, int]:
    """A hand that goes round: loaded from start to end in an arc, back empty; how manieth load."""
    number, phase = int(beats), beats % 1.0
    loaded = phase < 0.6
    share = phase / 0.6 if loaded else 1 - (phase - 0.6) / 0.4
    return lift(mix(start, end, share), height * math.sin(math.pi * share)), loaded, number


def _picking(m: Moment) -> Pose:
    hand, loaded, number = _carry(m.beats, SHELF, lift(TOTE, 0.16), 0.06)
    props = (Prop("item", lift(hand, 0.03), number=number),) if loaded else ()
    return Pose(hand, (-0.22, 0.55, 0.14), shift=-0.3, gaze=-0.7, props=props)


def _relocate(m: Moment) -> Pose:
    item, board = (-0.14, 0.3, 0.0), (0.32, 0.24, 0.02)
    hand, loaded, _ = _carry(m.beats, lift(item, 0.24), lift(board, 0.04), 0.1)
    props = [Prop("parcel", item), Prop("board", board, number=min(3, int(m.beats)))]
    if loaded:
        props.append(Prop("sticker", hand))
    return Pose((-0.3, 0.34, 0.14), hand, bow=0.3, gaze=0.2, props=tuple(props))


def _assemble(m: Moment) -> Pose:
    rise = min(1.0, 0.08 + 1.05 * max(0.0, m.part - 0.1))
    box = replace(m.box, rise=rise, flaps=(75 + 50 * rise, 75 + 50 * rise), tape=0.0)
    pull = 0.55 + 0.08 * _wave(m.beats)
    return Pose(m.on_box(-pull, 0, rise), m.on_box(pull, 0, rise), bow=0.2, box=box)


def _insert(m: Moment) -> Pose:
    box = replace(m.box, flaps=(125, 125), tape=0.0)
    hand, loaded, number = _carry(m.beats, lift(TOTE, 0.12), m.on_box(-0.05, 0, 0.85), 0.34)
    props = (Prop("item", lift(hand, -0.05), number=number),) if loaded else ()
    return Pose(hand, m.on_box(0.56, -0.1, 0.9), shift=-0.08, bow=0.25, gaze=-0.3, box=box, props=props)


def _close(m: Moment) -> Pose:
    if m.part < 0.4:
        share = m.part / 0.4
        sides, ends = 110 * (1 - min(1.0, 2 * share)), 110 * (1 - max(0.0, 2 * share - 1))
        reach = 0.45 - 0.25 * share
        box = replace(m.box, flaps=(sides, ends), tape=0.0)
        high = 1.12 + 0.5 * (1 - share)
        return Pose(m.on_box(-reach, 0, high), m.on_box(reach, 0, high), bow=0.2, box=box)
    share = (m.part - 0.4) / 0.6
    gun = m.on_box(share - 0.5, 0, 1.12)
    box = replace(m.box, tape=share)
    props = (Prop("gun", gun),)
    return Pose(m.on_box(-0.45, 0.1, 1.05), lift(gun, 0.13), bow=0.25, gaze=share - 0.4, box=box, props=props)


def _box_label(m: Moment) -> Pose:
    front = m.on_box(0.05, -0.53, 0.55)
    reach = min(1.0, m.part / 0.5)
    hand = mix(lift(PRINTER, 0.1), front, reach)
    if reach < 1.0:
        props: tuple[Prop, ...] = (Prop("label", hand),)
        return Pose(
            m.on_box(-0.54, -0.1, 0.7), hand, shift=0.1, gaze=0.5 * (1 - reach), box=m.box, props=props
        )
    rub = m.on_box(0.05 + 0.12 * (_wave(m.beats) - 0.5), -0.56, 0.9)
    return Pose(m.on_box(-0.54, -0.1, 0.7), rub, bow=0.35, box=replace(m.box, label=True))


def _scan(m: Moment) -> Pose:
    sway = 0.1 * math.sin(2 * math.pi * 0.5 * m.beats)
    gun, target = m.on_box(0.42 + sway, -0.75, 1.25), m.on_box(0.05 + 0.6 * sway, -0.5, 0.5)
    kind = "scanner_on" if m.beats % 1.0 < 0.7 else "scanner"
    return Pose(
        m.on_box(-0.54, -0.1, 0.6),
        gun,
        shift=0.06,
        bow=0.15,
        gaze=0.2,
        box=m.box,
        props=(Prop(kind, gun, target),),
    )


def _shipping(m: Moment) -> Pose:
    down = min(1.0, m.part / 0.45)
    height = 1.04 + 1.3 * (1 - down)
    if down < 1.0:
        props = (Prop("sheet", m.on_box(0, 0, height)),)
        return Pose(m.on_box(-0.36, 0, height), m.on_box(0.36, 0, height), gaze=0.0, box=m.box, props=props)
    rub = 0.3 * (_wave(m.beats) - 0.5)
    box = replace(m.box, shipping=True)
    return Pose(m.on_box(-0.42, 0.1, 1.06), m.on_box(rub + 0.25, 0.2, 1.08), bow=0.3, box=box)


def _put_back(m: Moment) -> Pose:
    share = min(1.0, m.part / 0.85)
    at = lift(mix(m.box.at, BACK_TABLE, share), 0.3 * math.sin(math.pi * share))
    moved = replace(m, box=replace(m.box, at=at))
    hands = moved.on_box(-0.53, -0.2, 0.45), moved.on_box(0.53, -0.2, 0.45)
    return Pose(*hands, shift=0.36 * share, gaze=0.8 * share, box=moved.box)


def _order(m: Moment) -> Pose:
    aside = replace(m.box, at=(-0.42, 0.42, 0.0))
    pen = (CLIPBOARD[0] - 0.07 + 0.14 * (m.beats % 1.0), CLIPBOARD[1] + 0.06 - 0.05 * m.part, 0.09)
    props = (Prop("form", CLIPBOARD, number=int(6 * m.part)), Prop("pen", pen))
    left = (CLIPBOARD[0] - 0.16, CLIPBOARD[1] + 0.02, 0.05)
    return Pose(left, pen, shift=0.22, bow=0.8, gaze=0.25, box=aside, props=props)


ACTIONS: dict[int, Callable[[Moment], Pose]] = {
    100: _picking,
    200: _relocate,
    300: _assemble,
    400: _insert,
    500: _close,
    600: _box_label,
    700: _scan,
    800: _shipping,
    900: _put_back,
    1000: _order,
}


@dataclass
class History:
    """Which labels the box bears; a new box begins with picking or assembling."""

    label: bool = False
    shipping: bool = False
    states: list[tuple[bool, bool]] = field(default_factory=list)

    def enter(self, operation_id: int) -> tuple[bool, bool]:
        """Labels on the box while this operation begins; remembers what it adds."""
        if operation_id in (100, 200, 300):
            self.label = self.shipping = False
        state = self.label, self.shipping
        self.label = self.label or operation_id == 600
        self.shipping = self.shipping or operation_id == 800
        return state
