"""Enter every storage that the operations of a block make into a ledger."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from nbhelpers.memory.dryrun import mixed
from nbhelpers.memory.dryrun.ledger import Ledger


class Tracer(TorchDispatchMode):
    """While active, operations run on shapes (see `mixed`) and their results are entered."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger, self.path = ledger, [""]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = mixed.call(func, args, kwargs or {})
        if isinstance(output, Tensor):
            self._ledger.add(output, "activation", self.path[-1])
        elif isinstance(output, list | tuple):
            for part in output:
                if isinstance(part, Tensor):
                    self._ledger.add(part, "activation", self.path[-1])
        return output


@contextmanager
def module_paths(model: nn.Module, tracer: Tracer) -> Iterator[None]:
    """Tell the tracer which module is at work, also when a checkpoint computes it again."""
    hooks = []
    for name, module in model.named_modules():
        hooks.append(module.register_forward_pre_hook(_enter(tracer, name)))
        hooks.append(module.register_forward_hook(_leave(tracer), always_call=True))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _enter(tracer: Tracer, name: str) -> Any:
    def enter(*_: Any) -> None:
        tracer.path.append(name)

    return enter


def _leave(tracer: Tracer) -> Any:
    def leave(*_: Any) -> None:
        tracer.path.pop()

    return leave


def enter_model(ledger: Ledger, model: nn.Module) -> None:
    """Enter weights and buffers; tied ones once."""
    for name, parameter in model.named_parameters():
        ledger.add(parameter, "weight", name)
    for name, buffer in model.named_buffers():
        ledger.add(buffer, "weight", name)


def enter_inputs(ledger: Ledger, inputs: Any) -> None:
    """Enter the tensors of the inputs, nested ones too."""
    for name, value in inputs.items():
        for tensor in torch.utils._pytree.tree_leaves(value):
            if isinstance(tensor, Tensor):
                ledger.add(tensor, "input", name)


class Marker:
    """Told of each phase as it begins; says which storages turned out to be gradients, states or a cache."""

    def __init__(self, ledger: Ledger, model: nn.Module, optimizer: torch.optim.Optimizer | None) -> None:
        self._ledger, self._model, self._optimizer = ledger, model, optimizer

    def __call__(self, phase: str, cache: Any = None) -> None:
        """Begin `phase`; `cache` is the key-value cache that the phase before it filled."""
        for name, parameter in self._model.named_parameters():
            if parameter.grad is not None:
                self._ledger.rename(parameter.grad, "gradient", name)
        for layer in cache.layers if cache is not None else ():
            self._ledger.rename(layer.keys, "cache", "")
            self._ledger.rename(layer.values, "cache", "")
        if phase == "end" and self._optimizer is not None:
            self._name_states(self._optimizer)
        self._ledger.begin(phase)

    def _name_states(self, optimizer: torch.optim.Optimizer) -> None:
        for state in optimizer.state.values():
            for tensor in state.values():
                if isinstance(tensor, Tensor):
                    self._ledger.rename(tensor, "optimizer", "")
