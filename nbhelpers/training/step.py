"""One optimiser step: its micro-batches, their gradients, clipping, and a halt at numbers that are none."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.training.engine import Engine

Loss = Callable[[Any, Any], Tensor | Mapping[str, Any]]
_UNTOUCHED = "parameters and checkpoint are as they were before this step"


@dataclass(frozen=True)
class Outcome:
    """What one optimiser step measured, as means over its micro-batches.

    Attributes:
        loss: finite.
        parts: the further numbers the loss gave, by name.
        grad_norm: of the whole gradient before clipping; not finite when `overflowed`.
        learning_rate: used, of the first parameter group.
        overflowed: fp16 gradients were not finite, so the step was left out.
    """

    loss: float
    parts: dict[str, float]
    grad_norm: float
    learning_rate: float
    overflowed: bool


@dataclass
class _Sums:
    """What the micro-batches of this process add up to."""

    numbers: list[int] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)


def take_step(
    engine: Engine,
    loss: Loss,
    source: Callable[[int], Any],
    step: int,
    accumulate: int,
    clip: float | None,
) -> Outcome:
    """Take optimiser step number `step`, counted from 0.

    Raises:
        CheckFailed: the loss or, without a scaler, the gradient is not finite; the parameters are unchanged.
        BadInput: the loss function gave something that cannot be used.
    """
    engine.zero_grad()
    sums = _Sums()
    for part in range(accumulate):
        number = (step * accumulate + part) * engine.processes + engine.rank
        _micro_batch(engine, loss, source(number), number, accumulate, part == accumulate - 1, sums)
    _average(engine, sums)
    norm = engine.clip(math.inf if clip is None else clip)
    losses, grad_norm, parts = _read(sums, norm)
    _refuse_non_finite(step, sums.numbers, losses, grad_norm, scaled=engine.scaler is not None)
    learning_rate = float(engine.optimizer.param_groups[0]["lr"])
    engine.step()
    mean = _weighted_mean(losses, sums.weights)
    return Outcome(mean, parts, grad_norm, learning_rate, engine.overflowed)


def _micro_batch(
    engine: Engine, loss: Loss, batch: Any, number: int, accumulate: int, last: bool, sums: _Sums
) -> None:
    with engine.autocast():
        given = loss(engine.model, engine.place(batch))
    value, parts, weight = _unpack(given)
    # A step of one micro-batch needs no weight: what it is divided by afterwards is the weight itself.
    alone = accumulate == 1 and engine.processes == 1
    share = value / accumulate if weight is None or alone else value * weight
    engine.backward(share, last)
    sums.numbers.append(number)
    sums.losses.append(value.detach())
    sums.parts.append(parts)
    if weight is not None:
        sums.weights.append(weight)


def _unpack(given: Tensor | Mapping[str, Any]) -> tuple[Tensor, dict[str, Any], float | None]:
    """The loss, the parts to be logged, and the weight of the micro-batch if one was named."""
    parts = dict(given) if isinstance(given, Mapping) else {"loss": given}
    if "loss" not in parts:
        raise BadInput(f"the loss function gave {', '.join(map(str, parts)) or 'nothing'}: 'loss' is missing")
    value, weight = parts.pop("loss"), parts.pop("weight", None)
    if not isinstance(value, Tensor) or value.numel() != 1:
        raise BadInput(
            f"the loss function gave {type(value).__name__}: the loss must be a tensor of one number"
        )
    if not value.requires_grad:
        raise BadInput(
            "the loss does not depend on any parameter that trains: check requires_grad and no_grad"
        )
    if weight is None:
        return value.reshape(()), parts, None
    if not float(weight) >= 0:
        raise BadInput(f"the loss function gave weight {float(weight)}: must be 0 or more")
    return value.reshape(()), parts, float(weight)


def _average(engine: Engine, sums: _Sums) -> None:
    """Turn the sum of weighted gradients into their mean; unweighted ones were divided before."""
    if not sums.weights:
        return
    if len(sums.weights) != len(sums.losses):
        raise BadInput("the loss function named a weight for some micro-batches and none for others")
    total = engine.sum(sum(sums.weights))
    if total == 0:
        raise BadInput(f"batches {sums.numbers}: their weights add up to 0; there is nothing to learn from")
    if len(sums.losses) == 1 and engine.processes == 1:
        return
    grads = [p.grad for p in engine.parameters if p.grad is not None]
    torch._foreach_mul_(grads, engine.processes / total)


def _read(sums: _Sums, norm: Tensor) -> tuple[list[float], float, dict[str, float]]:
    """All numbers of the step in one transfer from the device."""
    named = [(name, value) for parts in sums.parts for name, value in parts.items()]
    tensors = [*sums.losses, norm, *(_scalar(value, norm) for _, value in named)]
    values = torch.stack([tensor.detach().to(norm.device, torch.float32) for tensor in tensors]).tolist()
    count = len(sums.losses)
    found: dict[str, list[float]] = {}
    for (name, _), value in zip(named, values[count + 1 :], strict=True):
        found.setdefault(name, []).append(value)
    return values[:count], values[count], {name: sum(them) / len(them) for name, them in found.items()}


def _scalar(value: Any, like: Tensor) -> Tensor:
    return value.reshape(()) if isinstance(value, Tensor) else torch.tensor(float(value), device=like.device)


def _weighted_mean(losses: list[float], weights: list[float]) -> float:
    if not weights:
        return sum(losses) / len(losses)
    return sum(x * w for x, w in zip(losses, weights, strict=True)) / (sum(weights) or 1.0)


def _refuse_non_finite(
    step: int, numbers: list[int], losses: list[float], grad_norm: float, scaled: bool
) -> None:
    for number, value in zip(numbers, losses, strict=True):
        if not math.isfinite(value):
            raise CheckFailed(f"step {step + 1}, batch {number}: the loss is {value}; {_UNTOUCHED}")
    if not scaled and not math.isfinite(grad_norm):
        raise CheckFailed(
            f"step {step + 1}, batch {', '.join(map(str, numbers))}: the loss is finite but the norm of its "
            f"gradient is {grad_norm}; {_UNTOUCHED}"
        )
