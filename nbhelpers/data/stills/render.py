"""Still pictures of one or two coloured objects anywhere, with their masks and the truth about them."""

from dataclasses import dataclass

import cv2
import numpy as np

from nbhelpers.data.stills.backdrop import draw_backdrop
from nbhelpers.data.stills.kinds import paint
from nbhelpers.data.stills.layout import Layout, Placed, draw_layout, position, relation
from nbhelpers.data.stills.questions import TASKS, answer, caption, phrasings
from nbhelpers.data.stills.words import LANGUAGES
from nbhelpers.data.stills.world import Shade, StillWorld, find_still_world
from nbhelpers.errors import BadInput

SMALLEST_PX = 64


@dataclass(frozen=True, eq=False)
class StillObject:
    """One object as seen.

    Attributes:
        color: its colour word.
        kind: its kind word.
        box_xyxy: pixels, right and lower edge exclusive, tight around the mask.
        mask: (H, W) bool, True where at least half the pixel shows the object.
        area: pixels of the mask.
    """

    color: str
    kind: str
    box_xyxy: tuple[int, int, int, int]
    mask: np.ndarray
    area: int


@dataclass(frozen=True, eq=False)
class Still:
    """A picture (H, W, 3) uint8 RGB and the truth about it; the larger object comes first.

    `place` says where the larger object lies: seen from the smaller one ("left", "right", "above", "below"),
    or for a single object in the picture ("left", "middle", "right").
    """

    image: np.ndarray
    objects: tuple[StillObject, ...]
    place: str
    world: str
    index: int

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """Colour and kind of each object, the larger first."""
        return tuple((thing.color, thing.kind) for thing in self.objects)

    @property
    def captions(self) -> dict[str, str]:
        """One sentence about the whole picture per language."""
        return {language: caption(self.names, self.place, language) for language in LANGUAGES}

    def answer(self, task: str, language: str = "en") -> str:
        """The right answer to a question about this picture, see `questions.TASKS`."""
        return answer(task, self.names, self.place, language)

    def questions(self, language: str = "en", *, held_out: bool = False) -> list[tuple[str, str, str]]:
        """Every question in every wording: (task, question, right answer)."""
        return [
            (task, asked, self.answer(task, language))
            for task in TASKS
            for asked in phrasings(task, language, held_out=held_out)
        ]


def render_still(index: int, size: int = 64, seed: int = 0, world: str = "base") -> Still:
    """Draw one picture; the same arguments give the same bytes, another size the same scene.

    Args:
        index: number of the picture, 0 or more.
        size: side in pixels, 64 or more.
        seed: 0 or more; pictures of two seeds have nothing in common.
        world: "base" or "shifted".

    Raises:
        BadInput: an argument is outside its range.
    """
    if size < SMALLEST_PX:
        raise BadInput(f"still picture of {size} px: objects can be told apart from {SMALLEST_PX} px up")
    if index < 0 or seed < 0:
        raise BadInput(f"still picture {index} of seed {seed}: both must be 0 or more")
    found = find_still_world(world)
    rng = np.random.default_rng((seed, found.number, index))
    layout = draw_layout(rng, found)
    colors = [_color(rng, found.colors[thing.color]) for thing in layout.objects]
    light = _draw_light(rng, found, layout, size)
    masks = [_add(light, thing, color, layout) for thing, color in zip(layout.objects, colors, strict=True)]
    objects = tuple(_seen(thing, mask) for thing, mask in zip(layout.objects, masks, strict=True))
    return Still(_photograph(rng, found, light), objects, _place(layout), world, index)


def _place(layout: Layout) -> str:
    return relation(*layout.objects) if len(layout.objects) == 2 else position(layout.objects[0])


def _color(rng: np.random.Generator, shade: Shade) -> np.ndarray:
    """A colour (3,) float32, 0..255, from the ranges of its word."""
    hue, saturation, value = (rng.uniform(*span) for span in (shade.hue, shade.saturation, shade.value))
    offsets = (np.array([5, 3, 1]) + hue / 60) % 6
    curve = np.clip(np.minimum(offsets, 4 - offsets), 0, 1)
    return (255 * (value - value * saturation * curve)).astype(np.float32)


def _draw_light(rng: np.random.Generator, world: StillWorld, layout: Layout, size: int) -> np.ndarray:
    """The backdrop with what the objects stand on and their shadows, (size, size, 3) float32."""
    roll = float(np.mean([thing.roll for thing in layout.objects]))
    light, foot = draw_backdrop(rng, world, size, roll, layout.tilt_step / 10)
    board = np.float32(rng.uniform(0.45, 0.75)) * light.mean(axis=(0, 1))
    factor = np.ones((size, size), np.float32)
    for thing in layout.objects:
        if thing.y + 0.7 * thing.half_height < foot:
            _shelf(light, thing, board)
        else:
            _shadow(factor, thing, layout.light)
    blur = 0.018 * size
    return light * cv2.GaussianBlur(factor, (0, 0), blur)[..., None]


def _corners(thing: Placed, points: np.ndarray, size: int) -> np.ndarray:
    """Points (N, 2) in units of the half box, leaning with the object, as fixed-point pixels (4 bits)."""
    angle = np.radians(thing.roll)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    local = points * (thing.half_width, thing.half_height)
    return np.round((local @ turn.T + (thing.x, thing.y)) * size * 16).astype(np.int32)


def _shelf(light: np.ndarray, thing: Placed, board: np.ndarray) -> None:
    points = np.array([(-1.3, 0.82), (1.3, 0.82), (1.3, 1.04), (-1.3, 1.04)])
    cv2.fillPoly(light, [_corners(thing, points, len(light))], board.tolist(), cv2.LINE_8, 4)


def _shadow(factor: np.ndarray, thing: Placed, light: float) -> None:
    angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    points = np.stack([1.05 * np.cos(angles) - 0.25 * light, 0.8 + 0.24 * np.sin(angles)], axis=1)
    cv2.fillPoly(factor, [_corners(thing, points, len(factor))], 0.5, cv2.LINE_8, 4)


def _add(light: np.ndarray, thing: Placed, color: np.ndarray, layout: Layout) -> np.ndarray:
    """Paint one object into `light`; returns its mask (H, W) bool."""
    size = len(light)
    fine = 4 if size < 128 else 2
    reach = thing.scale * size * 1.05 + 1
    left, top = int(np.floor(thing.x * size - reach)), int(np.floor(thing.y * size - reach))
    side = int(np.ceil(2 * reach)) + 1
    # Canvas pixel i has its centre at i, picture pixel i at i + 0.5: hence the last half pixel.
    centre = np.array([thing.x * size - left, thing.y * size - top]) * fine - 0.5
    scale = thing.scale * size * fine
    canvas = paint(thing.kind, side * fine, scale, thing.roll, centre, layout.tilt_step / 10, layout.light)
    small = (side, side)
    shade = cv2.resize(canvas.astype(np.float32), small, interpolation=cv2.INTER_AREA) / 128
    alpha = cv2.resize((canvas > 0).astype(np.float32), small, interpolation=cv2.INTER_AREA)
    rows, columns = slice(max(top, 0), min(top + side, size)), slice(max(left, 0), min(left + side, size))
    inside = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    shade, alpha = shade[inside][..., None], alpha[inside][..., None]
    lit = color * np.minimum(shade, alpha) + (255 - color) * np.maximum(shade - alpha, 0)
    light[rows, columns] = light[rows, columns] * (1 - alpha) + lit
    mask = np.zeros((size, size), bool)
    mask[rows, columns] = alpha[..., 0] >= 0.5
    return mask


def _seen(thing: Placed, mask: np.ndarray) -> StillObject:
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return StillObject(thing.color, thing.kind, box, mask, int(mask.sum()))


def _photograph(rng: np.random.Generator, world: StillWorld, light: np.ndarray) -> np.ndarray:
    """Exposure, colour temperature, uneven light, lens blur and noise; (H, W, 3) uint8."""
    size = len(light)
    line = np.linspace(-1, 1, size, dtype=np.float32)
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.2)
    uneven = 1 + np.float32(slope) * (
        np.float32(np.cos(angle)) * line[None, :] + np.float32(np.sin(angle)) * line[:, None]
    )
    low, high = np.log(world.exposure)
    warmth = rng.uniform(*world.warmth)
    gain = np.exp(rng.uniform(low, high)) * np.array([1 + 0.06 * warmth, 1.0, 1 - 0.08 * warmth])
    picture = light * uneven[..., None] * gain.astype(np.float32)
    sigma = float(rng.uniform(*world.blur_px)) * size / SMALLEST_PX
    level = np.float32(rng.uniform(*world.noise))
    if sigma > 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    picture += level * rng.standard_normal(picture.shape, dtype=np.float32)
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)
