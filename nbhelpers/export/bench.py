"""The comparison of notebook 09: accuracy, latency, size and memory of every engine, measured alike."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.errors import BadInput
from nbhelpers.export.accuracy import Accuracy, evaluate_engine, output_differences
from nbhelpers.export.peak import PeakMemory, measure_peak
from nbhelpers.export.timing import latency, time_in_turn

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.export.engines import Engine
    from nbhelpers.metrics import Latency

_IMAGES_FOR_TIMING = 8


@dataclass(frozen=True)
class EngineRow:
    """One engine's measurements.

    Attributes:
        name: label of the row; `engine` is torch, onnx or tensorrt; `precision` as in its card.
        where: device or execution provider.
        differences: largest absolute differences to torch, see `accuracy.output_differences`.
        network: latency of the network alone on one letterboxed image.
        whole: latency of `predict`: letterbox, network, decoding, suppression, masks.
        times_ms: every network time, in the order of the rounds, for ratios of pairs.
        size_bytes: of the file; None for an engine without one.
        memory: of a process that only opens and runs this engine; None when it was not measured.
    """

    name: str
    engine: str
    precision: str
    where: str
    image_size: int
    differences: dict[str, float]
    accuracy: Accuracy
    network: "Latency"
    whole: "Latency"
    times_ms: np.ndarray
    size_bytes: int | None
    memory: PeakMemory | None

    @property
    def max_difference(self) -> float:
        """The largest of `differences`, whatever its unit."""
        return max(self.differences.values(), default=0.0)

    def to_row(self) -> dict[str, Any]:
        """The row of the table: AP in points (0..100), times in ms, sizes in MiB."""
        accuracy, points = self.accuracy, lambda value: None if value is None else round(100 * value, 1)
        return {
            "engine": self.name,
            "precision": self.precision,
            "box AP": points(accuracy.box_ap),
            "box AP50": points(accuracy.box_ap50),
            "mask AP": points(accuracy.mask_ap),
            "mask AP50": points(accuracy.mask_ap50),
            **{f"max |{name}|": float(f"{value:.2g}") for name, value in self.differences.items()},
            "network p50 ms": round(self.network.p50_ms, 2),
            "network p95 ms": round(self.network.p95_ms, 2),
            "whole p50 ms": round(self.whole.p50_ms, 2),
            "whole p95 ms": round(self.whole.p95_ms, 2),
            "size MiB": None if self.size_bytes is None else round(self.size_bytes / 2**20, 2),
            "peak MiB": None if self.memory is None else round(self.memory.peak_bytes / 2**20, 1),
            "model MiB": None if self.memory is None else round(self.memory.model_bytes / 2**20, 1),
        }


def compare(
    engines: Mapping[str, "Engine"],
    coco: "CocoSet",
    *,
    reference: str | None = None,
    warmup: int = 10,
    runs: int = 100,
    memory: bool = True,
    threads: int | None = None,
) -> list[EngineRow]:
    """Measure engines against each other on one labelled set, in one process, turn by turn.

    Args:
        engines: by the label they get in the table.
        coco: images with labels that none of them was trained, calibrated or chosen on.
        reference: label of the engine the others are compared with; the first torch engine when not given.
        warmup: calls before timing starts, per engine.
        runs: timed calls per engine.
        memory: also measure peak memory, one child process per engine.
        threads: threads of those child processes; give what the engines were opened with.

    Raises:
        BadInput: no engines, no images, or no engine to compare with.
    """
    if not engines or not len(coco.image_ids):
        raise BadInput("compare: give at least one engine and one labelled image")
    base = engines[_reference(engines, reference)]
    images = [coco.image(image_id) for image_id in list(coco.image_ids)[:_IMAGES_FOR_TIMING]]
    network, whole = _time(engines, images, warmup, runs)
    rows = []
    for name, engine in engines.items():
        rows.append(
            EngineRow(
                name=name,
                engine=engine.name,
                precision=engine.card.precision,
                where=str(getattr(engine, "where", "")),
                image_size=engine.image_size,
                differences=output_differences(engine, base, images),
                accuracy=evaluate_engine(engine, coco),
                network=latency(network[name]),
                whole=latency(whole[name]),
                times_ms=network[name],
                size_bytes=_size(engine.path),
                memory=_memory(engine, threads) if memory else None,
            )
        )
    return rows


def _reference(engines: Mapping[str, "Engine"], wanted: str | None) -> str:
    """The label of the engine to compare with."""
    labels = [wanted] if wanted else [name for name, engine in engines.items() if engine.name == "torch"]
    for label in labels:
        if label in engines:
            return label
    missing = wanted or "of torch"
    raise BadInput(f"compare: there is no engine {missing} among {', '.join(engines)}; name one as reference")


def _time(
    engines: Mapping[str, "Engine"], images: Sequence[np.ndarray], warmup: int, runs: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Times of the bare networks and of whole predictions, each engine going through the same images."""
    from nbhelpers.distill import letterbox

    network: dict[str, Callable[[], object]] = {}
    whole: dict[str, Callable[[], object]] = {}
    for name, engine in engines.items():
        batches = [letterbox(image, engine.image_size)[0][None] for image in images]
        network[name] = _cycling(engine.run, batches)
        whole[name] = _cycling(engine.predict, images)
    return time_in_turn(network, warmup, runs), time_in_turn(whole, warmup, runs)


def _cycling(call: Callable[[np.ndarray], object], inputs: Sequence[np.ndarray]) -> Callable[[], object]:
    """A function without arguments that gives `call` the next input at each call, round and round."""
    endless = itertools.cycle(inputs)
    return lambda: call(next(endless))


def _size(path: Path | None) -> int | None:
    return None if path is None else path.stat().st_size


def _memory(engine: "Engine", threads: int | None) -> PeakMemory | None:
    """Peak memory in a child process; an engine that has no file (a student in memory) is not measured."""
    if engine.path is None:
        return None
    return measure_peak(engine.path, getattr(engine, "device", "cpu"), threads)
