"""What a training wrote down step by step, as one row per epoch."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

_OF_STEPS = {"step", "loss", "lr", "grad_norm", "seconds"}


def epoch_rows(
    records: Iterable[Mapping[str, Any]], images: int, batch: int, epochs: int, score_names: Iterable[str]
) -> list[dict[str, Any]]:
    """One row per epoch that was begun.

    Args:
        records: rows of `training.FitResult.history`.
        images: in the training set.
        batch: images per step; an epoch may end within a step, which then counts for the later epoch.
        epochs: planned; the last step may reach beyond them.
        score_names: of the scores of a validation.

    Returns:
        `epoch`, from 1; `seconds` of all steps so far, validations not counted; a mean over the epoch's
        steps for each part of the loss, `train_box`, `train_class` and so on, already weighted, so that
        they add up to the loss; `lr` of its last step; the scores of the validation in it, or None.
    """
    rows: dict[int, dict[str, Any]] = {}
    names, seconds = list(score_names), 0.0
    parts: dict[int, list[Mapping[str, Any]]] = {}
    for record in records:
        epoch = min(math.ceil(record["step"] * batch / images), epochs)
        row = rows.setdefault(epoch, {"epoch": epoch, "seconds": 0.0, **dict.fromkeys(names)})
        if "scores" in record:
            row.update({name: record["scores"][name] for name in names})
            continue
        seconds += record["seconds"]
        row.update(seconds=round(seconds, 2), lr=record["lr"])
        parts.setdefault(epoch, []).append(record)
    for epoch, steps in parts.items():
        rows[epoch] |= _means(steps)
    return [rows[epoch] for epoch in sorted(rows)]


def _means(steps: list[Mapping[str, Any]]) -> dict[str, float]:
    named = [name for name in steps[0] if name not in _OF_STEPS]
    return {f"train_{name}": sum(step[name] for step in steps) / len(steps) for name in named}
