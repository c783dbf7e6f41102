"""Training batches: drawn scenes with prompts, each a pure function of seed and step."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nbhelpers.teach.sam.prompts import jittered_boxes
from nbhelpers.twins.sam.recolour import recoloured
from nbhelpers.twins.sam.scenes import SIDE, SceneStack

if TYPE_CHECKING:
    from torch import Tensor

IMAGES = 4
PROMPTS = 6  # per image: they share the encoder's cost
POINT_SHARE = 0.15  # of the steps
JITTER = 0.06  # share of a box's sides
MIN_AREA = 24  # pixels; the drawing promises as much, JPEG and flips do not change it
# What the stock processor does to pixel values (ImageNet statistics), in units of 255.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)


class Batch(NamedTuple):
    """One step's input and target.

    Attributes:
        pixel_values: (B, 3, 128, 128) float32, normalised.
        boxes: (B, K, 4) float32 XYXY pixels, or None for a step with points.
        points: (B, K, 1, 2) float32 x, y pixels, or None for a step with boxes.
        masks: (B, K, 128, 128) float32, 0 or 1.
        classes: (B, 128, 128) int64, class of every pixel, 0 is background.
    """

    pixel_values: "Tensor"
    boxes: "Tensor | None"
    points: "Tensor | None"
    masks: "Tensor"
    classes: "Tensor"


class BatchMaker:
    """Makes the batch of step k from scenes in memory.

    Args:
        scenes: drawn scenes; those without an object in sight are passed over.
        seed: of what is drawn for each step.
        exact_share: share of the boxes that are left tight; the others are jittered.
        first: added to the step, so that a second stage does not see the batches of the first again.
        recolour: objects in colours of no site, see `recolour.recoloured`.
    """

    def __init__(
        self,
        scenes: SceneStack,
        seed: int,
        exact_share: float = 0.0,
        first: int = 0,
        recolour: bool = False,
    ) -> None:
        self.scenes, self.seed = scenes, seed
        self.exact_share, self.first, self.recolour = exact_share, first, recolour
        areas = [np.bincount(one.ravel())[1:] for one in scenes.ids]
        self.rows = np.flatnonzero([np.any(area >= MIN_AREA) for area in areas])

    def __call__(self, step: int) -> Batch:
        """The batch of one step; it depends on scenes, seed, shares and step alone."""
        import torch

        rng = np.random.default_rng([self.seed, self.first + step])
        rows = self.rows[rng.integers(len(self.rows), size=IMAGES)]
        images, ids, classes = self._flipped(rng, rows)
        masks = np.stack([_pick_masks(rng, one) for one in ids])
        by_point = rng.random() < POINT_SHARE
        boxes = None if by_point else torch.from_numpy(self._boxes(rng, masks))
        points = torch.from_numpy(points_in(rng, masks)) if by_point else None
        pictures = photographed(rng, images)
        if self.recolour:
            pictures = recoloured(rng, pictures, ids)
        pixels = torch.from_numpy(normalised(pictures))
        return Batch(pixels, boxes, points, torch.from_numpy(masks).float(), torch.from_numpy(classes).long())

    def _boxes(self, rng: np.random.Generator, masks: np.ndarray) -> np.ndarray:
        tight = boxes_of(masks)
        moved = jittered_boxes(rng, tight, (SIDE, SIDE), JITTER)
        if not self.exact_share:
            return moved
        return np.where(rng.random((*tight.shape[:-1], 1)) < self.exact_share, tight, moved)

    def _flipped(
        self, rng: np.random.Generator, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Images, ids and class maps of the rows, half of them mirrored left to right."""
        images, ids = self.scenes.images[rows], self.scenes.ids[rows]
        classes = np.stack([self.scenes.class_map(int(row)) for row in rows])
        turn = rng.random(len(rows)) < 0.5
        for array in (images, ids, classes):
            array[turn] = array[turn][:, :, ::-1]
        return images, ids, classes


def _pick_masks(rng: np.random.Generator, ids: np.ndarray) -> np.ndarray:
    """Masks (K, H, W) bool of objects drawn from those in sight; repeated where there are fewer than K."""
    counts = np.bincount(ids.ravel())
    seen = np.flatnonzero(counts[1:] >= MIN_AREA) + 1
    order = rng.permutation(seen)
    chosen = np.resize(order, PROMPTS)
    return ids[None] == chosen[:, None, None]


def boxes_of(masks: np.ndarray) -> np.ndarray:
    """Tight boxes (..., 4) float32 XYXY pixels of masks (..., H, W) bool; upper ends are exclusive."""
    columns, rows = np.asarray(masks.any(axis=-2)), np.asarray(masks.any(axis=-1))
    left, top = columns.argmax(-1), rows.argmax(-1)
    right = columns.shape[-1] - columns[..., ::-1].argmax(-1)
    bottom = rows.shape[-1] - rows[..., ::-1].argmax(-1)
    return np.stack([left, top, right, bottom], axis=-1).astype(np.float32)


def points_in(rng: np.random.Generator, masks: np.ndarray) -> np.ndarray:
    """One random pixel of each mask: (..., 1, 2) float32 x, y for masks (..., H, W) bool."""
    flat = masks.reshape(-1, masks.shape[-2] * masks.shape[-1])
    places = np.array([rng.choice(np.flatnonzero(one)) for one in flat])
    pairs = np.stack([places % masks.shape[-1], places // masks.shape[-1]], axis=-1)
    return pairs.reshape(*masks.shape[:-2], 1, 2).astype(np.float32)


def photographed(rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
    """Vary light: brightness 0.4 to 1.3, contrast 0.7 to 1.3, colour cast, noise; (B, H, W, 3) float32 0..1.

    The scenes' own light varies less; without this a dark hall breaks the twin altogether.
    """
    count = len(images)
    gain = np.exp(rng.uniform(np.log(0.4), np.log(1.3), (count, 1, 1, 1)))
    cast = np.exp(rng.normal(0, 0.08, (count, 1, 1, 3)))
    contrast = rng.uniform(0.7, 1.3, (count, 1, 1, 1))
    plain = rng.random((count, 1, 1, 1)) < 0.3  # some as they were drawn
    picture = images.astype(np.float32) / 255
    mean = picture.mean(axis=(1, 2), keepdims=True)
    scale = np.where(plain, 1, gain * cast * contrast).astype(np.float32)
    offset = np.where(plain, 0, gain * cast * mean * (1 - contrast)).astype(np.float32)
    level = (rng.uniform(0, 0.02, (count, 1, 1, 1)) * ~plain).astype(np.float32)
    noise = rng.standard_normal(picture.shape, dtype=np.float32)
    return np.clip(picture * scale + offset + level * noise, 0, 1)


def normalised(pictures: np.ndarray) -> np.ndarray:
    """Pictures (B, H, W, 3) 0..1 as the stock processor gives them, (B, 3, H, W) float32."""
    return np.ascontiguousarray(((pictures - _MEAN) / _STD).transpose(0, 3, 1, 2), dtype=np.float32)
