"""From journals to records: a line per text and per cell, in an order that no kill and no process changes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nbhelpers.artifacts import to_json, write_atomic
from nbhelpers.degrade.journal import Journal
from nbhelpers.degrade.plan import Cell
from nbhelpers.degrade.prompts import Configuration, Prompt
from nbhelpers.metrics.text import contains_answer, efficiency, exact_match, measure_text, units_recalled

RECORDS = "records.jsonl"


def records(
    config: Configuration,
    prompts: Sequence[Prompt],
    cells: Sequence[Cell],
    journal: Journal,
    batches: int,
    generation: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """Records of all finished cells: of each first the cell itself, then its texts.

    Args:
        config: what was asked.
        prompts: those of them that were asked; rows of the journal count in these.
        cells: of the grid, in its order.
        journal: what was written.
        batches: in each cell.
        generation: settings and seed, repeated in every record of a text.
    """
    for cell in cells:
        done = journal.finished.get(cell.name)
        if done is None:
            continue
        head = {
            "cell": cell.name, "method": cell.method or None, "group": cell.group or None,
            "level": cell.level, "repeat": cell.repeat,
        }  # fmt: skip
        yield {"kind": "cell", "config": config.name, **head, **_of_cell(done)}
        for place, row in enumerate(journal.rows(cell.name, batches)):
            own = _own(done["own"], place)
            text = text_record(prompts[row["prompt"]], row["language"], row)
            how = {**generation, "new_tokens": row["new_tokens"]}
            yield {"kind": "text", "config": config.name, **head, **text, **own, "generation": how}


def _of_cell(done: Mapping[str, Any]) -> dict[str, Any]:
    reference = {
        language: {**one, "perplexity": perplexity(one)} for language, one in done["reference"].items()
    }
    return {"lesion": done["lesion"], "reference": reference}


def perplexity(score: Mapping[str, Any]) -> float | None:
    """Per token, of a score as a journal keeps it; None where a logit was no number or nothing was scored."""
    if not score["finite"] or not sum(score["tokens"]):
        return None
    mean = -sum(score["log_probs"]) / sum(score["tokens"])
    return math.exp(mean) if mean < 700 else None


def _own(score: Mapping[str, Any] | None, place: int) -> dict[str, Any]:
    if score is None or not score["tokens"][place] or score["log_probs"][place] is None:
        return {"own_perplexity": None}
    one = {"finite": True, "log_probs": [score["log_probs"][place]], "tokens": [score["tokens"][place]]}
    return {"own_perplexity": perplexity(one)}


def text_record(prompt: Prompt, language: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of one text: itself, how it ended, and every measure that applies.

    Args:
        prompt: what was asked.
        language: of the prompt.
        row: `text`, `tokens`, `finished`, `non_finite_at`, `rows`.
    """
    text = row["text"]
    found: dict[str, Any] = {
        "prompt": prompt.name, "category": prompt.category, "language": language, "text": text,
        **{name: row[name] for name in ("tokens", "finished", "non_finite_at", "rows")},
        "measures": measure_text(text, language),
    }  # fmt: skip
    if prompt.answers:
        answers = prompt.answers[language]
        found["exact"] = exact_match(text, answers, language)
        found["contains"] = contains_answer(text, answers, language)
    if prompt.units:
        told = units_recalled(text, prompt.units, language)
        found["units"] = told
        found["units_share"] = len(told) / len(prompt.units)
        found["efficiency"] = efficiency(len(told), int(found["measures"]["words"]))
    return found


def write_records(folder: Path, found: Iterator[dict[str, Any]]) -> Path:
    """Write them as JSON lines, whole or not at all."""
    return write_atomic(folder / RECORDS, "".join(to_json(one, indent=None) + "\n" for one in found))
