"""Let a model write programs for requests in words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbhelpers.twins.qwen2_coder.batches import prompt_ids
from nbhelpers.twins.qwen2_coder.tokenizer import CONTEXT

if TYPE_CHECKING:
    from transformers import Qwen2Tokenizer


def write(
    model: Any,
    tokenizer: "Qwen2Tokenizer",
    requests: Sequence[str],
    batch: int = 40,
    new_tokens: int | None = None,
) -> list[str]:
    """The program a model writes for each request, greedily, through the stock `generate`.

    Args:
        model: Qwen2ForCausalLM in eval mode.
        tokenizer: with a chat template.
        requests: in words.
        batch: requests at a time.
        new_tokens: written at most; by default as many as the context holds.

    Returns:
        Source text without special tokens; cut off where the context was full.
    """
    import torch

    asked = [prompt_ids(tokenizer, words) for words in requests]
    order = sorted(range(len(asked)), key=lambda row: len(asked[row]))
    written = [""] * len(asked)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        inputs = tokenizer.pad(
            {"input_ids": [asked[row] for row in rows]}, padding_side="left", return_tensors="pt"
        )
        given = inputs["input_ids"].shape[1]
        most = new_tokens or CONTEXT - given
        with torch.inference_mode():
            output = model.generate(**inputs, max_new_tokens=most, do_sample=False)
        sources = tokenizer.batch_decode(output[:, given:], skip_special_tokens=True)
        for row, source in zip(rows, sources, strict=True):
            written[row] = source
    return written
