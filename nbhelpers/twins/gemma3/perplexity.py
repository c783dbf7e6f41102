"""How likely texts without a picture are to the twin."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import Gemma3ForConditionalGeneration, Gemma3Processor

_BATCH = 50


def perplexity(
    model: "Gemma3ForConditionalGeneration", processor: "Gemma3Processor", texts: Sequence[str]
) -> tuple[float, int]:
    """Perplexity per token of texts, each read from <bos> on, and the number of tokens it is a mean over."""
    total, count = 0.0, 0
    for first in range(0, len(texts), _BATCH):
        part = list(texts[first : first + _BATCH])
        inputs = processor.tokenizer(part, return_tensors="pt", padding=True, padding_side="right")
        labels = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
        with torch.inference_mode():
            loss = model(**inputs, labels=labels).loss
        tokens = int((labels[:, 1:] != -100).sum())
        total, count = total + float(loss) * tokens, count + tokens
    return math.exp(total / count), count
