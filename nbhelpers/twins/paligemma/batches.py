"""Questions about pictures as PaliGemma reads them; batch number k is a pure function of (seed, k)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nbhelpers.data.stills import STILL_WORLDS, TASKS, Still, phrasings, render_still
from nbhelpers.data.stills.words import name
from nbhelpers.twins.paligemma.architecture import BOS, CELLS, EOS, IMAGE, PAD, SPECIAL
from nbhelpers.twins.stills.attributes import targets
from nbhelpers.twins.stills.pictures import pixels, training_seed, training_still
from nbhelpers.twins.vocabulary import train_bpe

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

VOCABULARY = 512
_TASK_SHARES = (0.5, 0.35, 0.1, 0.05)  # of TASKS
_IGNORED = -100


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


def draw_question(rng: np.random.Generator, still: Still) -> tuple[str, str]:
    """A question about a picture and its answer, of any task and in a wording that is not held out."""
    task = TASKS[int(rng.choice(len(TASKS), p=_TASK_SHARES))]
    asked = phrasings(task, "en")
    return asked[int(rng.integers(len(asked)))], still.answer(task, "en")


def encode(pairs: Sequence[tuple[str, str]], vocabulary: "Tokenizer") -> "dict[str, Tensor]":
    """Model inputs of N questions with answers, padded on the right; labels on the answers only.

    What is asked is read in both directions, what is answered from left to right: `token_type_ids` is 0 there
    and 1 here.
    """
    texts = [(f"{IMAGE * CELLS**2}{BOS}{question}\n", f"{answer}{EOS}") for question, answer in pairs]
    parts = vocabulary.encode_batch([text for pair in texts for text in pair], add_special_tokens=False)
    prompts, answers = parts[::2], parts[1::2]
    longest = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True))
    ids = np.full((len(pairs), longest), SPECIAL.index(PAD))
    labels, mask, types = np.full_like(ids, _IGNORED), np.zeros_like(ids), np.ones_like(ids)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        whole = [*prompt.ids, *answer.ids]
        ids[row, : len(whole)], mask[row, : len(whole)] = whole, 1
        labels[row, len(prompt) : len(whole)] = answer.ids
        types[row, : len(prompt)] = 0
    named = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types, "labels": labels}
    return {key: torch.from_numpy(values) for key, values in named.items()}


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
        first = self.offset + number * self.pictures
        stills = [training_still(first + i, self.seed) for i in range(self.pictures)]
        asked = encode([draw_question(rng, still) for still in stills], self.vocabulary)
        shown = pixels([still.image for still in stills])
        return {"asked": {**asked, "pixel_values": shown}, "true": targets(stills, CELLS)}
