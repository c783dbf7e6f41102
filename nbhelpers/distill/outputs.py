"""What passes between a student, the assignment of its predictions and the losses, for every student."""

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@dataclass(frozen=True)
class Placement:
    """Which part of a network's input shows which image.

    Attributes:
        image_id: of the COCO record.
        matrix: (2, 3) float64: pixel coordinates of the image, as (x, y, 1), to those of the input. A pixel's
            centre lies at + 0.5 in both.
        region: XYXY pixels of the input, where the image is seen.
    """

    image_id: int
    matrix: "np.ndarray"
    region: tuple[float, float, float, float]


@dataclass(frozen=True)
class Targets:
    """What is to be found in a batch of B inputs, padded to G objects.

    Attributes:
        boxes: (B, G, 4) float32, XYXY pixels of the input.
        classes: (B, G) int64, class index.
        real: (B, G) bool; False is padding.
        weights: (B, G) float32, 0..1: 1 for people's labels, less for a teacher's.
        masks: (B, G, H / 4, W / 4) float32, 0..1; None where masks are not learnt.
        class_scores: (B, G, C) float32, 0..1, the teacher's score of every class for this object; NaN where
            no teacher looked; None where logits are not distilled.
        regions: (B, R, 4) float32, XYXY pixels of the input, where labels do not tell of every class, padded
            with empty regions; None where they do everywhere.
        taught: (B, R, C) float32, 0..1, how far a region's labels tell of each class that it is not there.
    """

    boxes: "Tensor"
    classes: "Tensor"
    real: "Tensor"
    weights: "Tensor"
    masks: "Tensor | None" = None
    class_scores: "Tensor | None" = None
    regions: "Tensor | None" = None
    taught: "Tensor | None" = None

    def to(self, device: Any, non_blocking: bool = False) -> "Targets":
        """The same on another device."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        tensors = {name: value for name, value in given.items() if value is not None}
        return replace(self, **{k: v.to(device, non_blocking=non_blocking) for k, v in tensors.items()})


@dataclass(frozen=True)
class Batch:
    """One batch for a student.

    Attributes:
        pixels: (B, 3, S, S) float32, RGB, 0..1.
        targets: what is to be found.
        placements: per input, the images it is put together from.
        teacher_maps: by teacher, (B, C, h, w) float32 feature maps brought onto the input's own grid, and
            `valid` (B, 1, h, w) float32, 1 where an image of that teacher is seen; empty without features.
    """

    pixels: "Tensor"
    targets: Targets
    placements: list[list[Placement]] = field(default_factory=list)
    teacher_maps: "dict[str, tuple[Tensor, Tensor]]" = field(default_factory=dict)

    def to(self, device: Any, non_blocking: bool = False) -> "Batch":
        """The same on another device; placements stay where they are."""
        maps = {
            name: (values.to(device, non_blocking=non_blocking), valid.to(device, non_blocking=non_blocking))
            for name, (values, valid) in self.teacher_maps.items()
        }
        pixels = self.pixels.to(device, non_blocking=non_blocking)
        return Batch(pixels, self.targets.to(device, non_blocking), self.placements, maps)


@dataclass(frozen=True)
class Outputs:
    """What a student predicts while it trains: A predictions ("places") per input.

    Attributes:
        class_logits: (B, A, C), before the sigmoid.
        boxes: (B, A, 4), XYXY pixels of the input, differentiable.
        features: maps (B, c, h, w) of its neck, finest first, for feature distillation.
        own: what only the student's family reads.
    """

    class_logits: "Tensor"
    boxes: "Tensor"
    features: "tuple[Tensor, ...]"
    own: Any = None


@dataclass(frozen=True)
class Assignment:
    """Which prediction answers for which object: M pairs.

    Attributes:
        image, place, target: (M,) int64: input of the batch, prediction of it, object of it.
        weight: (M,) float32: what the pair counts for in box and mask losses, `Targets.weights` included.
        class_targets: (B, A, C) float32, 0..1, what the class logits of every prediction should say.
        class_weights: (B, A, 1) float32, what each prediction's class counts for; None counts all alike.
        normalizer: scalar float32, above 0, by which sums over pairs and predictions are divided.
    """

    image: "Tensor"
    place: "Tensor"
    target: "Tensor"
    weight: "Tensor"
    class_targets: "Tensor"
    class_weights: "Tensor | None"
    normalizer: "Tensor"
