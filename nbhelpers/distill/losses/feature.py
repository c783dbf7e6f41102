"""What the teacher sees: squared error between projected student maps and the teacher's, normalised."""

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

_EPS = 1e-6


def feature_loss(projected: Tensor, teacher_map: Tensor, valid: Tensor) -> Tensor:
    """Mean squared error to a teacher's feature map, over the places where the teacher saw something.

    The teacher's channels are brought to mean 0 and variance 1 over those places of the batch (as FitNets,
    Romero et al. 2015, arXiv:1412.6550, with the normalisation of PKD, Cao et al. 2022, arXiv:2207.02039, on
    the teacher's side), so that no channel counts more for its scale; a channel that is the same everywhere
    becomes 0. A student map of zeros then has loss 1.

    Args:
        projected: (B, C, h, w), the student's map behind its projection to the teacher's channels.
        teacher_map: (B, C, H, W), resized to (h, w): averaged where it shrinks, bilinear where it grows.
        valid: (B, 1, H, W), 0..1, what each place counts for; of what is 0 nothing is read, NaN neither.

    Returns:
        A scalar, float32, 0 or more; 0 where nothing is valid.
    """
    with torch.autocast(projected.device.type, enabled=False):
        wanted, weight = _resize(teacher_map.float(), valid.float(), projected.shape[2:])
        total = weight.sum()
        wanted = _normalise(wanted, weight, total)
        squares = (projected.float() - wanted).square().mean(1, keepdim=True)
        return (squares * weight).sum() / total.clamp(min=_EPS)


def _resize(teacher_map: Tensor, valid: Tensor, size: torch.Size) -> tuple[Tensor, Tensor]:
    """Map and weights on another grid: a place is the mean of what is valid in it."""
    teacher_map = torch.where(valid > 0, teacher_map, 0.0)
    if teacher_map.shape[2:] == size:
        return teacher_map, valid
    weight = _to(valid, size)
    return _to(teacher_map * valid, size) / weight.clamp(min=_EPS), weight


def _to(values: Tensor, size: torch.Size) -> Tensor:
    if size[0] <= values.shape[2] and size[1] <= values.shape[3]:
        return adaptive_avg_pool2d(values, (size[0], size[1]))
    return interpolate(values, size=tuple(size), mode="bilinear", align_corners=False)


def _normalise(values: Tensor, weight: Tensor, total: Tensor) -> Tensor:
    share = weight / total.clamp(min=_EPS)
    mean = (values * share).sum((0, 2, 3), keepdim=True)
    variance = ((values - mean).square() * share).sum((0, 2, 3), keepdim=True)
    # Where maps are kept in half precision, a channel that varies no more than this is rounding alone.
    scale = torch.where(variance > _EPS * mean.square().clamp(min=_EPS), variance.rsqrt(), 0.0)
    return (values - mean) * scale
