"""Questions about pictures as PaliGemma reads them; batch number k is a pure function of (seed, k)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.data.stills import STILL_WORLDS, TASKS, Still, phrasings, render_still
from nbhelpers.data.stills.words import name
from nbhelpers.twins.paligemma.architecture import BOS, CELLS, EOS, IMAGE, SPECIAL
from nbhelpers.twins.stills.examples import IGNORED, Example
from nbhelpers.twins.stills.examples import encode as examples_encode
from nbhelpers.twins.stills.pictures import shown, training_seed, training_stills
from nbhelpers.twins.vocabulary import train_bpe

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

VOCABULARY = 512
_TASK_SHARES = (0.5, 0.35, 0.1, 0.05)  # of TASKS


def corpus(seed: int) -> Iterator[str]:
    """Texts for the vocabulary: questions, answers, and the words of the shifted world too."""
    for task in TASKS:
        yield from phrasings(task, "en")
        yield from (render_still(i, 64, training_seed(seed)).answer(task, "en") for i in range(200))
    world = STILL_WORLDS["shifted"]
    yield from (f"a {name(color, kind, 'en')}" for color in world.colors for kind in world.kinds)


def make_vocabulary(seed: int) -> "Tokenizer":
    """The twin's byte-level vocabulary of `VOCABULARY` tokens; any text can be written with it."""
    return train_bpe(corpus(seed), VOCABULARY, SPECIAL)


def draw_question(rng: np.random.Generator, still: Still) -> Example:
    """A question about a picture and its answer, of any task and in a wording that is not held out."""
    task = TASKS[int(rng.choice(len(TASKS), p=_TASK_SHARES))]
    asked = phrasings(task, "en")
    return turn(asked[int(rng.integers(len(asked)))], still.answer(task, "en"))


def turn(question: str, answer: str) -> Example:
    """A question and its answer as the stock processor writes them."""
    return Example(f"{IMAGE * CELLS**2}{BOS}{question}\n", f"{answer}{EOS}")


def encode(examples: Sequence[Example], vocabulary: "Tokenizer") -> "dict[str, Tensor]":
    """Model inputs of N examples.

    What is asked is read in both directions, what is answered from left to right: `token_type_ids` is 0 there
    and 1 here, and in the padding.
    """
    inputs = examples_encode(examples, vocabulary)
    asked = (inputs["labels"] == IGNORED) & (inputs["attention_mask"] == 1)
    return inputs | {"token_type_ids": (~asked).long()}


@dataclass(frozen=True)
class Questions:
    """Questions about `pictures` pictures a step, the first of them number `offset`."""

    seed: int
    pictures: int
    offset: int
    vocabulary: "Tokenizer"

    def __call__(self, number: int) -> dict[str, Any]:
        """`asked`: model inputs; `true`: the pictures' attributes."""
        rng = np.random.default_rng((self.seed, 5, number))
        stills = training_stills(self.offset + number * self.pictures, self.pictures, self.seed)
        asked = encode([draw_question(rng, still) for still in stills], self.vocabulary)
        return shown(stills, asked, CELLS)
