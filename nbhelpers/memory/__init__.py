"""How much memory there is, how much may be used, what a step will take, and how much a block really took."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nbhelpers.memory.budget import Budget, budget
from nbhelpers.memory.heap import large_blocks_apart
from nbhelpers.memory.live import Live, live
from nbhelpers.memory.read import MemoryNow, process_bytes, read_memory
from nbhelpers.memory.release import release
from nbhelpers.memory.shapes import Shapes
from nbhelpers.memory.watch import Watch, watch

if TYPE_CHECKING:
    from nbhelpers.memory.dryrun.estimate import Estimate, accelerate_estimate
    from nbhelpers.memory.dryrun.measure import Measured, measure_step
    from nbhelpers.memory.dryrun.naming import Consumer
    from nbhelpers.memory.dryrun.plan import MemoryPlan
    from nbhelpers.memory.dryrun.run import dry_run
    from nbhelpers.memory.dryrun.steps import TASKS

_HOME = {
    "Consumer": "naming",
    "Estimate": "estimate",
    "Measured": "measure",
    "MemoryPlan": "plan",
    "TASKS": "steps",
    "accelerate_estimate": "estimate",
    "dry_run": "run",
    "measure_step": "measure",
}

__all__ = [
    "Budget",
    "Consumer",
    "Estimate",
    "Measured",
    "Live",
    "MemoryNow",
    "MemoryPlan",
    "Shapes",
    "TASKS",
    "Watch",
    "accelerate_estimate",
    "budget",
    "dry_run",
    "large_blocks_apart",
    "live",
    "measure_step",
    "process_bytes",
    "read_memory",
    "release",
    "watch",
]


def __getattr__(name: str) -> Any:
    """Import the dry run's names when one is first asked for: they bring torch sooner or later."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.dryrun.{_HOME[name]}"), name)
