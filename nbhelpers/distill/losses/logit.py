"""What the teacher takes an object for: divergence between softened class distributions."""

import torch
from torch import Tensor
from torch.nn.functional import kl_div

_LEAST = 1e-4  # teacher scores are kept to four digits


def logit_loss(
    student_logits: Tensor, teacher_scores: Tensor, temperature: float, weight: Tensor | None = None
) -> Tensor:
    """Kullback-Leibler divergence from the teacher's to the student's class distribution, times T squared.

    Both are the softmax over classes of logits divided by the temperature (Hinton et al. 2015,
    arXiv:1503.02531); the factor keeps the gradient's size when the temperature changes. Teacher and student
    score each class with a sigmoid, so the teacher's logits are ln(s / (1 - s)): what is learnt is how alike
    the classes look, not how sure the teacher is that there is an object at all.

    Args:
        student_logits: (M, C), before the sigmoid.
        teacher_scores: (M, C), 0..1; a row with a NaN is left out.
        temperature: above 0.
        weight: (M,), 0 or more, of each row; None counts all alike.

    Returns:
        A scalar, float32, 0 or more: the weighted mean over the rows that count; 0 where there are none.
    """
    known = teacher_scores.isfinite().all(1)
    weight = torch.ones_like(teacher_scores[:, 0]) if weight is None else weight
    share = torch.where(known, weight.float(), 0.0)
    # What is left out must not reach the logarithms: 0 times NaN would be NaN in the gradient.
    scores = torch.where(known[:, None], teacher_scores.float(), 0.5).clamp(_LEAST, 1 - _LEAST)
    with torch.autocast(student_logits.device.type, enabled=False):
        wanted = (scores.logit() / temperature).log_softmax(1)
        found = (student_logits.float() / temperature).log_softmax(1)
        rows = kl_div(found, wanted, reduction="none", log_target=True).sum(1)
        total = share.sum()
        mean = (rows * share).sum() / torch.where(total > 0, total, 1.0)
        return mean * temperature**2
