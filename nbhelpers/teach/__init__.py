"""Notebook 07: teachers, tuned with LoRA: Grounding DINO finds, SAM outlines, together they label."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.teach.as_student import AsStudent
    from nbhelpers.teach.grounding_dino import tune_grounding_dino
    from nbhelpers.teach.teachers import Teachers, teachers_for, teachers_or_default, tune_teachers

_HOME: dict[str, str] = {
    "AsStudent": "as_student",
    "Teachers": "teachers",
    "teachers_for": "teachers",
    "teachers_or_default": "teachers",
    "tune_teachers": "teachers",
    "tune_grounding_dino": "grounding_dino.tuning",
}

__all__ = [
    "AsStudent",
    "Teachers",
    "teachers_for",
    "teachers_or_default",
    "tune_teachers",
    "tune_grounding_dino",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the modules below bring torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
