"""Notebook 07: teachers, tuned with LoRA: Grounding DINO finds, SAM outlines, together they label."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.teach.as_student import AsStudent
    from nbhelpers.teach.grounded_sam import GroundedSam, thresholds_table
    from nbhelpers.teach.grounding_dino import detect, prompt_of, tune_grounding_dino
    from nbhelpers.teach.record import TeachersRecord, read_teachers
    from nbhelpers.teach.rungs import load_teacher
    from nbhelpers.teach.sam import embed, segment, tune_sam
    from nbhelpers.teach.teachers import (
        PURPOSES,
        Teachers,
        read_teachers_of,
        teachers_for,
        teachers_or_default,
        tune_teachers,
    )
    from nbhelpers.teach.tuned import TunedTeacher

_HOME: dict[str, str] = {
    "AsStudent": "as_student",
    "GroundedSam": "grounded_sam",
    "thresholds_table": "grounded_sam",
    "detect": "grounding_dino",
    "prompt_of": "grounding_dino",
    "TeachersRecord": "record",
    "read_teachers": "record",
    "load_teacher": "rungs",
    "embed": "sam",
    "segment": "sam",
    "tune_sam": "sam",
    "PURPOSES": "teachers",
    "TunedTeacher": "tuned",
    "read_teachers_of": "teachers",
    "Teachers": "teachers",
    "teachers_for": "teachers",
    "teachers_or_default": "teachers",
    "tune_teachers": "teachers",
    "tune_grounding_dino": "grounding_dino.tuning",
}

__all__ = [
    "AsStudent",
    "GroundedSam",
    "thresholds_table",
    "detect",
    "prompt_of",
    "TeachersRecord",
    "read_teachers",
    "load_teacher",
    "embed",
    "segment",
    "tune_sam",
    "PURPOSES",
    "TunedTeacher",
    "read_teachers_of",
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
