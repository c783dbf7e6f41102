"""What the twin can do on pictures and texts it has not seen, in the base world and in the shifted one."""

from pathlib import Path
from typing import Any

import numpy as np

from nbhelpers.artifacts import Metric
from nbhelpers.data.stills import KINDS_OF_TEXT, SKILLS, STICKER_STYLES, draw_skill, draw_text
from nbhelpers.metrics import proportion
from nbhelpers.twins.gemma3.perplexity import perplexity
from nbhelpers.twins.recipe import Evaluation
from nbhelpers.twins.stills.answers import ask
from nbhelpers.twins.stills.asked import PICTURES, Asked, judged, load_twin, right_shares

BARS = {"larger": 0.95, "describe": 0.85}


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


def evaluate(folder: Path, seed: int, pictures: int = PICTURES) -> Evaluation:
    """Everything the card reports; the bars are those on `larger` and `describe` in the base world."""
    model, processor = load_twin(folder)
    metrics = right_shares(model, processor, ASKED, pictures, seed)
    metrics |= _texts(model, processor, seed) | _skills(model, processor, seed)
    return Evaluation(metrics, judged(metrics, BARS))


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
