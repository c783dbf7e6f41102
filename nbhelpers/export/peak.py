"""Peak memory of one engine, measured in a process of its own: no other engine's memory is in the figure."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from nbhelpers.errors import NbhelpersError, Unavailable


@dataclass(frozen=True)
class PeakMemory:
    """Bytes of one process that opens an engine and runs it.

    Attributes:
        peak_bytes: most memory the process held at any moment (resident set), libraries included.
        libraries_bytes: what it held after importing the engine's library and before opening the model.
        gpu_bytes: how far the GPU's free memory fell, or None without a GPU.
    """

    peak_bytes: int
    libraries_bytes: int
    gpu_bytes: int | None = None

    @property
    def model_bytes(self) -> int:
        """What opening and running the model added."""
        return self.peak_bytes - self.libraries_bytes


def measure_peak(
    path: Path, device: str = "cpu", threads: int | None = 1, runs: int = 3, timeout_s: float = 300.0
) -> PeakMemory:
    """Open the engine of `path` in a fresh process, run it `runs` times on one image, return its peak memory.

    Raises:
        Unavailable: the process failed; the message holds the last line it wrote.
    """
    command = [sys.executable, "-m", "nbhelpers.export.peak", str(path), device, str(threads or 0), str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it wrote nothing"])[-1]
        raise Unavailable(f"{path}: measuring memory failed (exit {done.returncode}): {last}")
    return PeakMemory(**json.loads(done.stdout.splitlines()[-1]))


def peak_resident_bytes() -> int:
    """The most memory this process has held (resident set) since it was started, bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would report the parent's peak for a child that was forked from a larger process.
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) * 1024
    import psutil

    memory = psutil.Process().memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))


def _measure_here(path: Path, device: str, threads: int | None, runs: int) -> PeakMemory:
    """Import, open, run, in this process."""
    import numpy as np

    _import_library(path)
    libraries, free = peak_resident_bytes(), _gpu_free(device)
    from nbhelpers.export.engines import open_engine

    engine = open_engine(path, device, threads)
    image = np.zeros((1, 3, engine.image_size, engine.image_size), np.float32)
    for _ in range(runs):
        engine.run(image)
    used = None if free is None else free - (_gpu_free(device) or 0)
    return PeakMemory(peak_resident_bytes(), libraries, used)


def _import_library(path: Path) -> None:
    """Import what the engine of this file stands on, before the first reading."""
    if path.suffix == ".onnx":
        import onnxruntime  # noqa: F401
    else:
        import torch  # noqa: F401

        from nbhelpers.distill import Student  # noqa: F401


def _gpu_free(device: str) -> int | None:
    """Free bytes of a CUDA device, None for the CPU."""
    if not device.startswith("cuda"):
        return None
    import torch

    return int(torch.cuda.mem_get_info(device)[0])


def _main(arguments: list[str]) -> int:
    path, device, threads, runs = arguments
    try:
        peak = _measure_here(Path(path), device, int(threads) or None, int(runs))
    except NbhelpersError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(asdict(peak)))
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
