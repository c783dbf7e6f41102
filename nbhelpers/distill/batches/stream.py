"""From the number of a batch to the batch."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.distill.batches.augmented import Augment, augmented
from nbhelpers.distill.batches.collate import collate
from nbhelpers.distill.batches.colour import jitter
from nbhelpers.distill.batches.kept import Kept
from nbhelpers.distill.batches.layout import plain, varied
from nbhelpers.distill.batches.order import Order
from nbhelpers.distill.batches.picture import Picture
from nbhelpers.distill.batches.render import Drawn, draw
from nbhelpers.distill.batches.source import Pictures
from nbhelpers.distill.outputs import Batch

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet

MOSAIC = 4  # pictures in a mosaic


class StudentBatches:
    """Batch number m of a training, the same whenever it is asked for; see `student_batches`.

    Which picture input i of a training shows, counted from 0 over all batches, says its `Order`; an epoch is
    as many inputs as there are images. Every batch is full: an epoch may end within one. An augmenter draws
    each picture once per epoch, however many mosaics show it: that costs most of a batch.
    """

    def __init__(
        self,
        pictures: Pictures,
        batch: int,
        seed: int,
        epochs: int,
        close_mosaic: float,
        augment: Augment | None,
        maps: Callable[[Batch], Batch] | None,
        workers: int,
        people_share: float | None = None,
    ) -> None:
        self.pictures, self.batch, self.seed = pictures, batch, seed
        self._mosaic_epochs = epochs - round(close_mosaic * epochs)
        self._augment, self._maps = augment, maps
        self._augmented = Kept(pictures.kept.limit_mib)
        self._workers = ThreadPoolExecutor(workers) if workers > 1 else None
        self._order = Order(pictures.by_people, people_share, seed)

    def __call__(self, number: int) -> Batch:
        """Batch `number`, counted from 0."""
        numbers = range(number * self.batch, (number + 1) * self.batch)
        order = [self._order.first(i) for i in numbers]
        run = map if self._workers is None else self._workers.map
        made = collate(list(run(self._input, numbers, order)))
        return made if self._maps is None else self._maps(made)

    def _input(self, number: int, first: int) -> Drawn:
        epoch = number // len(self.pictures)
        rng = np.random.default_rng((self.seed, epoch, number))
        chosen = [first]
        if epoch < self._mosaic_epochs:
            chosen += self._order.others(rng, MOSAIC - 1)
        pictures = [self._picture(index, epoch) for index in chosen]
        parts = varied([picture.pixels.shape[:2] for picture in pictures], self.pictures.size, rng)
        drawn = draw(pictures, parts, self.pictures.size)
        return replace(drawn, pixels=jitter(drawn.pixels, rng))

    def _picture(self, index: int, epoch: int) -> Picture:
        if self._augment is None:
            return self.pictures[index]
        return self._augmented.get((epoch, index), partial(self._augmented_now, self._augment, index, epoch))

    def _augmented_now(self, augment: Augment, index: int, epoch: int) -> Picture:
        draw = int(np.random.SeedSequence((self.seed, epoch, index)).generate_state(1)[0])
        return augmented(self.pictures[index], augment, draw)


def student_batches(
    coco: "CocoSet",
    size: int,
    batch: int,
    seed: int,
    epochs: int,
    *,
    masks: bool,
    class_agnostic: bool = False,
    close_mosaic: float = 0.2,
    people_share: float | None = None,
    augment: Augment | None = None,
    teacher: Any = None,
    workers: int = 0,
    cache_mib: float = 1024,
) -> StudentBatches:
    """A pure function from the batch's number to the batch, for `nbhelpers.training.fit`.

    Args:
        coco: images and annotations; what an annotation carries as "weight" and "class_scores" goes along.
        size: side S of the input, pixels; a multiple of 32.
        batch: inputs per batch.
        seed: of order, mosaics, scales, shifts, flips and colours.
        epochs: of the training.
        close_mosaic: share of the epochs, the last ones, in which every input shows one picture alone.
        masks: whether targets have masks.
        class_agnostic: every object is class 0.
        people_share: share of the pictures that people labelled, where there are others; see `Order`.
        augment: from (sample, seed) to the changed sample; applied to each picture first, once per epoch.
        teacher: what fills `Batch.teacher_maps` (`distill.teacher_targets.TeacherTargets`).
        workers: threads that make one batch together; 0 makes it in the caller's.
        cache_mib: bound of the pictures kept in memory, MiB; of augmented ones as many more.

    Raises:
        BadInput: the set has no images, or annotations that do not fit it.
    """
    pictures = Pictures(coco, size, masks=masks, class_agnostic=class_agnostic, cache_mib=cache_mib)
    return StudentBatches(
        pictures, batch, seed, epochs, close_mosaic, augment, teacher, workers, people_share
    )


def plain_batch(pictures: Pictures, indices: list[int]) -> Batch:
    """Some pictures as they are, each letterboxed alone: what a validation looks at."""
    size = pictures.size
    some = [pictures[index] for index in indices]
    return collate([draw([one], [plain(one.pixels.shape[:2], size)], size) for one in some])
