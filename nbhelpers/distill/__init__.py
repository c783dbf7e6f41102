"""Notebook 08: a prompt-free student, trained from people's labels and from what teachers see."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.distill.ablation import Ablation, compare_speed, run_ablation, speed_table
    from nbhelpers.distill.auto import Plan, make_plan
    from nbhelpers.distill.evaluate import SetResults, evaluate_student, run_on_set
    from nbhelpers.distill.label_quality import LabelQuality, worst_figure
    from nbhelpers.distill.mixing import mix, mix_by
    from nbhelpers.distill.postprocess import Letterbox, decode, letterbox
    from nbhelpers.distill.pseudo_labels import LabelRun, label_images
    from nbhelpers.distill.students import (
        STUDENTS,
        Student,
        StudentFamily,
        TrainableNetwork,
        build_student,
        family_of,
        load_student,
        save_student,
        student_for,
    )
    from nbhelpers.distill.teacher_targets import TeacherTargets
    from nbhelpers.distill.training import TrainedStudent, train_student
    from nbhelpers.distill.ultralytics_quiet import LICENCE_NOTE
    from nbhelpers.distill.with_teachers import Taught, taught_by

_HOME = {
    "Ablation": "ablation",
    "compare_speed": "ablation",
    "run_ablation": "ablation",
    "speed_table": "ablation",
    "TeacherTargets": "teacher_targets",
    "STUDENTS": "students",
    "Student": "students",
    "StudentFamily": "students",
    "TrainableNetwork": "students",
    "build_student": "students",
    "family_of": "students",
    "load_student": "students",
    "save_student": "students",
    "student_for": "students",
    "Letterbox": "postprocess",
    "letterbox": "postprocess",
    "decode": "postprocess",
    "make_plan": "auto",
    "Plan": "auto",
    "train_student": "training",
    "TrainedStudent": "training",
    "evaluate_student": "evaluate",
    "run_on_set": "evaluate",
    "SetResults": "evaluate",
    "LICENCE_NOTE": "ultralytics_quiet",
    "Taught": "with_teachers",
    "taught_by": "with_teachers",
    "label_images": "pseudo_labels",
    "LabelRun": "pseudo_labels",
    "LabelQuality": "label_quality",
    "worst_figure": "label_quality",
    "mix": "mixing",
    "mix_by": "mixing",
}

__all__ = [
    "Ablation",
    "compare_speed",
    "run_ablation",
    "speed_table",
    "TeacherTargets",
    "STUDENTS",
    "Student",
    "StudentFamily",
    "TrainableNetwork",
    "build_student",
    "family_of",
    "load_student",
    "save_student",
    "student_for",
    "Letterbox",
    "letterbox",
    "decode",
    "make_plan",
    "Plan",
    "train_student",
    "TrainedStudent",
    "evaluate_student",
    "run_on_set",
    "SetResults",
    "LICENCE_NOTE",
    "Taught",
    "taught_by",
    "label_images",
    "LabelRun",
    "LabelQuality",
    "worst_figure",
    "mix",
    "mix_by",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the modules below bring torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
