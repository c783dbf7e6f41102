"""Prompts into what a model takes: the family's own chat template, pictures, one begin token."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput, CheckFailed

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from nbhelpers.models import Loaded


@dataclass(frozen=True, eq=False)
class Asked:
    """One prompt in one language, ready to be put.

    Attributes:
        prompt: place of the prompt in the configuration.
        name: of the prompt.
        language: `en` or `it`.
        text: what is asked.
        new_tokens: of the answer at most.
        image: HWC uint8 RGB, or None.
    """

    prompt: int
    name: str
    language: str
    text: str
    new_tokens: int
    image: "np.ndarray | None" = None

    @property
    def kind(self) -> tuple[bool, int]:
        """What prompts must have in common to be answered together."""
        return self.image is not None, self.new_tokens


def tokenizer_of(loaded: "Loaded") -> Any:
    """The tokenizer, be it the processor itself or part of it."""
    return getattr(loaded.processor, "tokenizer", loaded.processor)


def check_pictures(loaded: "Loaded", asked: Sequence[Asked]) -> None:
    """Refuse pictures for a model that takes none.

    Raises:
        BadInput: names the model and the prompt.
    """
    shown = next((one for one in asked if one.image is not None), None)
    if shown is not None and "image" not in loaded.family.inputs:
        raise BadInput(
            f"{loaded.name}: takes no pictures, and prompt {shown.name!r} shows one; choose another model "
            "or configuration"
        )


def chat_inputs(loaded: "Loaded", asked: Sequence[Asked]) -> "dict[str, Tensor]":
    """A padded batch of turns that wait for an answer, on the model's device.

    Args:
        loaded: model and processor.
        asked: of one kind.

    Returns:
        `input_ids` and `attention_mask` (batch, tokens), padded on the left, and what else the family takes.

    Raises:
        CheckFailed: the begin token is not where the vocabulary itself would write it, once.
    """
    tokenizer = tokenizer_of(loaded)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    whole = loaded.family.processor == "AutoProcessor"
    options = {"processor_kwargs": {"padding": True}} if whole else {"padding": True}
    inputs = loaded.processor.apply_chat_template(
        [[{"role": "user", "content": _content(one, whole)}] for one in asked],
        tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True, **options,
    )  # fmt: skip
    check_begin(tokenizer, inputs["input_ids"], inputs["attention_mask"])
    return {name: _placed(value, loaded) for name, value in inputs.items()}


def _content(one: Asked, parts: bool) -> Any:
    """Plain text for a tokenizer's template; typed parts for a processor's."""
    if not parts:
        return one.text
    from PIL import Image

    content: list[dict[str, Any]] = [{"type": "text", "text": one.text}]
    if one.image is not None:
        content.insert(0, {"type": "image", "image": Image.fromarray(one.image)})
    return content


def _placed(value: Any, loaded: "Loaded") -> Any:
    moved = value.to(loaded.model.device)
    return moved.to(loaded.dtype) if moved.is_floating_point() else moved


def check_begin(tokenizer: Any, ids: "Tensor", mask: "Tensor") -> None:
    """Whether each row begins with one begin token, where the vocabulary begins texts with it.

    Without it Gemma's perplexity is in the thousands; with two of them it answers differently.

    Args:
        tokenizer: of the model.
        ids: (batch, tokens) int64, padded on the left.
        mask: the same shape, 0 on padding.

    Raises:
        CheckFailed: a row has none, or several.
    """
    begin = tokenizer.bos_token_id
    if begin is None or begin not in tokenizer("a")["input_ids"]:
        return
    for row, kept in zip(ids.tolist(), mask.tolist(), strict=True):
        text = [token for token, counts in zip(row, kept, strict=True) if counts]
        if text[0] != begin or text.count(begin) != 1:
            raise CheckFailed(
                f"a prompt has {text.count(begin)} begin tokens instead of one at its start; the chat "
                "template does not fit its tokenizer"
            )
