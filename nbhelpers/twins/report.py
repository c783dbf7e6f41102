"""What is known of a trained twin: `evaluation.json` beside its weights."""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbhelpers.artifacts import Check, Metric, read_json, write_json
from nbhelpers.errors import BadInput
from nbhelpers.twins.recipe import Evaluation

FILE = "evaluation.json"


@dataclass(frozen=True)
class TwinReport:
    """A twin's making and its measures.

    Attributes:
        name, model_class, seed: of the recipe and its training.
        evaluation: measures and checks.
        parameters: numbers in the weight files; tied ones count once.
        weight_bytes: of the weight files.
        seconds, processor_s: of training, on the clock and of the processor, kills and later calls included.
        threads: torch computed with while training.
        versions: of the libraries it was made with.
    """

    name: str
    model_class: str
    seed: int
    evaluation: Evaluation
    parameters: int
    weight_bytes: int
    seconds: float
    processor_s: float
    threads: int
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every check is met."""
        return all(check.ok for check in self.evaluation.checks)

    def to_dict(self) -> dict[str, Any]:
        """As in `evaluation.json`: `metrics` and `checks` stand at the top."""
        own = {key: value for key, value in vars(self).items() if key != "evaluation"}
        return {**own, "metrics": dict(self.evaluation.metrics), "checks": list(self.evaluation.checks)}


def write_report(folder: Path, report: TwinReport) -> Path:
    """Write `evaluation.json`."""
    return write_json(folder / FILE, report.to_dict())


def read_report(folder: Path) -> TwinReport:
    """Read `evaluation.json`.

    Raises:
        BadInput: it is missing or was not written by `write_report`.
    """
    path = folder / FILE
    record = read_json(path)
    try:
        metrics = {name: Metric(**metric) for name, metric in record.pop("metrics").items()}
        checks = tuple(Check(**check) for check in record.pop("checks"))
        return TwinReport(evaluation=Evaluation(metrics, checks), **record)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: is no evaluation of a twin ({error}); train the twin again") from None


def weight_sizes(folder: Path) -> tuple[int, int]:
    """Numbers and bytes in the safetensors files of a folder, read from their headers.

    Raises:
        BadInput: there are none.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise BadInput(f"{folder}: holds no safetensors file; the recipe has to save the model there")
    return sum(map(_numbers, files)), sum(path.stat().st_size for path in files)


def _numbers(path: Path) -> int:
    """The header is its length as a little-endian 64-bit number, then JSON of name to dtype and shape."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
    return sum(_product(shape) for shape in shapes)


def _product(shape: list[int]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
