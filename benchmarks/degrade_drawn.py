"""Write `nbhelpers/degrade/prompts/drawn_it.yaml` and its pictures: the battery of the twin's own world.

python benchmarks/degrade_drawn.py
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from nbhelpers.data.stills import Still, draw_text, phrasings, render_still
from nbhelpers.data.stills.texts import _REQUESTS
from nbhelpers.data.stills.words import ITALIAN_COLORS, ITALIAN_KINDS, RELATIONS

FOLDER = Path(__file__).parents[1] / "nbhelpers" / "degrade" / "prompts"
SEED, NAMED, DESCRIBED, TEXTS = 41, 16, 8, 12
HEAD = """\
# The battery of the twin's own world: texts it was trained to tell, and pictures of 64 px that it has never
# seen.
# Written by benchmarks/degrade_drawn.py.
"""


def told() -> list[dict[str, Any]]:
    """Requests for stories and dreams; Italian has one wording less of a story, which is asked twice."""
    rows = []
    for kind in ("dream", "story"):
        english, italian = (_REQUESTS[language][kind] for language in ("en", "it"))
        for place, text in enumerate(english):
            rows.append({"id": f"{kind}-{place + 1}", "category": kind, "en": text})
            rows[-1]["it"] = italian[place % len(italian)]
    return rows


def pictures() -> list[Still]:
    """Pictures with two objects, no two alike in what is asked about them."""
    found: list[Still] = []
    seen: Counter[Any] = Counter()
    index = 0
    while len(found) < NAMED + DESCRIBED:
        still = render_still(index, 64, SEED)
        index += 1
        colors, kinds = {thing.color for thing in still.objects}, {thing.kind for thing in still.objects}
        if len(still.objects) == 2 == len(colors) == len(kinds) and not seen[still.names]:
            seen[still.names] += 1
            found.append(still)
    return found


def units(still: Still) -> dict[str, Any]:
    """What such a picture shows: colour and kind of both objects, and how they lie."""
    made: dict[str, Any] = {}
    for word, thing in zip(("larger", "smaller"), still.objects, strict=True):
        colors = sorted(set(ITALIAN_COLORS[thing.color]))
        made[f"colour of the {word}"] = {"kind": "object", "en": [thing.color], "it": colors}
        made[f"kind of the {word}"] = {
            "kind": "object",
            "en": [thing.kind],
            "it": [ITALIAN_KINDS[thing.kind][0]],
        }
    where = {language: [RELATIONS[language][still.place]] for language in ("en", "it")}
    return made | {"how they lie": {"kind": "place", **where}}


def asked(still: Still, place: int, task: str) -> dict[str, Any]:
    """One question about a picture with its answer."""
    name = f"{task}-{place + 1}"
    Image.fromarray(still.image).save(FOLDER / "drawn_it" / f"{name}.png", optimize=True)
    row: dict[str, Any] = {"id": name, "category": task, "image": f"drawn_it/{name}.png", "new_tokens": 24}
    rng = np.random.default_rng((SEED, place))
    for language in ("en", "it"):
        wordings = phrasings(task, language)
        row[language] = wordings[int(rng.integers(len(wordings)))]
    row["answers"] = {language: [still.answer(task, language)] for language in ("en", "it")}
    return row | ({"units": units(still)} if task == "describe" else {})


def main() -> None:
    """Write the file."""
    (FOLDER / "drawn_it").mkdir(exist_ok=True)
    drawn, rng = pictures(), np.random.default_rng((SEED, 1))
    rows = told()
    rows += [asked(still, place, "larger") for place, still in enumerate(drawn[:NAMED])]
    rows += [asked(still, place, "describe") for place, still in enumerate(drawn[NAMED:])]
    texts = {
        language: [draw_text(rng, kind, language) for _ in range(TEXTS) for kind in ("dream", "story")]
        for language in ("en", "it")
    }
    content = {
        "kind": "tell",
        "description": "Stories, dreams and pictures of the world the twin was trained on.",
        "new_tokens": 72,
        "reference": texts,
        "prompts": rows,
    }
    body = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=108)
    (FOLDER / "drawn_it.yaml").write_text(HEAD + body, encoding="utf-8")


if __name__ == "__main__":
    main()
