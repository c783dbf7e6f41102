"""What norms add to their weights before they multiply with them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def gain_offsets(model: "nn.Module", names: Iterable[str]) -> dict[str, float]:
    """Offsets of the norms among some parameters, found by asking each class of norm once."""
    found: dict[str, float] = {}
    known: dict[type, float] = {}
    for name in names:
        holder, _, key = name.rpartition(".")
        module = model.get_submodule(holder)
        if key == "weight" and "norm" in type(module).__name__.lower():
            kind = type(module)
            known[kind] = known[kind] if kind in known else gain_offset(module)
            found[name] = known[kind]
    return found


def gain_offset(norm: "nn.Module") -> float:
    """What a norm adds to its weight: 1 where it computes (1 + w) * x / |x|, 0 where w * x / |x|.

    Asked of a copy with all its parameters at zero: without an offset nothing comes out. So no list of
    classes is needed; Gemma's norms are of the first kind, those of Llama and Qwen of the second.

    Args:
        norm: a module with a weight along the last dimension of what it takes; it is not changed.
    """
    import torch

    width = next(parameter.shape[-1] for parameter in norm.parameters())
    signs = torch.ones(1, width)
    signs[:, ::2] = -1.0  # mean 0, root mean square 1: layer norms and RMS norms both leave it as it is
    with torch.no_grad():
        out = _zeroed_copy(norm)(signs) / signs
    return float(out.mean().round())


def _zeroed_copy(norm: "nn.Module") -> "nn.Module":
    """A copy on the CPU that shares nothing, whatever device the original is on."""
    from copy import copy

    import torch
    from torch import nn

    made = copy(norm)
    made.__dict__["_parameters"] = {
        key: None if value is None else nn.Parameter(torch.zeros(value.shape))
        for key, value in norm._parameters.items()
    }
    return made
