"""How one video looks: camera, colours, clutter and light, drawn once and kept for all its frames."""

from dataclasses import dataclass, replace

import numpy as np

from nbhelpers.data.operations.camera import Camera, Color
from nbhelpers.data.operations.timeline import Timeline
from nbhelpers.data.operations.world import Colors


@dataclass(frozen=True)
class Passer:
    """Somebody or something that crosses the picture: `x = x_m + speed_m_s * (t - start_s)`."""

    start_s: float
    x_m: float
    speed_m_s: float
    near: bool
    color: Color


@dataclass(frozen=True)
class Look:
    """Everything about a video's picture that does not change while it runs; colours are RGB, 0..255."""

    camera: Camera
    colors: dict[str, Color]
    items: tuple[Color, ...]
    wall: str
    vest: bool
    cap: bool
    box_size: tuple[float, float, float]
    box_at: tuple[float, float]
    clutter: tuple[tuple[str, float, float, Color], ...]
    post: tuple[float, float] | None
    passers: tuple[Passer, ...]
    gain: tuple[float, float, float]
    vignette: float
    noise: float
    shelf_bins: tuple[Color, ...]
    patterned: bool
    tempo: float


def rgb(text: str) -> Color:
    """Red, green and blue, 0..255, of "#rrggbb"."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def shade(color: Color, factor: float) -> Color:
    """A lighter (> 1) or darker colour."""
    red, green, blue = color
    return (
        min(255, int(red * factor)),
        min(255, int(green * factor)),
        min(255, int(blue * factor)),
    )


_PALETTES = (
    "box", "tape", "box_label", "shipping", "shirt", "vest", "table", "wall", "tote", "scanner", "beam",
    "gun", "skin", "hair",
)  # fmt: skip


def draw_look(timeline: Timeline, camera: int = 0) -> Look:
    """Draw the look of a video from its world's ranges; the same for the same timeline and camera.

    Other cameras than 0 see the same worker, things and passers-by from elsewhere, with a sensor of their
    own and perhaps something else in front of them.
    """
    look = _draw_look(timeline)
    if camera == 0:
        return look
    rng, world = timeline.generator(f"camera {camera}"), timeline.world
    return replace(
        look,
        camera=_draw_camera(rng, timeline),
        post=_draw_post(rng, timeline),
        gain=_draw_gain(rng, timeline),
        vignette=float(rng.uniform(*world.vignette)),
        noise=float(rng.uniform(*world.noise)),
    )


def _draw_look(timeline: Timeline) -> Look:
    rng, world = timeline.generator("look"), timeline.world
    colors = {name: _vary(rng, getattr(world, name)) for name in _PALETTES}
    return Look(
        camera=_draw_camera(rng, timeline),
        colors=colors,
        items=tuple(_vary(rng, world.items) for _ in range(4)),
        wall=str(rng.choice(world.walls)),
        vest=bool(rng.random() < 0.5),
        cap=bool(rng.random() < 0.4),
        box_size=_draw_box_size(rng),
        box_at=(float(rng.uniform(-0.07, 0.07)), float(rng.uniform(0.3, 0.38))),
        clutter=tuple(_draw_clutter(rng, timeline)),
        post=_draw_post(rng, timeline),
        passers=tuple(_draw_passers(rng, timeline)),
        gain=_draw_gain(rng, timeline),
        vignette=float(rng.uniform(*world.vignette)),
        noise=float(rng.uniform(*world.noise)),
        shelf_bins=tuple(_vary(rng, world.tote + world.items) for _ in range(9)),
        patterned=world.patterned,
        tempo=float(rng.uniform(0.8, 1.25)),
    )


def _vary(rng: np.random.Generator, colors: Colors) -> Color:
    """One of the colours, a little off."""
    base = np.array(rgb(colors[int(rng.integers(len(colors)))]))
    red, green, blue = np.clip(base * rng.uniform(0.92, 1.08) + rng.uniform(-8, 8, 3), 0, 255).astype(int)
    return int(red), int(green), int(blue)


def _draw_camera(rng: np.random.Generator, timeline: Timeline) -> Camera:
    view = timeline.world.views[int(rng.integers(len(timeline.world.views)))]
    target = (float(rng.uniform(-0.08, 0.08)), 0.5, float(rng.uniform(0.12, 0.24)))
    yaw, pitch = float(rng.uniform(*view.yaw_deg)), float(rng.uniform(*view.pitch_deg))
    return Camera(yaw, pitch, float(rng.uniform(*view.width_m)), target, float(rng.uniform(-3, 3)))


def _draw_box_size(rng: np.random.Generator) -> tuple[float, float, float]:
    width, depth, height = (np.array([0.48, 0.36, 0.28]) * rng.uniform(0.9, 1.15, 3)).tolist()
    return width, depth, height


def _draw_gain(rng: np.random.Generator, timeline: Timeline) -> tuple[float, float, float]:
    world = timeline.world
    gain = np.exp(rng.uniform(*np.log(world.gain)))  # as many dark pictures as bright ones, in stops
    red, green, blue = (gain * (1 + rng.uniform(-world.cast, world.cast, 3))).tolist()
    return red, green, blue


def _draw_post(rng: np.random.Generator, timeline: Timeline) -> tuple[float, float] | None:
    """Something that stands in front of the scene: where, 0..1 of the width, and how wide, metres."""
    if rng.random() >= timeline.world.blocked:
        return None
    return float(rng.uniform(0.05, 0.95)), float(rng.uniform(0.05, 0.1))


def _draw_clutter(rng: np.random.Generator, timeline: Timeline) -> list[tuple[str, float, float, Color]]:
    """Idle things on the table's edges: never where the work is done."""
    low, high = timeline.world.clutter
    spots = [(-0.82, 0.08), (-0.5, 0.06), (0.55, 0.06), (0.82, 0.1), (0.62, 0.6), (-0.85, 0.6)]
    chosen = rng.permutation(len(spots))[: int(rng.integers(low, high + 1))]
    kinds = ("block", "cup", "paper", "roll", "box")
    return [
        (str(rng.choice(kinds)), *spots[int(k)], _vary(rng, timeline.world.items + timeline.world.tote))
        for k in chosen
    ]


def _draw_passers(rng: np.random.Generator, timeline: Timeline) -> list[Passer]:
    """About one crossing behind the worker per 12 s, and one close to the camera per 24 s."""
    passers = []
    for near, rate in ((False, 1 / 12), (True, 1 / 24)):
        for _ in range(int(rng.poisson(rate * timeline.duration_s))):
            toward = float(rng.choice([-1.0, 1.0]))
            color = _vary(rng, timeline.world.shirt)
            start = float(rng.uniform(-1.0, timeline.duration_s))
            speed = toward * float(rng.uniform(1.2, 2.4) if near else rng.uniform(0.5, 1.4))
            passers.append(Passer(start, -1.6 * toward, speed, near, color))
    return passers
