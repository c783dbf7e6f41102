"""What accelerate does for us: autocast, the gradient scaler, several processes. Nothing of it stays."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from accelerate.utils import (
    DistributedType,
    GradientAccumulationPlugin,
    broadcast_object_list,
    gather_object,
    send_to_device,
)
from torch import Tensor, nn

from nbhelpers.errors import BadInput
from nbhelpers.training.settings import Precision


@contextlib.contextmanager
def own_accelerate() -> Iterator[None]:
    """Accelerate's process-wide state, empty inside, as it was afterwards.

    A second `Accelerator` of another precision is refused as long as the state of the first one lives.
    """
    shared = [kind._shared_state for kind in (PartialState, AcceleratorState, GradientState)]
    before = [dict(state) for state in shared]
    for state in shared:
        state.clear()
    try:
        yield
    finally:
        for state, old in zip(shared, before, strict=True):
            state.clear()
            state.update(old)


class Engine:
    """One model and its optimiser, ready for steps in the wanted precision; use inside `own_accelerate`.

    Attributes:
        model: what the loss is given: the model itself, or under `accelerate launch` its parallel wrapper.
        optimizer, scheduler: as torch made them.
        scaler: of the gradients, in fp16 only.
        device: of the model.
        overflowed: the last step was left out because its fp16 gradients were not finite.
    """

    def __init__(self, model: nn.Module, precision: Precision) -> None:
        self.device = next(model.parameters()).device
        self._accelerator = _accelerator(precision, self.device)
        _refuse_sharding(self._accelerator)
        self.processes, self.rank = self._accelerator.num_processes, self._accelerator.process_index
        if precision == "fp16":
            _refuse_half_trainables(model)
        self.model = model
        if self.processes > 1:
            self.model = self._accelerator.prepare_model(model, device_placement=True)
            self.device = self._accelerator.device

    def attach(self, optimizer: torch.optim.Optimizer, scheduler: Any) -> None:
        """Take the optimiser in; the scheduler has to be on it already, as both wrap its `step`."""
        self.optimizer, self.scheduler = optimizer, scheduler
        self._prepared = self._accelerator.prepare_optimizer(optimizer, device_placement=False)
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]

    @property
    def main(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    @property
    def scaler(self) -> Any:
        """The gradient scaler, or None."""
        return self._accelerator.scaler

    @property
    def overflowed(self) -> bool:
        """Whether the last step was left out because its fp16 gradients were not finite."""
        return bool(self._prepared.step_was_skipped)

    def place(self, batch: Any) -> Any:
        """The batch with its tensors, however nested, on the model's device."""
        return batch if self.device.type == "cpu" else send_to_device(batch, self.device, non_blocking=True)

    def autocast(self) -> contextlib.AbstractContextManager[None]:
        """The precision of forward passes."""
        return self._accelerator.autocast()

    def backward(self, loss: Tensor, last: bool) -> None:
        """Add to the gradients; between processes they are summed up with the last micro-batch only."""
        waiting = contextlib.nullcontext() if last else self._accelerator.no_sync(self.model)
        with waiting:
            self._accelerator.backward(loss)

    def clip(self, max_norm: float) -> Tensor:
        """Clip the norm of the whole gradient, unscaled; returns what it was, a scalar on the device."""
        return self._accelerator.clip_grad_norm_(self.parameters, max_norm)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.optimizer.zero_grad(set_to_none=True)

    def step(self) -> None:
        """One optimiser step; the learning rate goes on only if it was taken."""
        self._prepared.step()
        if not self.overflowed:
            self.scheduler.step()

    def sum(self, value: float) -> float:
        """A number added up over the processes."""
        return float(sum(gather_object([value]))) if self.processes > 1 else value

    def gather(self, value: Any) -> list[Any]:
        """A value of every process, in order of their ranks."""
        return gather_object([value]) if self.processes > 1 else [value]

    def agree(self, value: Any) -> Any:
        """The first process's value, in all of them: what decides must decide alike everywhere."""
        return broadcast_object_list([value])[0] if self.processes > 1 else value


def _accelerator(precision: Precision, device: torch.device) -> Accelerator:
    # The plugin keeps the environment variable of `accelerate launch` from dividing the loss a second time.
    accelerator = Accelerator(
        mixed_precision=precision,
        cpu=device.type == "cpu",
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
    )
    if precision == "fp16" and accelerator.device.type == "cpu":
        # Accelerate leaves fp16 on a CPU out without a word; torch has both parts of it.
        accelerator.native_amp, accelerator.scaler = True, torch.amp.GradScaler("cpu")
    return accelerator


def _refuse_sharding(accelerator: Accelerator) -> None:
    """Checkpoints here hold whole parameters, which no process has where they are dealt out."""
    kind = accelerator.distributed_type
    if kind in (DistributedType.FSDP, DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM):
        raise BadInput(
            f"fit: accelerate was launched with {kind.value}, which deals parameters out over processes; "
            f"launch it with plain data parallelism (--multi_gpu) or one process"
        )


def _refuse_half_trainables(model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and parameter.dtype == torch.float16:
            raise BadInput(
                f"precision fp16: the trained parameter {name} is itself float16, which loses small updates; "
                f"make the trained parameters float32"
            )
