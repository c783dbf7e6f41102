"""How long a training took, kills and later calls included."""

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from nbhelpers.artifacts import read_json, write_json

BEAT_S = 5.0


class WorkClock:
    """Counts wall and processor seconds into a file every few seconds, on from what the file says.

    A kill loses at most the last `BEAT_S` seconds of the count.

    Attributes:
        seconds: on the wall, over all calls.
        processor_s: of this process's threads together, over all calls.
    """

    def __init__(self, path: Path, beat_s: float = BEAT_S) -> None:
        self._path, self._beat_s = path, beat_s
        before = read_json(path) if path.exists() else {}
        self._before = (float(before.get("seconds", 0.0)), float(before.get("processor_s", 0.0)))
        self._began = (time.monotonic(), time.process_time())
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    @property
    def seconds(self) -> float:
        """On the wall, over all calls."""
        return self._before[0] + time.monotonic() - self._began[0]

    @property
    def processor_s(self) -> float:
        """Of all threads, over all calls."""
        return self._before[1] + time.process_time() - self._began[1]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._write()

    def _beat(self) -> None:
        while not self._ended.wait(self._beat_s):
            self._write()

    def _write(self) -> None:
        write_json(self._path, {"seconds": self.seconds, "processor_s": self.processor_s})
