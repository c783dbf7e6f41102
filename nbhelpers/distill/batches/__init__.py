"""Batches for a student: pure functions of the batch's number, from a COCO set."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.distill.batches.stream import StudentBatches, plain_batch, student_batches

_HOME = {"StudentBatches": "stream", "plain_batch": "stream", "student_batches": "stream"}

__all__ = ["StudentBatches", "plain_batch", "student_batches"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: it brings torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
