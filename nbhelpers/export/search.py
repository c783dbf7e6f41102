"""Which INT8 version to keep: several are made, each is measured, the fastest that keeps AP wins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.artifacts import write_atomic
from nbhelpers.errors import BadInput
from nbhelpers.export.accuracy import Accuracy, evaluate_engine
from nbhelpers.export.engines import OnnxEngine
from nbhelpers.export.quantize import quantize_static
from nbhelpers.export.quantize_settings import CONV, QuantizeSettings
from nbhelpers.export.timing import time_in_turn

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.runtime import Choice

# Ways to quantise that won somewhere; the search decides by measurement which of them a student gets.
CANDIDATES: dict[str, QuantizeSettings] = {
    "flow": QuantizeSettings(),
    "flow, symmetric": QuantizeSettings(symmetric=True),
    "flow, 7-bit weights": QuantizeSettings(reduce_range=True),
    "flow, head in float": QuantizeSettings(keep_float="head"),
    "conv only": QuantizeSettings(operators=CONV),
    "conv only, head in float": QuantizeSettings(operators=CONV, keep_float="head"),
}


@dataclass(frozen=True)
class CandidateRow:
    """One way to quantise, measured: AP, median network time in ms and how many times as fast as float32."""

    name: str
    settings: QuantizeSettings | None
    accuracy: Accuracy
    ap_loss_points: float
    p50_ms: float
    speed_up: float
    size_bytes: int

    def to_row(self) -> dict[str, Any]:
        """The row of the table: AP in points, times in ms, sizes in MiB."""
        return {
            "candidate": self.name,
            "AP": round(100 * self.accuracy.ap, 1),
            "AP lost": round(self.ap_loss_points, 2),
            "network p50 ms": round(self.p50_ms, 2),
            "times as fast": round(self.speed_up, 2),
            "size MiB": round(self.size_bytes / 2**20, 2),
        }


@dataclass(frozen=True)
class Int8Search:
    """What was tried and what was kept. `rows` begins with float32; `choice` names the row kept, and why."""

    path: Path
    rows: list[CandidateRow]
    choice: "Choice"
    settings: QuantizeSettings = field(repr=False)


def quantize_best(
    path: Path,
    out: Path,
    calibration: Any,
    validation: "CocoSet",
    *,
    candidates: Mapping[str, QuantizeSettings] | None = None,
    max_ap_loss: float = 1.0,
    limit: int | None = 64,
    threads: int | None = 1,
    runs: int = 30,
) -> Int8Search:
    """Quantise in several ways and keep the fastest that loses little AP; see `choose`.

    Args:
        path: float32 ONNX file of `export_onnx`.
        out: where the winner goes.
        calibration: images for the ranges, see `quantize_static`.
        validation: labelled images for choosing; other ones than the final figures are taken on.
        candidates: settings by name; `CANDIDATES` when not given.
        max_ap_loss: AP points (0..100), masks where there are masks.
        limit: calibration images used at most.
        threads: threads of ONNX Runtime while timing.
        runs: timed calls per candidate.

    Raises:
        BadInput: no candidates, no validation images, or `path` is not a float32 file of this package.
    """
    chosen = dict(CANDIDATES if candidates is None else candidates)
    if not chosen or not len(validation.image_ids):
        raise BadInput("quantize_best: give at least one candidate and one validation image")
    source = calibration if hasattr(calibration, "image_ids") else list(calibration)
    files = {}
    for index, (name, settings) in enumerate(chosen.items()):
        trial = Path(out).with_name(f".{Path(out).stem}.candidate{index}.onnx")
        files[name] = quantize_static(path, trial, source, settings=settings, limit=limit).path
    try:
        rows = _measure({"float32": Path(path), **files}, chosen, validation, threads, runs)
        choice = choose(rows, max_ap_loss)
        written = write_atomic(Path(out), files[choice.value].read_bytes())
    finally:
        for file in files.values():
            file.unlink(missing_ok=True)
    return Int8Search(written, rows, choice, chosen[choice.value])


def choose(rows: list[CandidateRow], max_ap_loss: float) -> "Choice":
    """The candidate to keep.

    Of those within the allowed loss the fastest, where times within 5 % count as equal and AP decides between
    them; when none is within it, the one that loses least.
    """
    from nbhelpers.runtime import Choice

    tried = [row for row in rows if row.settings is not None]
    good = [row for row in tried if row.ap_loss_points <= max_ap_loss]
    if good:
        least_ms = min(row.p50_ms for row in good)
        fastest = [row for row in good if row.p50_ms <= 1.05 * least_ms]
        best = min(fastest, key=lambda row: (row.ap_loss_points, row.p50_ms))
        why = f"the fastest of {len(good)} that lose at most {max_ap_loss:g} AP points"
    else:
        best = min(tried, key=lambda row: (row.ap_loss_points, row.p50_ms))
        why = f"none of {len(tried)} loses at most {max_ap_loss:g} AP points; this one loses least"
    return Choice(
        best.name, f"{why}: {best.speed_up:.2f} times as fast, {best.ap_loss_points:.2f} points lost"
    )


def _measure(
    files: Mapping[str, Path],
    settings: Mapping[str, QuantizeSettings],
    validation: "CocoSet",
    threads: int | None,
    runs: int,
) -> list[CandidateRow]:
    """AP and time of every file; the first is what the others are compared with."""
    engines = {name: OnnxEngine(file, "cpu", threads) for name, file in files.items()}
    times_ms = _times(engines, validation, runs)
    scores = {name: evaluate_engine(engine, validation) for name, engine in engines.items()}
    base = next(iter(files))
    return [
        CandidateRow(
            name=name,
            settings=settings.get(name),
            accuracy=scores[name],
            ap_loss_points=100 * (scores[base].ap - scores[name].ap),
            p50_ms=float(np.median(times_ms[name])),
            speed_up=float(np.median(times_ms[base]) / np.median(times_ms[name])),
            size_bytes=file.stat().st_size,
        )
        for name, file in files.items()
    ]


def _times(engines: Mapping[str, OnnxEngine], coco: "CocoSet", runs: int) -> dict[str, np.ndarray]:
    """Network times in ms on the first image of a set, engine by engine in turn."""
    from nbhelpers.distill import letterbox

    image = coco.image(coco.image_ids[0])
    batch = letterbox(image, next(iter(engines.values())).image_size)[0][None]
    return time_in_turn({name: partial(engine.run, batch) for name, engine in engines.items()}, 5, runs)
