"""Batch number k of the training, a pure function of (seed, k)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.twins.gemma3.architecture import CELLS, IMAGE, SPECIAL
from nbhelpers.twins.gemma3.prompts import draw_question, draw_reading
from nbhelpers.twins.stills.examples import Example
from nbhelpers.twins.stills.examples import encode as examples_encode
from nbhelpers.twins.stills.pictures import shown, training_stills

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor


def encode(examples: Sequence[Example], vocabulary: "Tokenizer") -> "dict[str, Tensor]":
    """Model inputs of N examples; picture tokens, which look at each other in both directions, are marked."""
    inputs = examples_encode(examples, vocabulary)
    return inputs | {"token_type_ids": (inputs["input_ids"] == SPECIAL.index(IMAGE)).long()}


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
        stills = training_stills(self.offset + number * self.pictures, self.pictures, self.seed)
        asked = encode([draw_question(rng, still) for still in stills], self.vocabulary)
        read = encode([draw_reading(rng) for _ in range(self.texts)], self.vocabulary)
        return shown(stills, asked, CELLS) | {"read": read}
