"""The students there are, by name. A further family is one file of its own and one line here."""

from nbhelpers.distill.students.d_fine_family import D_FINE
from nbhelpers.distill.students.record import StudentFamily
from nbhelpers.distill.students.yolo_families import FASTSAM, YOLOV8, YOLOV8_SEG
from nbhelpers.errors import BadInput

# The first of a mode is the one `student_for` names.
_FAMILIES = (YOLOV8, YOLOV8_SEG, FASTSAM, D_FINE)

STUDENTS: dict[str, StudentFamily] = {family.name: family for family in _FAMILIES}


def family_of(name: str) -> StudentFamily:
    """The family called `name`.

    Raises:
        BadInput: there is none; names the known ones.
    """
    if name not in STUDENTS:
        raise BadInput(f"student {name!r} is not known; known students: {', '.join(STUDENTS)}")
    return STUDENTS[name]


def student_for(mode: str) -> str:
    """The student's name for an annotation mode (`detection`, `segmentation`, `detection_and_segmentation`).

    Raises:
        BadInput: the mode is none of these.
    """
    for family in STUDENTS.values():
        if family.mode == mode:
            return family.name
    known = ", ".join(dict.fromkeys(family.mode for family in STUDENTS.values()))
    raise BadInput(f"annotation mode {mode!r} has no student; known modes: {known}")
