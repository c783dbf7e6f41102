"""Batches made ahead of the step that needs them, in one thread beside the training."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self


class Prefetch:
    """A function of the batch's number, the next few answers of which are already on their way.

    One thread makes them in the order of their numbers, `ahead` at most. What the function raises is raised
    where that batch is asked for, not before. The function must be pure: it runs earlier than it is asked
    for, so whatever it draws from a global random generator would fall between other draws of the training.

    Use as a context manager; leaving it waits for the batch being made and drops the others.

    Args:
        source: from the number to the batch.
        ahead: batches made ahead at most, 1 or more.
        end: the number after the last batch that will be asked for.
        stride: from one number this process asks for to the next.
    """

    def __init__(self, source: Callable[[int], Any], ahead: int, end: int, stride: int = 1) -> None:
        self._source, self._ahead, self._end, self._stride = source, ahead, end, stride
        self._waiting: dict[int, Future[Any]] = {}
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches")

    def __call__(self, number: int) -> Any:
        """The batch of this number, and a start made on those after it."""
        if number not in self._waiting:
            self._drop()
        wanted = range(number, min(self._end, number + (self._ahead + 1) * self._stride), self._stride)
        for one in wanted or (number,):
            if one not in self._waiting:
                self._waiting[one] = self._worker.submit(self._source, one)
        return self._waiting.pop(number).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._drop()
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _drop(self) -> None:
        for future in self._waiting.values():
            future.cancel()
        self._waiting.clear()
