"""Tasks about pictures that were never trained on, and which of a twin's answers are right."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nbhelpers.artifacts import Check, Metric
from nbhelpers.data.stills import Still, add_sticker, phrasings, render_still
from nbhelpers.metrics import proportion
from nbhelpers.twins.stills.answers import ask
from nbhelpers.twins.stills.pictures import held_out_seed

PICTURES = 300
_DARK = 40  # mean grey level below which a picture counts as dark


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


def right_shares(
    model: Any, processor: Any, tasks: Iterable[Asked], pictures: int, seed: int
) -> dict[str, Metric]:
    """Share of right answers by name of the task; for `larger` on dark pictures too, where there are any."""
    metrics: dict[str, Metric] = {}
    for asked in tasks:
        right, stills, _ = right_answers(model, processor, asked, pictures, seed)
        metrics[asked.name] = proportion(right)
        dark = np.array([still.image.mean() < _DARK for still in stills])
        if asked.name == "larger" and dark.any():
            metrics["larger, dark pictures"] = proportion(right[dark])
    return metrics


def judged(metrics: Mapping[str, Metric], bars: Mapping[str, float]) -> tuple[Check, ...]:
    """Whether each of the named shares reaches its bar."""
    return tuple(
        Check(name, metrics[name].value, f">= {bar}", float(metrics[name].value or 0) >= bar)
        for name, bar in bars.items()
    )
