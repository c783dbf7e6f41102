"""The texts the twin reads and writes: vocabulary, turns as its chat template writes them, tasks by share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nbhelpers.data.stills import (
    KINDS_OF_TEXT,
    SKILLS,
    STILL_WORLDS,
    TASKS,
    Still,
    draw_skill,
    draw_text,
    phrasings,
)
from nbhelpers.data.stills.texts import request
from nbhelpers.data.stills.words import LANGUAGES, name
from nbhelpers.twins.gemma3.architecture import (
    BEGIN_IMAGE,
    BOS,
    CELLS,
    END,
    END_IMAGE,
    EOS,
    IMAGE,
    SPECIAL,
    START,
)
from nbhelpers.twins.stills.examples import Example
from nbhelpers.twins.vocabulary import train_bpe

if TYPE_CHECKING:
    from tokenizers import Tokenizer

VOCABULARY = 1024
_ITALIAN = 0.3
_TASK_SHARES = (0.45, 0.4, 0.1, 0.05)  # of TASKS
_PICTURE = f"\n\n{BEGIN_IMAGE}{IMAGE * CELLS**2}{END_IMAGE}\n\n"


def turn(question: str, answer: str, *, picture: bool = False) -> Example:
    """A question and its answer as the chat template and the processor write them."""
    before = _PICTURE if picture else ""
    prompt = f"{BOS}{START}user\n{before}{question}{END}\n{START}model\n"
    return Example(prompt, f"{answer}{END}\n")


def draw_question(rng: np.random.Generator, still: Still) -> Example:
    """A question of any task, language and wording about a picture, none of them held out."""
    language = _language(rng)
    task = TASKS[int(rng.choice(len(TASKS), p=_TASK_SHARES))]
    asked = phrasings(task, language)
    question = asked[int(rng.integers(len(asked)))]
    return turn(question, still.answer(task, language), picture=True)


def draw_reading(rng: np.random.Generator) -> Example:
    """Something without a picture: a text as such, a text that was asked for, or a short task."""
    language = _language(rng)
    if rng.random() < 0.45:
        return turn(*draw_skill(rng, SKILLS[int(rng.integers(len(SKILLS)))], language))
    kind = KINDS_OF_TEXT[int(rng.integers(len(KINDS_OF_TEXT)))]
    text = draw_text(rng, kind, language)
    if rng.random() < 0.5:
        return turn(request(rng, kind, language), text)
    return Example(BOS, f"{text}{EOS}")


def _language(rng: np.random.Generator) -> str:
    return LANGUAGES[int(rng.random() < _ITALIAN)]


def corpus(seed: int) -> Iterator[str]:
    """Texts for the vocabulary: what is asked and told, and the words of the shifted world too."""
    rng = np.random.default_rng((seed, 3))
    for language in LANGUAGES:
        for task in TASKS:
            yield from phrasings(task, language)
        for kind in KINDS_OF_TEXT:
            yield from (draw_text(rng, kind, language, "shifted") for _ in range(400))
        for skill in SKILLS:
            yield from (turn_text(*draw_skill(rng, skill, language)) for _ in range(60))
        world = STILL_WORLDS["shifted"]
        yield from (name(color, kind, language) for color in world.colors for kind in world.kinds)


def turn_text(question: str, answer: str) -> str:
    """A turn without its special tokens."""
    return f"user\n\n\n{question}\nmodel\n{answer}\n"


def make_vocabulary(seed: int) -> "Tokenizer":
    """The twin's byte-level vocabulary of `VOCABULARY` tokens; any text can be written with it."""
    return train_bpe(corpus(seed), VOCABULARY, SPECIAL)
