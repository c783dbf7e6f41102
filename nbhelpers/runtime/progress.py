"""One progress helper: a bar for people, a line every few seconds when nobody watches, nothing when short."""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, overload

from nbhelpers.runtime.place import headless

T = TypeVar("T")


@overload
def progress(
    items: None = None,
    *,
    total: int | None = None,
    label: str = "",
    unit: str = "it",
    every_s: float = 5.0,
    quiet_s: float = 2.0,
) -> "Progress[Any]": ...


@overload
def progress(
    items: Iterable[T],
    *,
    total: int | None = None,
    label: str = "",
    unit: str = "it",
    every_s: float = 5.0,
    quiet_s: float = 2.0,
) -> "Progress[T]": ...


def progress(
    items: Iterable[T] | None = None,
    *,
    total: int | None = None,
    label: str = "",
    unit: str = "it",
    every_s: float = 5.0,
    quiet_s: float = 2.0,
) -> "Progress[T]":
    """Show how far a loop or a block has come, on standard error.

    `for image in progress(images, label="reading")`, or
    `with progress(total=10, label="epochs") as bar: bar.update(); bar.note("loss 0.3")`.

    The environment variable `NBHELPERS_PROGRESS=off` silences it, for runs whose output is compared.

    Args:
        items: what to iterate over; None for use as a context manager.
        total: number of steps; taken from `len(items)` where there is one.
        label: what is being done.
        unit: what is counted.
        every_s: seconds between two lines when headless.
        quiet_s: seconds during which nothing is shown.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    return Progress(items, _display(total, label, unit, every_s, quiet_s))


def _display(total: int | None, label: str, unit: str, every_s: float, quiet_s: float) -> Any:
    """What shows the steps: nothing, lines or a bar."""
    if os.environ.get("NBHELPERS_PROGRESS") == "off":
        return _Silent()
    return _Lines(total, label, unit, every_s, quiet_s) if headless() else _tqdm(total, label, unit, quiet_s)


class Progress(Generic[T]):
    """An iterable and a context manager over one display; made by `progress`."""

    def __init__(self, items: Iterable[T] | None, bar: Any) -> None:
        self._items = items
        self._bar = bar

    def __iter__(self) -> Iterator[T]:
        if self._items is None:
            raise TypeError("progress() was given no items; use it as a context manager and call update()")
        with self:
            for item in self._items:
                yield item
                self._bar.update(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def update(self, n: int = 1) -> None:
        """Count `n` more steps as done."""
        self._bar.update(n)

    def note(self, text: str) -> None:
        """Show a short text behind the numbers, such as the loss, until the next note."""
        self._bar.set_postfix_str(text, refresh=False)


def _tqdm(total: int | None, label: str, unit: str, quiet_s: float) -> Any:
    # The text bar in notebooks too: the widget one leaves its state in the saved file.
    from tqdm import tqdm

    when: dict[str, Any] = {"delay": quiet_s, "mininterval": 0.25}
    # A terminal that gives its size as 0 by 0 (some containers) would show nothing: draw 100 columns there.
    size: dict[str, Any] = {"dynamic_ncols": True} if _has_size() else {"ncols": 100, "nrows": 24}
    return tqdm(total=total, desc=label or None, unit=unit, file=sys.stderr, **when, **size)


def _has_size() -> bool:
    try:
        return min(os.get_terminal_size(sys.stderr.fileno())) > 0
    except (OSError, ValueError, AttributeError):  # no terminal: a notebook's stream, or a test's
        return False


class _Silent:
    """Shows nothing, with the part of tqdm's interface that `Progress` uses."""

    def update(self, n: int) -> None:
        pass

    def set_postfix_str(self, text: str, refresh: bool = False) -> None:
        pass

    def close(self) -> None:
        pass


class _Lines:
    """The headless display, with the part of tqdm's interface that `Progress` uses."""

    def __init__(
        self,
        total: int | None,
        label: str,
        unit: str,
        every_s: float,
        quiet_s: float,
    ) -> None:
        self._total, self._label, self._unit = total, label or "progress", unit
        self._every_s = every_s
        self._start = time.monotonic()
        self._next = self._start + max(every_s, quiet_s)
        self._done, self._note, self._shown = 0, "", False

    def update(self, n: int) -> None:
        self._done += n
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._every_s
            self._show(now - self._start)

    def set_postfix_str(self, text: str, refresh: bool = False) -> None:
        self._note = text

    def close(self) -> None:
        """Say where it ended, if anything was said before; called twice it says nothing more."""
        if self._shown:
            self._show(time.monotonic() - self._start, ended=True)
            self._shown = False

    def _show(self, elapsed_s: float, ended: bool = False) -> None:
        rate = self._done / elapsed_s if elapsed_s > 0 else 0.0
        parts = [self._count(), _rate(rate, self._unit), self._time(elapsed_s, rate, ended)]
        print(f"{self._label}: " + ", ".join(filter(None, [*parts, self._note])), file=sys.stderr, flush=True)
        self._shown = True

    def _count(self) -> str:
        if not self._total:
            return f"{self._done} {self._unit}"
        return f"{self._done}/{self._total} {self._unit} ({100 * self._done / self._total:.0f} %)"

    def _time(self, elapsed_s: float, rate: float, ended: bool) -> str:
        if ended:
            return f"{clock_text(elapsed_s)} in all"
        left = f", {clock_text((self._total - self._done) / rate)} left" if self._total and rate else ""
        return f"{clock_text(elapsed_s)} gone{left}"


def _rate(rate: float, unit: str) -> str:
    if rate >= 1 or rate == 0:
        return f"{rate:.1f} {unit}/s"
    return f"{1 / rate:.1f} s/{unit}"


def clock_text(seconds: float) -> str:
    """Seconds as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
