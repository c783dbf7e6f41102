"""Prompts from class names, and which tokens of a prompt belong to which class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

_MARKS = ".?"  # part the phrases of a prompt; fixed in the model's code, as are [CLS] and [SEP]
_ENDS = 2  # [CLS] and [SEP]


@dataclass(frozen=True)
class Prompt:
    """One prompt.

    Attributes:
        text: "box. pallet jack.".
        classes: index of the class each phrase stands for, in the order of the phrases.
    """

    text: str
    classes: tuple[int, ...]


def phrase(class_name: str) -> str:
    """A class name as it stands in a prompt: "Pallet_Jack" becomes "pallet jack"."""
    return " ".join(class_name.lower().replace("_", " ").split())


def prompt_of(class_names: Sequence[str]) -> str:
    """The prompt that asks for these classes: "box. pallet jack."."""
    return " ".join(f"{phrase(name)}." for name in class_names)


def check_class_names(class_names: Sequence[str]) -> None:
    """Refuse names that no prompt can tell apart.

    Raises:
        BadInput: no names, an empty one, one with '.' or '?' in it, or two that read the same in a prompt.
    """
    if not class_names:
        raise BadInput("class_names is empty: name at least one class to look for")
    seen: dict[str, str] = {}
    for name in class_names:
        words = phrase(name)
        if not words or any(mark in name for mark in _MARKS):
            raise BadInput(
                f"class name {name!r}: give words without '.' and '?', which part the phrases of a prompt"
            )
        if words in seen:
            raise BadInput(
                f"class names {seen[words]!r} and {name!r} are both {words!r} in a prompt; rename one"
            )
        seen[words] = name


def token_limit(model: Any, processor: Any) -> int:
    """Tokens a prompt may have, [CLS] and [SEP] included: what model and tokenizer both take."""
    return min(int(model.config.max_text_len), int(processor.tokenizer.model_max_length))


def phrase_lengths(class_names: Sequence[str], tokenizer: Any, limit: int) -> list[int]:
    """Tokens of each class's phrase with its full stop.

    Raises:
        BadInput: a name of which the tokenizer leaves nothing, or that alone is longer than a prompt may be.
    """
    lengths = []
    for name in class_names:
        ids = tokenizer(f"{phrase(name)}.", add_special_tokens=False)["input_ids"]
        if len(ids) < 2:
            raise BadInput(f"class name {name!r}: the tokenizer finds no words in it; give another name")
        if len(ids) + _ENDS > limit:
            raise BadInput(
                f"class name {name!r}: is {len(ids)} tokens long, a prompt holds {limit - _ENDS}; shorten it"
            )
        lengths.append(len(ids))
    return lengths


def fitting(order: Sequence[int], lengths: Sequence[int], limit: int) -> list[int]:
    """The classes, from the first of `order` on, whose phrases fit one prompt together.

    Args:
        order: class indices, the most wanted first.
        lengths: of each class's phrase, see `phrase_lengths`.
        limit: see `token_limit`.
    """
    taken, room = [], limit - _ENDS
    for index in order:
        if lengths[index] > room:
            break
        taken.append(index)
        room -= lengths[index]
    return taken


def prompts_for(class_names: Sequence[str], tokenizer: Any, limit: int) -> list[Prompt]:
    """As few prompts as the text limit allows, classes in their order.

    Args:
        class_names: what to look for.
        tokenizer: of the model's processor.
        limit: see `token_limit`; 256 for the published models.

    Raises:
        BadInput: see `check_class_names` and `phrase_lengths`.
    """
    check_class_names(class_names)
    lengths = phrase_lengths(class_names, tokenizer, limit)
    prompts: list[Prompt] = []
    rest = list(range(len(class_names)))
    while rest:
        taken = fitting(rest, lengths, limit)
        prompts.append(Prompt(prompt_of([class_names[index] for index in taken]), tuple(taken)))
        rest = rest[len(taken) :]
    return prompts


def phrase_tokens(input_ids: "Tensor", width: int) -> "Tensor":
    """Which token places belong to which phrase.

    By the places between the marks, never by the decoded text, which mixes up names that share words
    (GroundingDINO issues 63 and 85).

    Args:
        input_ids: (L,) int64, of one prompt.
        width: places of the model's scores (`max_text_len`), at least L.

    Returns:
        (phrases, width) float32, 1 where the token is part of the phrase.
    """
    import torch
    from transformers.models.grounding_dino.modeling_grounding_dino import build_label_maps

    find: Any = build_label_maps  # its annotations name tensor types that torch no longer makes
    maps: Tensor = find(torch.empty((1, width), device=input_ids.device), input_ids[None])[0]
    return maps.float()
