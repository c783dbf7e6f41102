"""Latencies of several engines measured in turn, summed up."""

from typing import TYPE_CHECKING

import numpy as np

from nbhelpers.metrics.speed import time_in_turn

if TYPE_CHECKING:
    from nbhelpers.metrics import Latency

__all__ = ["latency", "time_in_turn"]


def latency(times_ms: np.ndarray) -> "Latency":
    """Median, 95th percentile and mean of some times."""
    from nbhelpers.metrics import Latency

    return Latency(
        p50_ms=float(np.percentile(times_ms, 50)),
        p95_ms=float(np.percentile(times_ms, 95)),
        mean_ms=float(times_ms.mean()),
        n=len(times_ms),
        least_ms=float(times_ms.min()),
    )
