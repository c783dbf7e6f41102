"""Does INT8 keep its promise: faster than float32 ONNX and torch, at nearly the same AP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nbhelpers.artifacts import Check
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.export.bench import EngineRow
    from nbhelpers.runtime import Choice


@dataclass(frozen=True)
class Int8Verdict:
    """INT8 beside float32 ONNX and torch.

    Attributes:
        int8_vs_onnx, int8_vs_torch: how many times as fast the network alone is (ratio of medians).
        int8_vs_onnx_interval: 95 % interval of that ratio by resampling rounds.
        int8_vs_torch_interval: likewise.
        ap_loss_points: AP points (0..100) lost against float32 ONNX, of masks where there are masks; negative
            is a gain.
    """

    int8_vs_onnx: float
    int8_vs_onnx_interval: tuple[float, float]
    int8_vs_torch: float
    int8_vs_torch_interval: tuple[float, float]
    ap_loss_points: float
    images: int

    def checks(
        self,
        min_vs_onnx: float = 1.5,
        min_vs_torch: float = 2.5,
        max_ap_loss: float = 1.0,
        support: "Choice | None" = None,
    ) -> list[Check]:
        """The three expectations of INT8, as rows of the checks table.

        Speed is asked for where the processor has 8-bit dot products, and counts as reached when the bar is
        not above the 95 % interval of the ratio; elsewhere the ratio is reported, with the reason.

        Args:
            min_vs_onnx: times as fast as float32 ONNX.
            min_vs_torch: times as fast as torch.
            max_ap_loss: AP points, 0..100.
            support: of `processor.int8_support`; this machine's when not given.
        """
        from nbhelpers.export.processor import int8_support

        known = support or int8_support()
        loss = round(self.ap_loss_points, 2)
        return [
            _speed("int8_vs_onnx", self.int8_vs_onnx, self.int8_vs_onnx_interval, min_vs_onnx, known),
            _speed("int8_vs_torch", self.int8_vs_torch, self.int8_vs_torch_interval, min_vs_torch, known),
            Check("int8_ap_loss_points", loss, f"<= {max_ap_loss:g}", self.ap_loss_points <= max_ap_loss),
        ]


def _speed(name: str, ratio: float, interval: tuple[float, float], bar: float, support: "Choice") -> Check:
    """One speed check; see `Int8Verdict.checks`."""
    value = round(ratio, 2)
    if support.value == "no":
        return Check(name, value, f">= {bar:g} with 8-bit dot products, but {support.reason}", True)
    within = f"95 % interval {interval[0]:.2f} to {interval[1]:.2f}"
    return Check(name, value, f">= {bar:g} ({within})", interval[1] >= bar)


def int8_verdict(
    rows: Sequence["EngineRow"], int8: str | None = None, onnx: str | None = None, torch: str | None = None
) -> Int8Verdict:
    """Compare the INT8 row with the float32 ONNX and the torch row.

    Args:
        rows: of `compare`.
        int8: label of the row; found by engine and precision when not given, as the next two.
        onnx: label of the float32 ONNX row.
        torch: label of the torch row.

    Raises:
        BadInput: one of the three rows is missing.
    """
    quantized = _pick(rows, int8, "onnx", "int8-static")
    single = _pick(rows, onnx, "onnx", "float32")
    eager = _pick(rows, torch, "torch", "float32")
    return Int8Verdict(
        int8_vs_onnx=float(np.median(single.times_ms) / np.median(quantized.times_ms)),
        int8_vs_onnx_interval=ratio_interval(single.times_ms, quantized.times_ms),
        int8_vs_torch=float(np.median(eager.times_ms) / np.median(quantized.times_ms)),
        int8_vs_torch_interval=ratio_interval(eager.times_ms, quantized.times_ms),
        ap_loss_points=100 * (single.accuracy.ap - quantized.accuracy.ap),
        images=quantized.accuracy.images,
    )


def ratio_interval(
    slow_ms: np.ndarray, fast_ms: np.ndarray, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile-bootstrap interval of the ratio of medians; whole rounds are resampled, pairs kept."""
    rounds = np.random.default_rng(seed).integers(0, len(slow_ms), (resamples, len(slow_ms)))
    ratios = np.median(slow_ms[rounds], axis=1) / np.median(fast_ms[rounds], axis=1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(low), float(high)


def _pick(rows: Sequence["EngineRow"], label: str | None, engine: str, precision: str) -> "EngineRow":
    for row in rows:
        if row.name == label or (label is None and (row.engine, row.precision) == (engine, precision)):
            return row
    wanted = label or f"{engine} {precision}"
    raise BadInput(f"there is no row {wanted} among {', '.join(row.name for row in rows)}")
