"""The students: annotation mode in, prompt-free network out, built from its own YAML without any download."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import nn

from nbhelpers.distill.postprocess import decode, letterbox
from nbhelpers.distill.ultralytics_quiet import LICENCE, ultralytics
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    import supervision as sv

Task = Literal["detect", "segment"]
SIZES = ("n", "s", "m", "l", "x")
_FILE_KIND = "nbhelpers-student"


@dataclass(frozen=True)
class StudentFamily:
    """One kind of student: what it learns from, what it gives, and under which licence."""

    name: str
    mode: str
    task: Task
    yaml: str
    class_agnostic: bool
    licence: str
    about: str


STUDENTS: dict[str, StudentFamily] = {
    family.name: family
    for family in (
        StudentFamily(
            "yolov8",
            "detection",
            "detect",
            "yolov8{size}.yaml",
            False,
            LICENCE,
            "boxes with classes (YOLOv8)",
        ),
        StudentFamily(
            "yolov8_seg",
            "detection_and_segmentation",
            "segment",
            "yolov8{size}-seg.yaml",
            False,
            LICENCE,
            "boxes and masks with classes (YOLOv8-seg)",
        ),
        StudentFamily(
            "fastsam",
            "segmentation",
            "segment",
            "yolov8{size}-seg.yaml",
            True,
            LICENCE,
            "masks of every object, without classes (FastSAM: YOLOv8-seg with the one class 'object')",
        ),
    )
}


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
    known = ", ".join(family.mode for family in STUDENTS.values())
    raise BadInput(f"annotation mode {mode!r} has no student; known modes: {known}")


class Student(nn.Module):
    """A student network: one image tensor in, raw tensors out; `predict` letterboxes and decodes around it.

    Attributes:
        name: key of `STUDENTS`; `size` is one of n, s, m, l, x; `task` is "detect" or "segment".
        class_names: names by class index.
        image_size: side of the square letterboxed input, pixels; a multiple of `stride` (32).
        licence: of the network's code and weights.
    """

    def __init__(
        self, name: str, size: str, class_names: list[str], image_size: int, network: nn.Module
    ) -> None:
        super().__init__()
        family = family_of(name)
        self.name, self.size, self.task, self.licence = name, size, family.task, family.licence
        self.class_names, self.image_size = list(class_names), int(image_size)
        self.network = network
        self.stride = int(cast(Any, network).stride.max())
        cast(Any, network).model[
            -1
        ].export = True  # the head then returns its tensors and nothing beside them
        self.eval()

    def forward(self, image: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Raw predictions of a batch of letterboxed images.

        Args:
            image: (N, 3, H, W) float32, RGB, 0..1; H and W multiples of 32.

        Returns:
            Detection: (N, 4 + C, anchors), boxes XYWH (centre) in pixels of the input, class scores 0..1.
            Segmentation: (N, 4 + C + 32, anchors), the same with mask coefficients, and prototypes (N, 32,
                H/4, W/4).
        """
        return cast("torch.Tensor | tuple[torch.Tensor, torch.Tensor]", self.network(image))

    @torch.inference_mode()
    def predict(
        self, image: "np.ndarray", confidence: float = 0.25, iou: float = 0.7, **options: Any
    ) -> "sv.Detections":
        """Detections of one image.

        Args:
            image: (H, W, 3) uint8 RGB.
            confidence: least score, 0..1.
            iou: overlap above which non-maximum suppression drops the weaker box of a class, 0..1.
            options: passed on to `postprocess.decode` (`max_detections`, `multi_label`).

        Returns:
            Boxes XYXY in pixels of `image`; for segmentation masks (N, H, W) bool.
        """
        pixels, placed = letterbox(image, self.image_size)
        batch = torch.from_numpy(pixels)[None].to(next(self.parameters()).device)
        raw = self(batch)
        tensors = raw if isinstance(raw, tuple) else (raw,)
        outputs = [tensor.float().cpu().numpy() for tensor in tensors]
        return decode(outputs, placed, self.task, confidence, iou, class_names=self.class_names, **options)

    def describe(self) -> str:
        """One line for people: name, size, classes, input, parameters, licence."""
        millions = sum(parameter.numel() for parameter in self.parameters()) / 1e6
        return (
            f"{self.name}-{self.size} ({self.task}), {len(self.class_names)} classes, {self.image_size} px, "
            f"{millions:.2f} M parameters, licence {self.licence}"
        )


def build_student(
    name: str, class_names: list[str], size: str = "n", image_size: int = 640, seed: int = 0
) -> Student:
    """Build an untrained student from its own YAML; nothing is downloaded.

    Args:
        name: key of `STUDENTS`.
        class_names: names by class index; a class-agnostic student takes the one class "object" whatever is
            given.
        size: n, s, m, l or x.
        image_size: side of the input in pixels, a multiple of 32.
        seed: of the initial weights; the process's own random state is left as it was.

    Raises:
        BadInput: unknown student or size, no classes, or a side that is no multiple of 32.
    """
    family = family_of(name)
    if size not in SIZES:
        raise BadInput(f"student size {size!r} is not known; known sizes: {', '.join(SIZES)}")
    if image_size < 32 or image_size % 32:
        raise BadInput(f"image size {image_size}: use a multiple of 32 pixels, 32 or more")
    names = ["object"] if family.class_agnostic else list(class_names)
    if not names:
        raise BadInput(f"student {name!r} needs at least one class name")
    network = build_network(family, size, len(names), seed)
    return Student(name, size, names, image_size, network)


def build_network(family: StudentFamily, size: str, classes: int, seed: int) -> nn.Module:
    """The bare ultralytics model of a family, with weights drawn from `seed`."""
    ultralytics()
    from ultralytics.nn.tasks import DetectionModel, SegmentationModel

    kind = SegmentationModel if family.task == "segment" else DetectionModel
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return cast(nn.Module, kind(family.yaml.format(size=size), nc=classes, verbose=False))


def save_student(student: Student, path: Path) -> Path:
    """Write a student's weights and description as plain tensors and values (no pickled code)."""
    from nbhelpers.distill.checkpoint import save_tensors

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
    from nbhelpers.distill.checkpoint import load_tensors

    record = load_tensors(Path(path))
    if record.get("kind") != _FILE_KIND:
        raise BadInput(
            f"{path}: is not a student file of this package; give best.pt or last.pt of a training"
        )
    student = build_student(record["name"], record["class_names"], record["size"], record["image_size"])
    student.network.load_state_dict(record["weights"])
    return student.to(device)
