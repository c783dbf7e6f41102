"""What SAM's mask decoder is taught: cross entropy and Dice of the masks, their IoU, and focal if wanted."""

from torch import Tensor
from torch.nn import functional

# Cross entropy is divided by the object's area and this share of the picture: small objects count as much as
# large ones, but those of a few pixels not more.
AREA_SHARE = 1 / 32
_FOCAL_ALPHA, _FOCAL_GAMMA = 0.25, 2.0  # as Lin et al. 2017, and Kirillov et al. 2023 after them


def cross_entropy(logits: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Binary cross entropy over the object's size, (...) for masks (..., h, w).

    Args:
        logits: (..., h, w) float.
        target: (..., h, w) float, 0 to 1: the share of each place that the object covers.
        valid: (..., h, w) float, 0 to 1: the share of each place that lies in the picture; None: all of it.
    """
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return _over_size(each, target, valid)


def focal(logits: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Focal loss (Lin et al. 2017, alpha 0.25, gamma 2) over the object's size; as `cross_entropy`."""
    from torchvision.ops import sigmoid_focal_loss

    each = sigmoid_focal_loss(logits, target, alpha=_FOCAL_ALPHA, gamma=_FOCAL_GAMMA)
    return _over_size(each, target, valid)


def _over_size(each: Tensor, target: Tensor, valid: Tensor | None) -> Tensor:
    if valid is not None:
        each = each * valid
    places = each.shape[-1] * each.shape[-2]
    return each.sum((-1, -2)) / (target.sum((-1, -2)) + places * AREA_SHARE)


def dice(logits: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """One minus the Dice overlap (Milletari et al. 2016), smoothed by one place; as `cross_entropy`."""
    guess = logits.sigmoid()
    if valid is not None:
        guess = guess * valid
    common, both = (guess * target).sum((-1, -2)), guess.sum((-1, -2)) + target.sum((-1, -2))
    return 1 - (2 * common + 1) / (both + 1)


def true_iou(logits: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Overlap of the masks above 0 with the target above one half, (...) for masks (..., h, w)."""
    found, wanted = logits > 0, target > 0.5
    if valid is not None:
        found = found & (valid > 0.5)
    common = (found & wanted).sum((-1, -2))
    return common / (found | wanted).sum((-1, -2)).clamp(min=1)


def mask_losses(
    logits: Tensor,
    iou: Tensor,
    target: Tensor,
    valid: Tensor | None = None,
    focal_weight: float = 0.0,
) -> dict[str, Tensor]:
    """The whole loss of some masks and its parts, each a mean over the masks.

    Args:
        logits: (P, h, w) float32.
        iou: (P,) predicted overlap of each mask with the truth.
        target: (P, h, w), see `cross_entropy`.
        valid: (P, h, w), see `cross_entropy`.
        focal_weight: of the focal part; 0 leaves it out.

    Returns:
        "loss", the sum of "bce", "dice", "iou" (squared error of the predicted overlap) and `focal_weight`
        times "focal"; the parts are detached.
    """
    parts = {
        "bce": cross_entropy(logits, target, valid).mean(),
        "dice": dice(logits, target, valid).mean(),
        "iou": functional.mse_loss(iou, true_iou(logits.detach(), target, valid).to(iou.dtype)),
    }
    loss = parts["bce"] + parts["dice"] + parts["iou"]
    if focal_weight:
        parts["focal"] = focal(logits, target, valid).mean()
        loss = loss + focal_weight * parts["focal"]
    return {"loss": loss, **{name: value.detach() for name, value in parts.items()}}
