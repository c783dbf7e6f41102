"""What a model needs around wrapping by peft: an embedding to ask for, normalisation that stays put."""

from types import MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def give_input_embeddings(model: Any) -> None:
    """Give a model whose class lacks `get_input_embeddings` one; others are left as they are.

    peft asks every model with tied weights for its embeddings. Detectors such as Grounding DINO tie their box
    heads and have none of the usual places, so they answer with the word embeddings of their text encoder.
    Switching the tying off instead (`tie_word_embeddings=False`) would get past peft too, but models saved
    after that lose their tied heads in silence.

    Args:
        model: a transformers model; changed in place, this instance alone.
    """
    from torch import nn
    from transformers import PreTrainedModel

    if _has_embeddings(model):
        return
    towers = [m for m in model.modules() if m is not model and isinstance(m, PreTrainedModel)]
    for tower in towers:
        found = tower.get_input_embeddings() if _has_embeddings(tower) else None
        if isinstance(found, nn.Embedding):
            model._embedding_tower = [tower]  # in a list: it must not become a second name of the module
            model.get_input_embeddings = MethodType(_tower_embeddings, model)
            return


def _has_embeddings(model: Any) -> bool:
    try:
        model.get_input_embeddings()
    except NotImplementedError:
        return False
    return True


def _tower_embeddings(self: Any) -> "nn.Module":
    return self._embedding_tower[0].get_input_embeddings()


def freeze_batch_norm(model: "nn.Module") -> tuple[str, ...]:
    """Keep batch normalisation as it is: always evaluating, with constant statistics, scale and shift.

    Small batches would move the running statistics of a pre-trained backbone; `model.train()` no longer
    switches these layers.

    Returns:
        Names of the layers, in the model's order.
    """
    from torch.nn.modules.batchnorm import _BatchNorm

    found = {name: module for name, module in model.named_modules() if isinstance(module, _BatchNorm)}
    for module in found.values():
        module.eval()
        module.requires_grad_(False)
        module.train = MethodType(_stay, module)  # type: ignore[method-assign]
    return tuple(found)


def _stay(self: "nn.Module", mode: bool = True) -> "nn.Module":
    return self
