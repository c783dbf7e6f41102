"""What a contained program writes, and what it and its children take."""

import contextlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import psutil

from nbhelpers.codegen.contain.limits import Limits

_MOST_ENTRIES = 20_000


class Reader:
    """Reads a pipe up to a limit in a thread; `full` says that there was more."""

    def __init__(self, pipe: "IO[bytes] | None", limits: Limits) -> None:
        assert pipe is not None
        self._pipe, self._most, self.full = pipe, int(limits.output_kib * 1024), False
        self._data = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True, name="nbhelpers-contained-output")
        self._thread.start()

    def _read(self) -> None:
        while chunk := os.read(self._pipe.fileno(), 1 << 16):
            self._data += chunk[: self._most - len(self._data)]
            if len(self._data) >= self._most:
                self.full = True
                break

    def text(self) -> str:
        """What was read, as text."""
        return self._data.decode("utf-8", "backslashreplace")

    def join(self) -> None:
        """Wait for the end of the pipe, and close it."""
        self._thread.join(5)
        if not self._thread.is_alive() and not self._pipe.closed:
            self._pipe.close()


def descendants(pid: int) -> list[psutil.Process]:
    """Processes below a process that still run."""
    try:
        return [
            one
            for one in psutil.Process(pid).children(recursive=True)
            if one.status() != psutil.STATUS_ZOMBIE
        ]
    except psutil.NoSuchProcess:
        return []


def process_count() -> int:
    """Processes of the whole machine, cheaply; 0 where there is no /proc."""
    place = Path("/proc")
    return sum(entry.name.isdecimal() for entry in place.iterdir()) if place.is_dir() else 0


def resident(family: Sequence[psutil.Process]) -> int:
    """Bytes of memory of all of them together; shared pages count more than once."""
    total = 0
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


def size(folder: Path) -> int:
    """Bytes below a folder; more entries than a program has use for count as endless."""
    total = entries = 0
    for place, _, files in os.walk(folder):
        entries += 1 + len(files)
        if entries > _MOST_ENTRIES:
            return 1 << 62
        for name in files:
            with contextlib.suppress(OSError):
                total += Path(place, name).lstat().st_size
    return total
