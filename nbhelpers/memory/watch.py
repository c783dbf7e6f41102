"""Watch memory during a block: start, peak, end and the curve between them."""

import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from nbhelpers.errors import BadInput
from nbhelpers.memory.read import cuda_count, process_bytes

# More points than a plot can show; a longer watch halves its curve instead of growing without end.
_MOST_POINTS = 4096


def watch(interval_s: float = 0.1, *, children: bool = False) -> "Watch":
    """Sample resident memory in a thread while a block runs.

    `with watch(0.1) as seen: train()`, then `seen.peak_bytes` and `seen.curve`.

    Args:
        interval_s: seconds between two samples (above 0).
        children: count child processes too; pages they share are then counted more than once.

    Raises:
        BadInput: `interval_s` is not above 0.
    """
    return Watch(interval_s, children)


class Watch:
    """The readings of one block.

    Attributes:
        start_bytes: resident memory when the block began.
        peak_bytes: the highest reading. A new high-water mark of this process counts even if it fell between
            two samples. Not covered: a peak below an earlier one that was shorter than the interval or came
            while C code held the interpreter's lock.
        end_bytes: the last reading, taken when the block ended, also by an error.
        seconds: how long the block took.
        curve: (seconds since the start, bytes), first and last reading included.
        gpu_curve: (seconds since the start, bytes that torch has allocated on all GPUs); empty without CUDA.
        gpu_peak_bytes: peak of torch's allocations during the block by GPU number; empty without CUDA. torch
            keeps one peak per GPU, so a watch inside another restarts the outer one's.
    """

    def __init__(self, interval_s: float = 0.1, children: bool = False) -> None:
        if not interval_s > 0:
            raise BadInput(f"interval_s {interval_s:g}: must be above 0")
        self._interval_s, self._children = interval_s, children
        self._restart()

    def _restart(self) -> None:
        self._every_s = self._interval_s
        self.start_bytes = self.peak_bytes = self.end_bytes = 0
        self.seconds = 0.0
        self.curve: list[tuple[float, int]] = []
        self.gpu_curve: list[tuple[float, int]] = []
        self.gpu_peak_bytes: dict[int, int] = {}

    @property
    def grown_bytes(self) -> int:
        """How far the peak lay above the start."""
        return self.peak_bytes - self.start_bytes

    def __enter__(self) -> Self:
        self._restart()
        _reset_gpu_peaks()
        self._stop = threading.Event()
        self._mark = _high_water_bytes()
        self._began = time.monotonic()
        self.start_bytes = self._sample()
        self._thread = threading.Thread(target=self._run, name="nbhelpers-memory-watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.end_bytes = self._sample()
        self.seconds = time.monotonic() - self._began
        mark = _high_water_bytes()
        if mark > self._mark:  # it rose during the block, so it is a peak of the block
            self.peak_bytes = max(self.peak_bytes, mark)
        self.gpu_peak_bytes = _gpu_peaks()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._sample()

    def _sample(self) -> int:
        used = process_bytes(children=self._children)
        moment = time.monotonic() - self._began
        self.curve.append((moment, used))
        self.peak_bytes = max(self.peak_bytes, used)
        if count := cuda_count():
            allocated = sum(sys.modules["torch"].cuda.memory_allocated(index) for index in range(count))
            self.gpu_curve.append((moment, allocated))
        if len(self.curve) >= _MOST_POINTS:
            self.curve, self.gpu_curve = _halved(self.curve), _halved(self.gpu_curve)
            self._every_s *= 2
        return used


def _halved(curve: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Of each two points keep the higher one; the first and the last stay, so start, peak and end survive."""
    if len(curve) < 3:
        return curve
    inner = curve[1:-1]
    kept = [max(inner[i : i + 2], key=lambda point: point[1]) for i in range(0, len(inner), 2)]
    return [curve[0], *kept, curve[-1]]


def _high_water_bytes() -> int:
    """The highest resident memory this process ever had; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    # `ru_maxrss` would be simpler, but Linux carries it over from the parent process.
    kib = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
    return kib * 1024 or _high_water_elsewhere()


def _high_water_elsewhere() -> int:
    if sys.platform != "darwin":
        return int(getattr(psutil.Process().memory_info(), "peak_wset", 0))  # Windows has it
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _reset_gpu_peaks() -> None:
    for index in range(cuda_count()):
        sys.modules["torch"].cuda.reset_peak_memory_stats(index)


def _gpu_peaks() -> dict[int, int]:
    return {
        index: int(sys.modules["torch"].cuda.max_memory_allocated(index)) for index in range(cuda_count())
    }
