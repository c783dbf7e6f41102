"""What the patch is pushed towards: an answer, or away from one, in colours a printer has."""

import torch
from torch import Tensor

# Below this log-probability of the whole right answer an untargeted attack has won and pushes no further. An
# answer is lost long before, but pictures that are pushed on carry over to others that still stand.
_LOST = -12.0
# Inks and their overprints as an office printer lays them on paper, sRGB 0..1: cyan, magenta, yellow, black,
# their pairs, paper, and halftones of each; what the non-printability score measures distances to.
_INKS = (
    (0.00, 0.62, 0.88), (0.89, 0.11, 0.48), (0.97, 0.90, 0.10), (0.09, 0.09, 0.10), (0.93, 0.93, 0.92),
    (0.18, 0.19, 0.57), (0.00, 0.60, 0.30), (0.88, 0.14, 0.16), (0.50, 0.78, 0.90), (0.92, 0.55, 0.70),
    (0.95, 0.92, 0.55), (0.50, 0.50, 0.50), (0.75, 0.75, 0.74), (0.28, 0.28, 0.28), (0.92, 0.52, 0.36),
    (0.48, 0.75, 0.58), (0.52, 0.50, 0.72), (0.96, 0.60, 0.13), (0.45, 0.30, 0.20), (0.55, 0.72, 0.20),
)  # fmt: skip


def towards(log_likelihood: Tensor, counts: Tensor) -> Tensor:
    """Targeted: the mean cross-entropy per token of the chosen answer.

    Args:
        log_likelihood: (N, T), 0 where nothing counts.
        counts: (N, T) bool.
    """
    return -(log_likelihood.sum(1) / counts.sum(1)).mean()


def away(log_likelihood: Tensor, counts: Tensor) -> Tensor:
    """Untargeted: the log-probability of the whole right answer, pushed down until it is out of reach.

    A single token is not enough: "red" may fall while the sentence still comes out right. Below `_LOST` an
    answer counts as lost, so that the gradient goes to those that still stand.
    """
    return log_likelihood.sum(1).clamp_min(_LOST).mean()


def total_variation(pixels: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference of neighbours within the mask (Mahendran and Vedaldi 2015); scalar.

    Args:
        pixels: (3, P, P), 0..1.
        mask: (P, P), 0..1.
    """
    down = (pixels[:, 1:] - pixels[:, :-1]).abs() * (mask[1:] * mask[:-1])
    right = (pixels[:, :, 1:] - pixels[:, :, :-1]).abs() * (mask[:, 1:] * mask[:, :-1])
    return (down.sum() + right.sum()) / (3 * mask.sum()).clamp_min(1)


def non_printability(pixels: Tensor, mask: Tensor) -> Tensor:
    """Mean distance of each pixel to the nearest colour of the ink table, 0..1; scalar.

    Sharif et al. (2016, "Accessorize to a crime") multiply the distances to all printable colours; the
    smallest alone has the same zeros and does not vanish with the length of the table.
    """
    inks = torch.tensor(_INKS, dtype=pixels.dtype, device=pixels.device)
    distances = (pixels.permute(1, 2, 0)[:, :, None] - inks).square().sum(-1).add(1e-8).sqrt()
    return (distances.amin(-1) * mask).sum() / mask.sum().clamp_min(1e-6) / 3**0.5
