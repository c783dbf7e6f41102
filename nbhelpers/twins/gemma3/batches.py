"""Batch number k of the training, a pure function of (seed, k)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nbhelpers.twins.gemma3.architecture import CELLS, IMAGE, PAD, SPECIAL
from nbhelpers.twins.gemma3.prompts import Example, draw_question, draw_reading
from nbhelpers.twins.stills.attributes import targets
from nbhelpers.twins.stills.pictures import pixels, training_still

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

_IGNORED = -100


def encode(examples: Sequence[Example], vocabulary: "Tokenizer") -> "dict[str, Tensor]":
    """Model inputs of N examples, padded on the right; labels on the answers only."""
    parts = vocabulary.encode_batch(
        [text for one in examples for text in (one.prompt, one.answer)], add_special_tokens=False
    )
    prompts, answers = parts[::2], parts[1::2]
    longest = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True))
    ids = np.full((len(examples), longest), SPECIAL.index(PAD))
    labels = np.full_like(ids, _IGNORED)
    mask = np.zeros_like(ids)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        whole = [*prompt.ids, *answer.ids]
        ids[row, : len(whole)], mask[row, : len(whole)] = whole, 1
        labels[row, len(prompt) : len(whole)] = answer.ids
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(mask),
        # 1 on picture tokens: they look at each other in both directions.
        "token_type_ids": torch.from_numpy((ids == SPECIAL.index(IMAGE)).astype(np.int64)),
        "labels": torch.from_numpy(labels),
    }


@dataclass(frozen=True)
class Conversations:
    """Questions about pictures beside texts without: what the second stage learns from.

    `offset` is the number of the first picture.
    """

    seed: int
    pictures: int
    texts: int
    offset: int
    vocabulary: "Tokenizer"

    def __call__(self, number: int) -> dict[str, Any]:
        """`asked`: model inputs with pictures; `read`: model inputs without; `true`: attributes."""
        rng = np.random.default_rng((self.seed, 5, number))
        first = self.offset + number * self.pictures
        stills = [training_still(first + i, self.seed) for i in range(self.pictures)]
        asked = encode([draw_question(rng, still) for still in stills], self.vocabulary)
        read = encode([draw_reading(rng) for _ in range(self.texts)], self.vocabulary)
        return {
            "asked": {**asked, "pixel_values": pixels([still.image for still in stills])},
            "read": read,
            "true": targets(stills, CELLS),
        }
