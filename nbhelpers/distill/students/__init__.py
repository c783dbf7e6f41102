"""The students: annotation mode in, prompt-free network out, trained by one loop whatever the family."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.distill.students.files import load_student, save_student, student_record
    from nbhelpers.distill.students.record import StudentFamily, TrainableNetwork
    from nbhelpers.distill.students.registry import STUDENTS, family_of, student_for
    from nbhelpers.distill.students.student import Student, build_network, build_student

_HOME = {
    "STUDENTS": "registry",
    "Student": "student",
    "StudentFamily": "record",
    "TrainableNetwork": "record",
    "build_network": "student",
    "build_student": "student",
    "family_of": "registry",
    "load_student": "files",
    "save_student": "files",
    "student_for": "registry",
    "student_record": "files",
}

__all__ = [
    "STUDENTS",
    "Student",
    "StudentFamily",
    "TrainableNetwork",
    "build_network",
    "build_student",
    "family_of",
    "load_student",
    "save_student",
    "student_for",
    "student_record",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the registry is light, the networks bring torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
