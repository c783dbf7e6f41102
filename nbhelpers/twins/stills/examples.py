"""Questions with their answers as model inputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

IGNORED = -100


@dataclass(frozen=True)
class Example:
    """What is read and what has to be written after it; both with all special tokens in the text."""

    prompt: str
    answer: str


def encode(examples: Sequence[Example], vocabulary: "Tokenizer") -> "dict[str, Tensor]":
    """N examples, padded on the right with token 0.

    Returns:
        `input_ids`, `attention_mask` and `labels`, the last on the answers only: (N, tokens) int64.
    """
    parts = vocabulary.encode_batch(
        [text for one in examples for text in (one.prompt, one.answer)], add_special_tokens=False
    )
    prompts, answers = parts[::2], parts[1::2]
    longest = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True))
    ids = np.zeros((len(examples), longest), np.int64)
    labels, mask = np.full_like(ids, IGNORED), np.zeros_like(ids)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        whole = [*prompt.ids, *answer.ids]
        ids[row, : len(whole)], mask[row, : len(whole)] = whole, 1
        labels[row, len(prompt) : len(whole)] = answer.ids
    named = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    return {name: torch.from_numpy(values) for name, values in named.items()}
