"""What the twin says: greedy answers through the stock processor, from 8-bit pictures and chat messages."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nbhelpers.runtime import progress

if TYPE_CHECKING:
    from transformers import Gemma3ForConditionalGeneration, Gemma3Processor

_BATCH = 50


def ask(
    model: "Gemma3ForConditionalGeneration",
    processor: "Gemma3Processor",
    questions: Sequence[str],
    images: Sequence[np.ndarray] | None = None,
    new_tokens: int = 24,
) -> list[str]:
    """One answer per question, greedily, without special tokens or space at the ends.

    Args:
        model: in eval mode.
        processor: of the same folder.
        questions: N texts.
        images: N pictures (H, W, 3) uint8 RGB of any size, or None for questions without pictures.
        new_tokens: tokens of an answer at most.
    """
    from PIL import Image

    messages = []
    for place, question in enumerate(questions):
        content: list[dict[str, Any]] = [{"type": "text", "text": question}]
        if images is not None:
            content.insert(0, {"type": "image", "image": Image.fromarray(images[place])})
        messages.append([{"role": "user", "content": content}])
    answers: list[str] = []
    for first in progress(range(0, len(messages), _BATCH), label="asking", unit="batch"):
        answers += _answer(model, processor, messages[first : first + _BATCH], new_tokens)
    return answers


def _answer(model: Any, processor: Any, messages: list[Any], new_tokens: int) -> list[str]:
    inputs = processor.apply_chat_template(
        messages,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        add_generation_prompt=True,
        processor_kwargs={"padding": True},
    )
    with torch.inference_mode():
        written = model.generate(**inputs, max_new_tokens=new_tokens, do_sample=False)
    new = written[:, inputs["input_ids"].shape[1] :]
    return [text.strip() for text in processor.batch_decode(new, skip_special_tokens=True)]


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
