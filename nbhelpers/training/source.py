"""Batch number m, whatever it is taken from: a function, a sequence or something to iterate over."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, cast

import numpy as np

from nbhelpers.errors import BadInput

Batches = Callable[[int], Any] | Sequence[Any] | Iterable[Any]


def batch_source(batches: Batches, seed: int, shuffle: bool) -> Callable[[int], Any]:
    """A function from the batch's number, counted from 0, to the batch.

    Raises:
        BadInput: `batches` is empty, or none of the three.
    """
    if callable(batches) and not hasattr(batches, "__getitem__"):
        return batches
    if hasattr(batches, "__getitem__") and hasattr(batches, "__len__"):
        return _Sequence(cast("Sequence[Any]", batches), seed, shuffle)
    if hasattr(batches, "__iter__"):
        return _Cycle(cast("Iterable[Any]", batches), seed)
    raise BadInput(
        f"batches is a {type(batches).__name__}: give a function of the number, a list or a loader"
    )


class _Sequence:
    """A sequence, epoch after epoch, each in an order drawn from (seed, epoch)."""

    def __init__(self, items: Sequence[Any], seed: int, shuffle: bool) -> None:
        if not len(items):
            raise BadInput("batches is empty: there is nothing to train on")
        self._items, self._seed, self._shuffle = items, seed, shuffle
        self._epoch, self._order = -1, np.arange(len(items))

    def __call__(self, number: int) -> Any:
        epoch, place = divmod(number, len(self._items))
        if self._shuffle and epoch != self._epoch:
            self._order = np.random.default_rng((self._seed, epoch)).permutation(len(self._items))
            self._epoch = epoch
        return self._items[int(self._order[place])]


class _Cycle:
    """Something that can be iterated over again and again, such as a `DataLoader`.

    A resume has to draw and drop the batches before it; a function of the number needs no such thing.
    """

    def __init__(self, items: Iterable[Any], seed: int) -> None:
        self._items, self._seed = items, seed
        self._next, self._epoch = 0, 0
        self._iterator: Iterator[Any] | None = None

    def __call__(self, number: int) -> Any:
        if number < self._next:
            raise BadInput(f"batch {number}: an iterable cannot go back; {self._next} were drawn from it")
        while self._next < number:
            self._draw()
        return self._draw()

    def _draw(self) -> Any:
        for _ in range(2):
            if self._iterator is None:
                self._iterator = self._begin()
            try:
                batch = next(self._iterator)
            except StopIteration:
                self._iterator, self._epoch = None, self._epoch + 1
                continue
            self._next += 1
            return batch
        raise BadInput(
            f"batches gave nothing in epoch {self._epoch - 1}: it is empty, or can be iterated over only once"
        )

    def _begin(self) -> Iterator[Any]:
        """A new epoch, its order set where the source has a place for it."""
        generator = getattr(self._items, "generator", None)
        if generator is not None and hasattr(generator, "manual_seed"):
            generator.manual_seed(int(np.random.SeedSequence([self._seed, self._epoch]).generate_state(1)[0]))
        if hasattr(self._items, "set_epoch"):
            self._items.set_epoch(self._epoch)
        return iter(self._items)
