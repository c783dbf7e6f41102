"""Training batches: kept embeddings with boxes that are a little off; each a function of its number alone."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbhelpers.teach.sam.embeddings import Embedding
from nbhelpers.teach.sam.objects import Picture
from nbhelpers.teach.sam.placement import placed
from nbhelpers.teach.sam.prompts import jittered_boxes, points_inside
from nbhelpers.teach.sam.targets import coverage, inside

if TYPE_CHECKING:
    from torch import Tensor

PROMPTS = 8  # objects of one picture per step, at most: they set what a step takes
_LEAST_PX = 1.0  # a box that jitter has folded up further than this stays as it was


class SamBatch(NamedTuple):
    """One step's input and target for B pictures and P objects of theirs.

    Attributes:
        levels: feature maps (B, C, h, w), finest first; float16 or float32.
        picture: (P,) int64, which of the B pictures each object is in.
        boxes: (P, 4) float32 XYXY pixels of the model's input.
        points: (P, N, 2) float32 x, y pixels of the model's input; None for boxes alone.
        target: (P, s, s) float32, 0 to 1, see `coverage`.
        valid: (P, s, s) float32, 0 to 1, what of each place lies in the picture.
    """

    levels: "tuple[Tensor, ...]"
    picture: "Tensor"
    boxes: "Tensor"
    points: "Tensor | None"
    target: "Tensor"
    valid: "Tensor"


class SamBatches:
    """Makes batch number n, from 0: every picture once an epoch, each epoch in an order of its own.

    Args:
        pictures: to learn from; each has at least one object.
        embedding: of a picture, given its image id.
        processor: of the model.
        side: of the targets, places; see `decoder.target_side`.
        batch: pictures in a batch.
        box_jitter: share of its side by which an edge of a box is moved at most.
        points: drawn in each mask; 0 for boxes alone.
        seed: of all that is drawn.
        prompts: objects of one picture in a batch, at most; drawn anew each time.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        embedding: Callable[[int], Embedding],
        processor: Any,
        side: int,
        *,
        batch: int,
        box_jitter: float,
        points: int = 0,
        seed: int = 0,
        prompts: int = PROMPTS,
    ) -> None:
        self.pictures, self._embedding, self._processor = pictures, embedding, processor
        self._side, self._batch, self._prompts = side, batch, prompts
        self._jitter, self._points, self._seed = box_jitter, points, seed

    def __call__(self, number: int) -> SamBatch:
        """Batch `number`; it depends on the pictures, the settings, the seed and the number alone."""
        import torch

        rng = np.random.default_rng([self._seed, number])
        chosen = [self.pictures[row] for row in self.rows(number)]
        maps = [self._embedding(picture.image_id) for picture in chosen]
        parts = [self._objects(rng, picture) for picture in chosen]
        counts = [len(boxes) for boxes, *_ in parts]
        boxes, points, target, valid = (np.concatenate(column) for column in zip(*parts, strict=True))
        return SamBatch(
            tuple(torch.stack(level) for level in zip(*maps, strict=True)),
            torch.from_numpy(np.repeat(np.arange(len(chosen)), counts)),
            torch.from_numpy(boxes),
            torch.from_numpy(points) if self._points else None,
            torch.from_numpy(target),
            torch.from_numpy(valid),
        )

    def rows(self, number: int) -> list[int]:
        """Which pictures are in batch `number`."""
        count = len(self.pictures)
        slots = range(number * self._batch, (number + 1) * self._batch)
        return [int(self._order(slot // count)[slot % count]) for slot in slots]

    def _order(self, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng([self._seed, epoch, 1]).permutation(len(self.pictures))

    def _objects(self, rng: np.random.Generator, picture: Picture) -> tuple[NDArray[np.float32], ...]:
        """Boxes, points, targets and valid places of the objects drawn from one picture."""
        place = placed(self._processor, picture.size)
        rows = rng.permutation(len(picture.boxes))[: self._prompts]
        boxes = self._moved(rng, picture.boxes[rows], picture.size)
        masks = [picture.mask(int(row)) for row in rows]
        points = [points_inside(rng, mask, self._points) for mask in masks]
        target = np.stack([coverage(mask, place, self._side) for mask in masks])
        valid = np.repeat(inside(place, self._side)[None], len(rows), axis=0)
        return place.to_input(boxes), place.to_input(np.stack(points)), target, valid

    def _moved(
        self, rng: np.random.Generator, boxes: NDArray[np.float32], size: tuple[int, int]
    ) -> NDArray[np.float32]:
        if not self._jitter:
            return boxes
        moved = jittered_boxes(rng, boxes, size, self._jitter)
        folded = (moved[:, 2:] - moved[:, :2] < _LEAST_PX).any(axis=1)
        moved[folded] = boxes[folded]
        return moved
