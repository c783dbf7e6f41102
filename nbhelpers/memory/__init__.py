"""How much memory there is, how much may be used, and how much a block of code really took."""

from nbhelpers.memory.budget import Budget, budget
from nbhelpers.memory.live import Live, live
from nbhelpers.memory.read import MemoryNow, process_bytes, read_memory
from nbhelpers.memory.release import release
from nbhelpers.memory.watch import Watch, watch

__all__ = [
    "Budget",
    "Live",
    "MemoryNow",
    "Watch",
    "budget",
    "live",
    "process_bytes",
    "read_memory",
    "release",
    "watch",
]
