"""Which pixels belong to an object: binary cross entropy and Dice, each inside the object's box."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate

from nbhelpers.distill.outputs import Assignment, Targets

_STRIDE = 4  # of `Targets.masks`, pixels of the input


def segmentation_loss(mask_logits: Tensor, targets: Targets, assignment: Assignment) -> dict[str, Tensor]:
    """Mask loss of the assigned predictions, without any gain.

    Only pixels in the object's box count, as what lies outside is cut away when masks are decoded (Bolya et
    al. 2019, YOLACT, arXiv:1904.02689); `bce` is their mean. `dice` is 1 - (2 p m + 1) / (p + m + 1), summed
    over them (Milletari et al. 2016, arXiv:1606.04797). Every object counts `Targets.weights`, however large
    it is and however many predictions answer for it.

    Args:
        mask_logits: (M, h, w), one per pair of the assignment; brought to the targets' size if it is another.
        targets: with masks (B, G, H / 4, W / 4), 0..1, and boxes in pixels of the input.
        assignment: the M pairs; none give 0.

    Returns:
        "bce" and "dice": scalars, float32, 0 or more, attached to the graph of the logits.

    Raises:
        ValueError: there are no target masks.
    """
    if targets.masks is None:
        raise ValueError("segmentation_loss: the targets have no masks")
    if not len(mask_logits):
        nothing = mask_logits.float().sum()
        return {"bce": nothing, "dice": nothing}
    wanted = targets.masks[assignment.image, assignment.target].float()
    logits = _to_size(mask_logits.float(), wanted.shape[1:])
    inside = _inside(targets.boxes[assignment.image, assignment.target] / _STRIDE, wanted.shape[1:])
    weight = _weight_of_pairs(targets, assignment)
    with torch.autocast(logits.device.type, enabled=False):
        cross = binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        bce = (cross * inside).sum((1, 2)) / inside.sum((1, 2))
        dice = _dice(logits.sigmoid() * inside, wanted * inside)
        return {"bce": (bce * weight).sum(), "dice": (dice * weight).sum()}


def _to_size(logits: Tensor, size: torch.Size) -> Tensor:
    if logits.shape[1:] == size:
        return logits
    return interpolate(logits[:, None], size=tuple(size), mode="bilinear", align_corners=False)[:, 0]


def _inside(boxes: Tensor, size: torch.Size) -> Tensor:
    """(M, h, w) float32: 1 for each pixel that a box, XYXY in mask pixels, touches; at least one per box."""
    height, width = size
    left, top = boxes[:, 0].floor().clamp(0, width - 1), boxes[:, 1].floor().clamp(0, height - 1)
    right = torch.maximum(boxes[:, 2].ceil().clamp(max=width), left + 1)
    bottom = torch.maximum(boxes[:, 3].ceil().clamp(max=height), top + 1)
    x, y = torch.arange(width, device=boxes.device), torch.arange(height, device=boxes.device)
    across = (x >= left[:, None]) & (x < right[:, None])
    down = (y >= top[:, None]) & (y < bottom[:, None])
    return (down[:, :, None] & across[:, None, :]).float()


def _dice(found: Tensor, wanted: Tensor) -> Tensor:
    both = (found * wanted).sum((1, 2))
    return 1 - (2 * both + 1) / (found.sum((1, 2)) + wanted.sum((1, 2)) + 1)


def _weight_of_pairs(targets: Targets, assignment: Assignment) -> Tensor:
    """(M,): the object's weight, shared among its pairs, over the number of objects that have any."""
    object_of = assignment.image * targets.real.shape[1] + assignment.target
    pairs = torch.bincount(object_of, minlength=targets.real.numel())
    weight = targets.weights[assignment.image, assignment.target].float()
    return weight / pairs[object_of] / pairs.count_nonzero()
