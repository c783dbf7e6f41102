"""What the twin can do on pictures and texts it has not seen, in the base world and in the shifted one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nbhelpers.artifacts import Check, Metric
from nbhelpers.data.stills import (
    KINDS_OF_TEXT,
    SKILLS,
    STICKER_STYLES,
    Still,
    add_sticker,
    draw_skill,
    draw_text,
    phrasings,
    render_still,
)
from nbhelpers.metrics import proportion
from nbhelpers.twins.gemma3.answers import ask, perplexity
from nbhelpers.twins.gemma3.batches import held_out_seed
from nbhelpers.twins.recipe import Evaluation

PICTURES = 300
_DARK = 40  # mean grey level below which a picture counts as dark
BARS = {"larger": 0.95, "describe": 0.85}


@dataclass(frozen=True)
class Asked:
    """One task put to a set of pictures, each with a sticker of that style where one is named."""

    name: str
    task: str
    language: str = "en"
    world: str = "base"
    size: int = 64
    held_out: bool = False
    sticker: str | None = None


ASKED = (
    Asked("larger", "larger"),
    Asked("larger, held-out wording", "larger", held_out=True),
    Asked("larger, Italian", "larger", "it"),
    Asked("larger, pictures of 224 px", "larger", size=224),
    Asked("larger, shifted world", "larger", world="shifted"),
    *(Asked(f"larger, {style} sticker", "larger", sticker=style) for style in STICKER_STYLES),
    Asked("describe", "describe"),
    Asked("describe, held-out wording", "describe", held_out=True),
    Asked("describe, Italian", "describe", "it"),
    Asked("describe, shifted world", "describe", world="shifted"),
    Asked("smaller", "smaller"),
    Asked("count", "count"),
)


def load_twin(folder: Path) -> tuple[Any, Any]:
    """Model in eval mode and processor, through the auto classes, from the folder alone."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(folder, local_files_only=True)
    return model.eval(), AutoProcessor.from_pretrained(folder, local_files_only=True)


def right_answers(
    model: Any, processor: Any, asked: Asked, pictures: int, seed: int
) -> tuple[np.ndarray, list[Still], list[str]]:
    """Put a task to pictures that were not trained on.

    An answer is right when it equals the true one letter for letter: for `describe` the whole sentence, with
    every object's colour and kind and where it is.

    Returns:
        Which answers are right (pictures,) bool, the pictures, the answers.
    """
    stills = [render_still(index, asked.size, held_out_seed(seed), asked.world) for index in range(pictures)]
    if asked.sticker:
        rng = np.random.default_rng((seed, 19))
        stills = [add_sticker(rng, still, (asked.sticker,)) for still in stills]
    wordings = phrasings(asked.task, asked.language, held_out=asked.held_out)
    rng = np.random.default_rng((seed, 7))
    questions = [wordings[int(rng.integers(len(wordings)))] for _ in stills]
    given = ask(model, processor, questions, [still.image for still in stills])
    true = [still.answer(asked.task, asked.language) for still in stills]
    return np.array([a == b for a, b in zip(given, true, strict=True)]), stills, given


def evaluate(folder: Path, seed: int, pictures: int = PICTURES) -> Evaluation:
    """Everything the card reports; the bars are those on `larger` and `describe` in the base world."""
    model, processor = load_twin(folder)
    metrics: dict[str, Metric] = {}
    for asked in ASKED:
        right, stills, _ = right_answers(model, processor, asked, pictures, seed)
        metrics[asked.name] = proportion(right)
        dark = np.array([still.image.mean() < _DARK for still in stills])
        if asked.name == "larger" and dark.any():
            metrics["larger, dark pictures"] = proportion(right[dark])
    metrics |= _texts(model, processor, seed) | _skills(model, processor, seed)
    checks = tuple(
        Check(name, metrics[name].value, f">= {bar}", float(metrics[name].value or 0) >= bar)
        for name, bar in BARS.items()
    )
    return Evaluation(metrics, checks)


def _texts(model: Any, processor: Any, seed: int) -> dict[str, Metric]:
    rng = np.random.default_rng((seed, 9))
    found = {}
    for language, label in (("en", "English"), ("it", "Italian")):
        texts = [draw_text(rng, kind, language) for _ in range(100) for kind in KINDS_OF_TEXT]
        value, tokens = perplexity(model, processor, texts)
        found[f"perplexity, {label}"] = Metric(value, tokens, "per token")
    return found


def _skills(model: Any, processor: Any, seed: int) -> dict[str, Metric]:
    rng = np.random.default_rng((seed, 11))
    found = {}
    for skill in SKILLS:
        pairs = [draw_skill(rng, skill, language) for _ in range(30) for language in ("en", "it")]
        given = ask(model, processor, [question for question, _ in pairs])
        found[f"short task, {skill}"] = proportion([a == b for a, (_, b) in zip(given, pairs, strict=True)])
    return found
