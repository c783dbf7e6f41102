"""How much memory there is, how much may be used, and how much a block of code really took."""

from nbhelpers.memory.budget import Budget, budget
from nbhelpers.memory.read import MemoryNow, process_bytes, read_memory
from nbhelpers.memory.release import release
from nbhelpers.memory.watch import Watch, watch

__all__ = ["Budget", "MemoryNow", "Watch", "budget", "process_bytes", "read_memory", "release", "watch"]
