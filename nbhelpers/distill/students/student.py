"""A student: its network with what is needed round it, built without any download."""

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from nbhelpers.data.letterbox import letterbox
from nbhelpers.distill.students.record import StudentFamily
from nbhelpers.distill.students.registry import family_of
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    import supervision as sv


class Student(nn.Module):
    """A student network: one image tensor in, raw tensors out; `predict` letterboxes and decodes around it.

    Attributes:
        name: key of `STUDENTS`; `size` is one of the family's; `task` is "detect" or "segment".
        family: its record.
        class_names: names by class index.
        image_size: side of the square letterboxed input, pixels; a multiple of `stride`.
        licence: of the network's code and weights.
        network: the raw network.
    """

    def __init__(
        self, name: str, size: str, class_names: list[str], image_size: int, network: nn.Module
    ) -> None:
        super().__init__()
        family = family_of(name)
        self.family, self.stride = family, family.stride
        self.name, self.size, self.task, self.licence = name, size, family.task, family.licence
        self.class_names, self.image_size = list(class_names), int(image_size)
        self.network = network
        self.eval()

    def forward(self, image: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Raw predictions of a batch of letterboxed images.

        Args:
            image: (N, 3, H, W) float32, RGB, 0..1; H and W multiples of `stride`.

        Returns:
            What the family's `decode` reads. YOLO detection: (N, 4 + C, anchors), boxes XYWH (centre) in
            pixels of the input, class scores 0..1; segmentation: (N, 4 + C + 32, anchors), the same with mask
            coefficients, and prototypes (N, 32, H/4, W/4).
        """
        return cast("torch.Tensor | tuple[torch.Tensor, ...]", self.network(image))

    @torch.inference_mode()
    def predict(
        self, image: "np.ndarray", confidence: float = 0.25, iou: float = 0.7, **options: Any
    ) -> "sv.Detections":
        """Detections of one image.

        Args:
            image: (H, W, 3) uint8 RGB.
            confidence: least score, 0..1.
            iou: overlap above which non-maximum suppression drops the weaker box of a class, 0..1.
            options: passed on to the family's decode (`max_detections`, `multi_label`).

        Returns:
            Boxes XYXY in pixels of `image`; for segmentation masks (N, H, W) bool.
        """
        pixels, placed = letterbox(image, self.image_size)
        batch = torch.from_numpy(pixels)[None].to(next(self.parameters()).device)
        raw = self(batch)
        tensors = raw if isinstance(raw, tuple) else (raw,)
        outputs = [tensor.float().cpu().numpy() for tensor in tensors]
        names = self.class_names
        return self.family.decode(outputs, placed, self.task, confidence, iou, class_names=names, **options)

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
    """Build an untrained student from its own description; nothing is downloaded.

    Args:
        name: key of `STUDENTS`.
        class_names: names by class index; a class-agnostic student takes the one class "object" whatever is
            given.
        size: one of the family's sizes.
        image_size: side of the input in pixels, a multiple of the family's stride.
        seed: of the initial weights; the process's own random state is left as it was.

    Raises:
        BadInput: unknown student or size, no classes, or a side that is no multiple of the stride.
    """
    family = family_of(name)
    if size not in family.sizes:
        raise BadInput(f"student size {size!r} is not known; known sizes: {', '.join(family.sizes)}")
    if image_size < family.stride or image_size % family.stride:
        least = family.stride
        raise BadInput(f"image size {image_size}: use a multiple of {least} pixels, {least} or more")
    names = ["object"] if family.class_agnostic else list(class_names)
    if not names:
        raise BadInput(f"student {name!r} needs at least one class name")
    network = build_network(family, size, len(names), seed)
    return Student(name, size, names, image_size, network)


def build_network(family: StudentFamily, size: str, classes: int, seed: int) -> nn.Module:
    """The bare network of a family, with weights drawn from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return family.build(size, classes)
