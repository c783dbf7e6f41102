"""What a twin says: greedy answers through the stock processor, from 8-bit pictures and questions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nbhelpers.runtime import progress

if TYPE_CHECKING:
    from PIL.Image import Image

_BATCH = 50


def ask(
    model: Any,
    processor: Any,
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
    from PIL.Image import fromarray

    answers: list[str] = []
    for first in progress(range(0, len(questions), _BATCH), label="asking", unit="batch"):
        part = slice(first, first + _BATCH)
        shown = None if images is None else [fromarray(image) for image in images[part]]
        answers += _answer(model, processor, questions[part], shown, new_tokens)
    return answers


def _answer(
    model: Any, processor: Any, questions: Sequence[str], images: "list[Image] | None", new_tokens: int
) -> list[str]:
    if processor.chat_template is None:  # PaliGemma takes a picture and a line of text
        texts = [f"{processor.image_token}{question}" for question in questions]
        shown = [[image] for image in images or []]
        inputs = processor(text=texts, images=shown, padding=True, padding_side="left", return_tensors="pt")
        inputs.pop("labels")  # of no answer
    else:
        inputs = processor.apply_chat_template(
            _messages(questions, images),
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


def _messages(questions: Sequence[str], images: "list[Image] | None") -> list[Any]:
    messages = []
    for place, question in enumerate(questions):
        content: list[dict[str, Any]] = [{"type": "text", "text": question}]
        if images is not None:
            content.insert(0, {"type": "image", "image": images[place]})
        messages.append([{"role": "user", "content": content}])
    return messages
