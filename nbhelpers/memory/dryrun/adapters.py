"""LoRA in a dry run where the caller brings none of its own."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from torch import nn

# Puts adapters into a model and freezes the rest; gives back the model to call.
Adapt = Callable[["nn.Module"], "nn.Module"]


class AdaptableFamily(Protocol):
    """The part of a family that says where LoRA goes."""

    @property
    def linears(self) -> Mapping[str, tuple[str, ...]]:
        """Role -> regular expressions on names of linear modules."""
        ...

    @property
    def lora_roles(self) -> tuple[str, ...]:
        """Roles adapted by default."""
        ...


def default_lora(family: Any, r: int = 16) -> Adapt:
    """LoRA of rank `r` on the family's default roles, adapters in float32.

    Args:
        family: see `AdaptableFamily`.
        r: rank.
    """

    def adapt(model: "nn.Module") -> "nn.Module":
        import torch
        from peft import LoraConfig, inject_adapter_in_model

        names = _linear_names(family, model)
        if not names:
            raise BadInput(f"LoRA: no linear layer of {type(model).__name__} matches the default roles")
        model.requires_grad_(False)
        _offer_embeddings(model)
        config = LoraConfig(r=r, lora_alpha=2 * r, lora_dropout=0.1, target_modules=names)
        model = inject_adapter_in_model(config, model)
        for name, parameter in model.named_parameters():
            if ".lora_" in name:
                parameter.data = parameter.data.to(torch.float32)
                parameter.requires_grad_(True)
        return model

    return adapt


def _offer_embeddings(model: Any) -> None:
    """Give detectors input embeddings: they have none and raise, where peft asks to find tied weights."""
    from torch import nn

    try:
        model.get_input_embeddings()
    except NotImplementedError:
        model.get_input_embeddings = lambda: nn.Embedding(1, 1, device="meta")


def _linear_names(family: AdaptableFamily, model: "nn.Module") -> list[str]:
    from torch import nn

    patterns = [re.compile(p) for role in family.lora_roles for p in family.linears[role]]
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and any(pattern.fullmatch(name) for pattern in patterns)
    ]
