"""A model lent to a training, and given back as it came."""

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def as_it_was(model: Any) -> Iterator[None]:
    """Give a model its modes and its trainable parameters back, and take out an adapter put in meanwhile."""
    from nbhelpers.training.modes import modes_kept

    asked = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    with modes_kept(model):
        model.eval()
        try:
            yield
        finally:
            _unload(model)
            for parameter, flag in asked:
                parameter.requires_grad_(flag)


def _unload(model: Any) -> None:
    """Put the layers LoRA wrapped back in their places."""
    from peft.tuners.lora import LoraLayer

    wrapped = [(name, module) for name, module in model.named_modules() if isinstance(module, LoraLayer)]
    for name, module in wrapped:
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, module.get_base_layer())
    if hasattr(model, "peft_config"):
        del model.peft_config
