"""Memory in use right now: this process, the machine, each GPU."""

import sys
from dataclasses import dataclass

import psutil

from nbhelpers.runtime.hardware import Gpu, Ram, gpu_status, ram
from nbhelpers.runtime.tables import size_text, text_table


@dataclass(frozen=True)
class MemoryNow:
    """One reading, in bytes.

    Attributes:
        process_bytes: resident memory of this process (and its children, if asked).
        ram: what the machine, or the control group, has and has left.
        gpus: each GPU with its total and free memory.
        gpu_note: what was found, or why there is no GPU.
    """

    process_bytes: int
    ram: Ram
    gpus: list[Gpu]
    gpu_note: str

    def rows(self) -> list[tuple[str, str, str]]:
        """Name, size and remark, for a table."""
        left = f"of {size_text(self.ram.total_bytes)}; {self.ram.reason}"
        boards = [(g.name, size_text(g.free_bytes), f"free of {size_text(g.total_bytes)}") for g in self.gpus]
        return [
            ("this process", size_text(self.process_bytes), "resident"),
            ("available", size_text(self.ram.available_bytes), left),
            *(boards or [("GPU", "none", self.gpu_note)]),
        ]

    def table(self) -> str:
        """The rows as text."""
        return text_table(self.rows())


def read_memory(*, children: bool = False) -> MemoryNow:
    """Read memory now.

    Args:
        children: count child processes (data-loader workers) too; shared pages then count more than once.
    """
    boards, note = gpu_status()
    return MemoryNow(process_bytes(children=children), ram(), boards, note)


def process_bytes(*, children: bool = False) -> int:
    """Resident memory of this process in bytes, with `children` also that of its descendants."""
    own = psutil.Process()
    return int(own.memory_info().rss) + (sum(map(_resident, own.children(recursive=True))) if children else 0)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:  # it ended between being listed and being read
        return 0


def cuda_count() -> int:
    """How many GPUs this process uses through torch; 0 where none, and torch is not imported to find out."""
    torch = sys.modules.get("torch")
    # Another thread may be in the middle of importing torch, which has no `cuda` yet then.
    if torch is None or getattr(getattr(torch, "__spec__", None), "_initializing", False):
        return 0
    return int(torch.cuda.device_count()) if torch.cuda.is_initialized() else 0
