"""Notebook 08: a prompt-free student, trained from COCO labels (teachers come into this room later)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.distill.postprocess import Letterbox, decode, letterbox
    from nbhelpers.distill.students import (
        STUDENTS,
        Student,
        build_student,
        load_student,
        save_student,
        student_for,
    )

_HOME = {
    "STUDENTS": "students",
    "Student": "students",
    "build_student": "students",
    "load_student": "students",
    "save_student": "students",
    "student_for": "students",
    "Letterbox": "postprocess",
    "letterbox": "postprocess",
    "decode": "postprocess",
}

__all__ = [
    "STUDENTS",
    "Student",
    "build_student",
    "load_student",
    "save_student",
    "student_for",
    "Letterbox",
    "letterbox",
    "decode",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the modules below bring torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
