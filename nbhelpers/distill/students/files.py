"""Student files: plain tensors and values, no pickled code."""

from pathlib import Path
from typing import Any

from nbhelpers.distill.checkpoint import load_tensors, save_tensors
from nbhelpers.distill.students.student import Student, build_student
from nbhelpers.errors import BadInput

_FILE_KIND = "nbhelpers-student"


def save_student(student: Student, path: Path) -> Path:
    """Write a student's weights and description as plain tensors and values (no pickled code)."""
    return save_tensors(path, student_record(student))


def student_record(student: Student) -> dict[str, Any]:
    """What `load_student` needs: weights in float32 on the CPU and the description."""
    weights = {key: value.detach().cpu() for key, value in student.network.state_dict().items()}
    return {
        "kind": _FILE_KIND,
        "name": student.name,
        "size": student.size,
        "class_names": student.class_names,
        "image_size": student.image_size,
        "licence": student.licence,
        "weights": weights,
    }


def load_student(path: Path, device: str = "cpu") -> Student:
    """Read a student written by `save_student` or `train_student`, ready for inference.

    Raises:
        BadInput: there is no such file, or it is not one of our student files.
    """
    record = load_tensors(Path(path))
    if record.get("kind") != _FILE_KIND:
        raise BadInput(
            f"{path}: is not a student file of this package; give best.pt or last.pt of a training"
        )
    student = build_student(record["name"], record["class_names"], record["size"], record["image_size"])
    student.network.load_state_dict(record["weights"])
    return student.to(device)
