"""A finished (or half finished) experiment, read from its folder: tables, summaries, curves."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.artifacts import read_json, read_records
from nbhelpers.degrade.curves import Curve
from nbhelpers.degrade.manifest import MANIFEST
from nbhelpers.degrade.plan import BASELINE
from nbhelpers.degrade.records import RECORDS
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

# Measures with a best and a worst value, from which a share lost can be told.
LOSSES = ("perplexity", "exact", "units_share")


@dataclass(frozen=True)
class Results:
    """Records of one experiment.

    Attributes:
        folder: they were read from.
        identity: of the manifest.
        predicted_bytes: of the largest batch, by dry run.
        cells: records of cells, in order.
        texts: records of texts, in order.
    """

    folder: Path
    identity: Mapping[str, Any]
    predicted_bytes: int
    cells: list[dict[str, Any]]
    texts: list[dict[str, Any]]

    @cached_property
    def texts_of(self) -> dict[str, list[dict[str, Any]]]:
        """Texts by cell."""
        found: dict[str, list[dict[str, Any]]] = {}
        for text in self.texts:
            found.setdefault(text["cell"], []).append(text)
        return found

    @property
    def lines(self) -> list[tuple[str, str]]:
        """(method, group) of every curve, in order."""
        named = ((cell["method"], cell["group"]) for cell in self.cells if cell["method"])
        return list(dict.fromkeys(named))

    def baseline(self) -> dict[str, Any]:
        """The record of the intact model.

        Raises:
            BadInput: it is not there yet.
        """
        found = next((cell for cell in self.cells if cell["cell"] == BASELINE), None)
        if found is None:
            raise BadInput(f"{self.folder}: has no baseline; let the experiment run a little longer")
        return found

    def text_of(
        self, method: str, group: str, level: float, prompt: str, language: str = "en", repeat: int = 0
    ) -> dict[str, Any]:
        """The record of one text; level 0 is the sham's.

        Raises:
            BadInput: there is none such.
        """
        name = f"{method}/{group}/{level:g}/{repeat}"
        for text in self.texts_of.get(name, ()):
            if (text["prompt"], text["language"]) == (prompt, language):
                return text
        raise BadInput(f"{self.folder}: has no text of {prompt!r} in {language!r} of {name}")

    def table(self) -> "pd.DataFrame":
        """One row per cell: method, group, level, repeat, perplexity and means over its texts."""
        import pandas as pd

        rows = [
            {**{key: cell[key] for key in ("method", "group", "level", "repeat")},
             **cell_means(cell, self.texts_of.get(cell["cell"], []))}
            for cell in self.cells
        ]  # fmt: skip
        return pd.DataFrame(rows)

    def curve(self, method: str, group: str, measure: str = "perplexity") -> Curve:
        """How a measure goes with the level, item by item.

        Args:
            method: such as `ablation`.
            group: such as `attn_only`.
            measure: `perplexity` (items are reference texts), `exact` or `units_share` (items are prompts).

        Raises:
            BadInput: there are no such cells, or they lack the measure.
        """
        if measure not in LOSSES:
            raise BadInput(f"measure {measure!r}: a curve can be of {', '.join(LOSSES)}")
        own = [cell for cell in self.cells if (cell["method"], cell["group"]) == (method, group)]
        if not own:
            there = ", ".join(f"{m} of {g}" for m, g in self.lines)
            raise BadInput(f"{self.folder}: has no {method} of {group}; there are {there or 'none'}")
        scores = {cell["cell"]: self._items(cell, measure) for cell in [self.baseline(), *own]}
        worst = math.log(self.identity["vocabulary"]) if measure == "perplexity" else 1.0
        weight = self._weights(measure)
        return Curve.of(method, group, measure, own, scores, weight, worst)

    def _items(self, cell: Mapping[str, Any], measure: str) -> np.ndarray:
        """What each item lost: nats of a reference text, 1 - right of a prompt."""
        if measure == "perplexity":
            values = [v for one in cell["reference"].values() for v in one["log_probs"]]
            return np.array([math.nan if value is None else -value for value in values])
        texts = [text for text in self.texts_of.get(cell["cell"], []) if measure in text]
        if not texts:
            raise BadInput(f"{self.folder}: no prompt of this experiment has {measure!r}")
        return np.array([1.0 - float(text[measure]) for text in texts])

    def _weights(self, measure: str) -> np.ndarray:
        if measure == "perplexity":
            reference = self.baseline()["reference"].values()
            return np.array([float(count) for one in reference for count in one["tokens"]])
        return np.ones(len(self._items(self.baseline(), measure)))

    def summary(self) -> dict[str, Any]:
        """Means by method, group and level, for `summary.json`."""
        grouped: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for cell in self.cells:
            found = cell_means(cell, self.texts_of.get(cell["cell"], []))
            grouped.setdefault((cell["method"], cell["group"], cell["level"]), []).append(found)
        rows = [
            {"method": m, "group": g, "level": level, "cells": len(found), **_means(found)}
            for (m, g, level), found in grouped.items()
        ]
        return {"model": self.identity.get("model"), "config": self.identity.get("config"), "rows": rows}


def cell_means(cell: Mapping[str, Any], texts: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Perplexity of all reference texts of a cell, and means over its texts; None where nothing has one."""
    reference = list(cell["reference"].values())
    found: dict[str, float | None] = {
        "perplexity": _together(reference),
        "own_perplexity": _geometric(text.get("own_perplexity") for text in texts),
        "broken": sum(text["non_finite_at"] is not None for text in texts) / max(1, len(texts)),
        "finished": _mean(text["finished"] for text in texts),
    }
    for name in ("exact", "contains", "units_share", "efficiency"):
        found[name] = _mean(text[name] for text in texts if text.get(name) is not None)
    for name in texts[0]["measures"] if texts else ():
        found[name] = _mean(t["measures"][name] for t in texts if t["measures"][name] is not None)
    return found


def _together(scores: Sequence[Mapping[str, Any]]) -> float | None:
    if not all(score["finite"] for score in scores):
        return None
    total = -sum(value for score in scores for value in score["log_probs"])
    mean = total / max(1, sum(count for score in scores for count in score["tokens"]))
    return math.exp(mean) if mean < 700 else None


def _mean(values: Iterable[Any]) -> float | None:
    found = [float(value) for value in values]
    return sum(found) / len(found) if found else None


def _geometric(values: Iterable[Any]) -> float | None:
    found = [math.log(value) for value in values if value]
    return math.exp(sum(found) / len(found)) if found else None


def _means(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Means over repeats; of perplexities the geometric one."""
    return {
        name: (_geometric if "perplexity" in name else _mean)(
            row[name] for row in rows if row.get(name) is not None
        )
        for name in rows[0]
    }


def read_results(folder: str | Path) -> Results:
    """The records of an experiment.

    Args:
        folder: with `records.jsonl` and `manifest.json`.

    Raises:
        BadInput: one of them is not there, or a line is no record; names it.
    """
    folder = Path(folder)
    path = folder / RECORDS
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file; the folder of an experiment has it")
    manifest = read_json(folder / MANIFEST)
    found: dict[str, list[dict[str, Any]]] = {"cell": [], "text": []}
    for number, record in enumerate(read_records(path), 1):
        kind = record.get("kind") if isinstance(record, dict) else None
        if kind not in found:
            raise BadInput(f"{path}: record {number} is neither a cell nor a text")
        found[kind].append(record)
    predicted = max((batch["predicted_bytes"] for batch in manifest.get("batches", ())), default=0)
    return Results(folder, manifest["identity"], predicted, found["cell"], found["text"])
