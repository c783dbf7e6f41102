"""Where the objects are and what they are: generalized IoU, and binary cross entropy against soft targets."""

from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torchvision.ops import generalized_box_iou_loss

from nbhelpers.distill.outputs import Assignment, Outputs, Targets


def detection_loss(outputs: Outputs, targets: Targets, assignment: Assignment) -> dict[str, Tensor]:
    """Box and class loss of the assigned predictions, without any gain.

    The box term is generalized IoU (Rezatofighi et al. 2019, arXiv:1902.09630) over the assigned pairs, the
    class term binary cross entropy over every prediction and class, both sums divided by
    `assignment.normalizer`. Both are computed in float32 whatever the precision of the outputs. Where labels
    do not tell of a class (`Targets.taught`), predictions whose centre lies there are not punished for it.

    Args:
        outputs: class logits (B, A, C) and boxes (B, A, 4) of a student.
        targets: boxes (B, G, 4), XYXY pixels of the input.
        assignment: which prediction answers for which object; without any pair the box term is 0.

    Returns:
        "box" and "class": scalars, float32, 0 or more, attached to the graph of the outputs.
    """
    return {
        "box": _box_term(outputs, targets, assignment),
        "class": _class_term(outputs, targets, assignment),
    }


def _box_term(outputs: Outputs, targets: Targets, assignment: Assignment) -> Tensor:
    found = outputs.boxes[assignment.image, assignment.place].float()
    wanted = targets.boxes[assignment.image, assignment.target].float()
    terms = cast(Tensor, generalized_box_iou_loss(found, wanted, reduction="none"))  # (M,) 0..2
    return (terms * assignment.weight).sum() / assignment.normalizer


def _class_term(outputs: Outputs, targets: Targets, assignment: Assignment) -> Tensor:
    logits = outputs.class_logits.float()
    # As a factor of the sum, the weights are broadcast over the classes without a copy of their own.
    weights: Tensor | None = assignment.class_weights
    if targets.regions is not None and targets.taught is not None:
        told = _told(outputs.boxes.detach(), targets.regions, targets.taught)
        told = torch.where(assignment.class_targets > 0, 1.0, told)  # what is labelled is taught
        weights = told if weights is None else weights * told
    with torch.autocast(logits.device.type, enabled=False):
        total = binary_cross_entropy_with_logits(
            logits, assignment.class_targets.float(), weight=weights, reduction="sum"
        )
    return total / assignment.normalizer


def _told(boxes: Tensor, regions: Tensor, taught: Tensor) -> Tensor:
    """How far each prediction is told that a class is not there, (B, A, C) 0..1; its centre decides."""
    centres = (boxes[..., :2] + boxes[..., 2:]).float() / 2  # (B, A, 2)
    low, high = regions[:, None, :, :2], regions[:, None, :, 2:]
    inside = ((centres[:, :, None] >= low) & (centres[:, :, None] < high)).all(-1)  # (B, A, R)
    return 1 - (inside.to(taught.dtype) @ (1 - taught)).clamp(max=1)
