"""Training mode without what must not train: frozen BatchNorm keeps its statistics."""

import contextlib
from collections.abc import Iterator

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def train_mode(model: nn.Module) -> None:
    """Put the model in training mode, frozen BatchNorm layers excepted.

    In training mode such a layer would go on changing its running statistics, which no `requires_grad` stops.
    """
    model.train()
    for module in frozen_batch_norms(model):
        module.eval()


def frozen_batch_norms(model: nn.Module) -> list[nn.Module]:
    """BatchNorm layers none of whose parameters train, in a model of which some parameters are frozen."""
    if all(parameter.requires_grad for parameter in model.parameters()):
        return []
    norms = (module for module in model.modules() if isinstance(module, _BatchNorm))
    return [norm for norm in norms if not any(p.requires_grad for p in norm.parameters(recurse=False))]


@contextlib.contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Give every module the mode, training or not, that it had before."""
    modes = {module: module.training for module in model.modules()}
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
