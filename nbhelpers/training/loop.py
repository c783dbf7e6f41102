"""The one training loop."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from nbhelpers.artifacts import append_record
from nbhelpers.errors import CheckFailed
from nbhelpers.runtime import progress, seed_everything
from nbhelpers.training.schedules import make_scheduler
from nbhelpers.training.settings import FitSettings
from nbhelpers.training.source import Batches, batch_source

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

Loss = Callable[[Any, Any], "Tensor | Mapping[str, Any]"]


@dataclass(frozen=True)
class FitResult:
    """What a training did."""

    steps: int
    stopped: str
    best: float | None
    seconds: float
    history: list[dict[str, Any]] = field(default_factory=list)
    steps_per_s: float = 0.0


def fit(
    model: "nn.Module",
    batches: Batches,
    loss: Loss,
    settings: FitSettings,
    folder: Path,
    *,
    optimizer: "Optimizer | Callable[[nn.Module], Optimizer] | None" = None,
    validate: Callable[[Any], Mapping[str, float]] | None = None,
) -> FitResult:
    """Train `model` in place.

    Args:
        model: trained where it is (device, dtype); parameters with `requires_grad` change, no other.
        batches: a function from the batch's number to the batch, a pure one, so that a resume needs nothing
            but the number; or a list of batches; or a loader. With `accumulate=a` step k takes
            the batches a*k to a*k + a - 1.
        loss: from (model, batch) to a scalar tensor, or to a mapping with "loss" and parts to be logged.
        settings: see `FitSettings`.
        folder: of this training alone; made if missing.
        optimizer: instead of AdamW over all trained parameters.
        validate: from the model, in eval mode, to scores.
    """
    seed_everything(settings.seed)
    source = batch_source(batches, settings.seed, settings.shuffle)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=settings.learning_rate, betas=settings.betas, weight_decay=settings.weight_decay
    )
    scheduler = make_scheduler(optimizer, settings)
    model.train()
    began, history = time.monotonic(), []
    with progress(total=settings.steps, label=Path(folder).name, unit="step") as bar:
        for step in range(settings.steps):
            optimizer.zero_grad(set_to_none=True)
            total = 0.0
            for part in range(settings.accumulate):
                value = loss(model, source(step * settings.accumulate + part))
                value = value["loss"] if isinstance(value, Mapping) else value
                value = value / settings.accumulate
                value.backward()
                total += value.item()
            if not math.isfinite(total):
                raise CheckFailed(f"step {step}: the loss is {total}")
            torch.nn.utils.clip_grad_norm_(parameters, settings.clip or math.inf)
            optimizer.step()
            history.append({"step": step + 1, "loss": total, "lr": scheduler.get_last_lr()[0]})
            append_record(Path(folder) / "records.jsonl", history[-1])
            scheduler.step()
            bar.update()
            bar.note(f"loss {total:.4g}, lr {history[-1]['lr']:.2g}")
    seconds = time.monotonic() - began
    return FitResult(settings.steps, "steps", None, seconds, history, settings.steps / seconds)
