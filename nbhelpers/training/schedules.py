"""The learning rate as a factor of its peak: linear warm-up, then cosine, linear or constant."""

import math
from typing import TYPE_CHECKING

from nbhelpers.training.settings import FitSettings

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LambdaLR


def factor(step: int, settings: FitSettings) -> float:
    """The factor of the peak learning rate used in optimiser step `step`, counted from 0; 0 to 1."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    rest = settings.steps - settings.warmup_steps
    done = min(1.0, (step - settings.warmup_steps) / max(1, rest))
    if settings.schedule == "constant":
        return 1.0
    left = 0.5 * (1 + math.cos(math.pi * done)) if settings.schedule == "cosine" else 1 - done
    return settings.final_factor + (1 - settings.final_factor) * left


def make_scheduler(optimizer: "Optimizer", settings: FitSettings) -> "LambdaLR":
    """A `LambdaLR` over `factor`, for all parameter groups."""
    from torch.optim.lr_scheduler import LambdaLR

    return LambdaLR(optimizer, lambda step: factor(step, settings))


def follow(scheduler: "LambdaLR", settings: FitSettings) -> None:
    """Set the learning rate that a loaded scheduler has reached, by the schedule of these settings.

    It is the one it was saved with, to the bit, unless the number of steps has grown since.
    """
    for group, peak in zip(scheduler.optimizer.param_groups, scheduler.base_lrs, strict=True):
        group["lr"] = peak * factor(scheduler.last_epoch, settings)
