"""An exponential moving average of what trains: smoother weights than those of any one step."""

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nbhelpers.training.checkpoints import give_state, refuse_other_shapes, shapes, trained_state


class Average:
    """The average beside the weights that train (Polyak & Juditsky 1992; warm-up of ultralytics' ModelEMA).

    After optimiser step n it goes on by `average = d * average + (1 - d) * weights`, where d grows from 0 to
    `decay` as `decay * (1 - exp(-n / warmup))`: early weights, far from where the training ends, are soon
    forgotten. Averaged are the trained parameters and every persistent floating-point buffer, BatchNorm's
    statistics among them; integer buffers are copied.

    Attributes:
        state: by name as in `trained_state`, on the model's device; half-precision tensors in float32, whose
            small changes would be lost otherwise.
        updates: optimiser steps taken in.
    """

    def __init__(self, model: nn.Module, decay: float, warmup: int) -> None:
        self.decay, self.warmup, self.updates = decay, warmup, 0
        self.state = {name: _wide(tensor) for name, tensor in trained_state(model).items()}

    def factor(self, update: int) -> float:
        """The share the average keeps of itself at this update, counted from 1; 0 to `decay`."""
        return self.decay * (1 - math.exp(-update / self.warmup))

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after one more optimiser step."""
        self.updates += 1
        share = 1 - self.factor(self.updates)
        for name, now in trained_state(model).items():
            kept = self.state[name]
            if kept.is_floating_point():
                kept.lerp_(now.to(kept.dtype), share)
            else:
                kept.copy_(now)

    def give(self, model: nn.Module) -> None:
        """Leave the model with the averaged weights."""
        give_state(model, self.state)

    @contextlib.contextmanager
    def inside(self, model: nn.Module) -> Iterator[None]:
        """The model has the averaged weights inside, and outside its own again, to the bit."""
        own = {name: tensor.clone() for name, tensor in trained_state(model).items()}
        self.give(model)
        try:
            yield
        finally:
            give_state(model, own)

    def record(self) -> dict[str, Tensor | int]:
        """What a checkpoint keeps of it: `updates`, and the tensors by name."""
        return {"updates": self.updates, **{f"state.{name}": tensor for name, tensor in self.state.items()}}

    @torch.no_grad()
    def load(self, record: dict[str, Tensor | int]) -> None:
        """Go on from what `record` gave.

        Raises:
            BadInput: it is the average of another model.
        """
        kept = {name.removeprefix("state."): t for name, t in record.items() if isinstance(t, Tensor)}
        refuse_other_shapes(shapes(self.state), shapes(kept))
        self.updates = int(record["updates"])
        for name, tensor in kept.items():
            self.state[name].copy_(tensor)


def _wide(tensor: Tensor) -> Tensor:
    half = tensor.dtype in (torch.float16, torch.bfloat16)
    return tensor.detach().to(torch.float32, copy=True) if half else tensor.detach().clone()


@contextlib.contextmanager
def averaged(average: Average | None, model: nn.Module) -> Iterator[None]:
    """`average.inside(model)`, or nothing where there is no average."""
    with contextlib.nullcontext() if average is None else average.inside(model):
        yield
