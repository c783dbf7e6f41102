"""Which models are active, and their inputs for a batch of pictures: read from the mode configuration."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import read_json
from nbhelpers.data.modes import MODE_FILE
from nbhelpers.data.preprocess.geometry import Geometry
from nbhelpers.data.preprocess.inputs import TEACHER_INPUTS, Images, letterbox_inputs, stock_processor
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    import supervision as sv
    from torch import Tensor

# Students of one input share a name; others go by their own.
STUDENT_INPUT = {"yolov8": "yolo", "yolov8_seg": "yolo", "fastsam": "yolo"}


@dataclass(frozen=True)
class Placed(Geometry):
    """Where a picture lies in an input, and its labels there.

    Attributes:
        target: the picture's labels in pixels of the input (boxes XYXY, masks of the input's size), or None.
    """

    target: "sv.Detections | None" = field(default=None, compare=False)


@dataclass(frozen=True)
class Preprocessing:
    """The active models and what prepares pictures for them.

    Attributes:
        processors: per active teacher its processor, or the image processor alone.
        student: name of the student's input, such as `yolo`; None where no student is active.
        student_size: side of the student's square input, pixels.
    """

    processors: Mapping[str, Any]
    student: str | None = "yolo"
    student_size: int = 640

    @classmethod
    def from_config(
        cls,
        mode_config: Mapping[str, Any] | Path,
        processors: Mapping[str, Any] | None = None,
        student_size: int = 640,
    ) -> "Preprocessing":
        """Read which models are active.

        Args:
            mode_config: content of `.mode_config.json`, the file, or the folder it lies in.
            processors: per teacher the loaded model's own processor; None: those of the real models' sizes,
                made from their classes.
            student_size: side of the student's input, pixels.

        Raises:
            BadInput: the file is not there, a teacher is unknown, or `processors` lacks an active one.
        """
        config, source = _read(mode_config)
        teachers = list(config.get("recommended_teachers") or [])
        for name in teachers:
            if name not in TEACHER_INPUTS:
                known = ", ".join(TEACHER_INPUTS)
                raise BadInput(f"{source}: teacher {name!r} is unknown; known teachers: {known}")
            if processors is not None and name not in processors:
                raise BadInput(f"{source}: teacher {name!r} is active, but no processor of it was given")
        chosen = {name: processors[name] if processors else stock_processor(name) for name in teachers}
        student = config.get("recommended_student")
        return cls(chosen, STUDENT_INPUT.get(student, student) if student else None, student_size)

    @property
    def models(self) -> list[str]:
        """Names of the active models, teachers first."""
        return [*self.processors, *([self.student] if self.student else [])]


def preprocess(
    images: Images, targets: "Sequence[sv.Detections | None] | None", plan: Preprocessing
) -> "dict[str, tuple[Tensor, list[Placed]]]":
    """A batch of pictures as each active model wants it.

    Args:
        images: (H, W, 3) uint8, 0..255, RGB each; sizes may differ.
        targets: per picture its labels in its own pixels, with or without masks; None: there are none.
        plan: the active models.

    Returns:
        Per model the pixels (N, 3, h, w) float32 and, per picture, where it lies in them, with its labels in
        pixels of the input. `to_image` and `masks_to_image` lead back to the picture.

    Raises:
        BadInput: no pictures, one of another shape or dtype, or another number of targets.
    """
    _check(images, targets)
    labels = [None] * len(images) if targets is None else targets
    prepared = {name: TEACHER_INPUTS[name](images, processor) for name, processor in plan.processors.items()}
    if plan.student:
        prepared[plan.student] = letterbox_inputs(images, plan.student_size)
    return {
        name: (pixels, [_placed(where, label) for where, label in zip(found, labels, strict=True)])
        for name, (pixels, found) in prepared.items()
    }


def in_batches(
    images: Images, targets: "Sequence[sv.Detections | None] | None", plan: Preprocessing, batch: int = 8
) -> "Iterator[dict[str, tuple[Tensor, list[Placed]]]]":
    """`preprocess` for many pictures, `batch` at a time, so that memory stays flat.

    Raises:
        BadInput: as `preprocess`, or a batch below 1.
    """
    if batch < 1:
        raise BadInput(f"batch {batch}: use at least 1 picture")
    for start in range(0, len(images), batch):
        part = None if targets is None else targets[start : start + batch]
        yield preprocess(images[start : start + batch], part, plan)


def pixel_mask(placed: Sequence[Geometry]) -> "Tensor":
    """(N, h, w) int64, 1 where a picture is seen: what Grounding DINO wants beside its pixels."""
    import torch

    mask = torch.zeros((len(placed), placed[0].input_height, placed[0].input_width), dtype=torch.int64)
    for number, where in enumerate(placed):
        mask[(number, *where.region)] = 1
    return mask


def _read(mode_config: Mapping[str, Any] | Path) -> tuple[Mapping[str, Any], str]:
    if isinstance(mode_config, Mapping):
        return mode_config, "mode configuration"
    path = Path(mode_config)
    path = path / MODE_FILE if path.is_dir() else path
    if not path.is_file():
        raise BadInput(f"{path}: is not there; prepare the set with its configurations first (notebook 02)")
    return read_json(path), str(path)


def _check(images: Images, targets: Sequence[Any] | None) -> None:
    if not len(images):
        raise BadInput("preprocess: there are no pictures")
    for number, image in enumerate(images):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype.name != "uint8" or 0 in image.shape:
            found = f"picture {number} has shape {image.shape} and dtype {image.dtype}"
            raise BadInput(f"preprocess: {found}; give height x width x 3, uint8, RGB")
    if targets is not None and len(targets) != len(images):
        raise BadInput(f"preprocess: {len(targets)} targets for {len(images)} pictures; give one for each")


def _placed(where: Geometry, label: "sv.Detections | None") -> Placed:
    return Placed(**vars(where), target=None if label is None else _mapped(where, label))


def _mapped(where: Geometry, label: "sv.Detections") -> "sv.Detections":
    """Labels in pixels of the input; everything else about them stays."""
    from copy import copy

    import numpy as np

    mapped = copy(label)
    mapped.xyxy = where.to_input(label.xyxy)
    if label.mask is not None:
        mapped.mask = where.masks_to_input(np.asarray(label.mask, dtype=bool))
    return mapped
