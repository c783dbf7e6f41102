"""The two optimisers of patch attacks: Adam, and steps of one size along the sign of the gradient."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Adam, Optimizer

from nbhelpers.errors import BadInput


class SignMomentum(Optimizer):
    """Momentum iterative sign-gradient (Dong et al. 2018, "Boosting adversarial attacks with momentum").

    Each gradient is divided by its mean absolute value, added to a fading sum, and every value moves by `lr`
    along the sign of that sum.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            for value in (p for p in group["params"] if p.grad is not None):
                velocity = self.state[value].setdefault("velocity", torch.zeros_like(value))
                velocity.mul_(group["momentum"]).add_(value.grad / value.grad.abs().mean().clamp_min(1e-12))
                value.sub_(group["lr"] * velocity.sign())


def make_optimizer(name: str, patch: nn.Module, learning_rate: float) -> Optimizer:
    """The optimiser over a patch's raw values.

    Args:
        name: `adam` or `sign`.
        patch: its parameters are trained.
        learning_rate: in units of the raw value, which near mid-grey are those of a pixel (0..1).

    Raises:
        BadInput: another name.
    """
    if name == "adam":
        return Adam(patch.parameters(), lr=learning_rate, betas=(0.9, 0.99))
    if name == "sign":
        return SignMomentum(patch.parameters(), lr=learning_rate)
    raise BadInput(f"optimizer {name!r}: use adam or sign")
