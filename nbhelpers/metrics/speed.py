"""How long a call takes, warm."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbhelpers.errors import BadInput


@dataclass(frozen=True)
class Latency:
    """Wall-clock milliseconds of `n` calls: median, 95th percentile, mean and fastest."""

    p50_ms: float
    p95_ms: float
    mean_ms: float
    n: int
    least_ms: float = 0.0


def time_calls(
    fn: Callable[[], Any], warmup: int = 10, runs: int = 100, synchronise: Callable[[], Any] | None = None
) -> Latency:
    """Call `fn` `warmup` times unseen, then `runs` times with the clock running.

    Args:
        fn: what is timed; its result is dropped.
        warmup: calls before the clock starts (caches, autotuning, lazy imports).
        runs: timed calls, at least 1.
        synchronise: called after `fn` and inside the clock, for devices that answer late
            (`torch.cuda.synchronize`).

    Raises:
        BadInput: `runs` below 1 or `warmup` below 0.
    """
    if runs < 1 or warmup < 0:
        raise BadInput(f"warmup {warmup} and runs {runs}: use 0 or more, and 1 or more")
    for _ in range(warmup):
        fn()
    if synchronise is not None:
        synchronise()
    times = np.array([_timed(fn, synchronise) for _ in range(runs)]) * 1e3
    p50, p95 = np.percentile(times, [50, 95])
    return Latency(float(p50), float(p95), float(times.mean()), runs, float(times.min()))


def _timed(fn: Callable[[], Any], synchronise: Callable[[], Any] | None) -> float:
    began = time.perf_counter()
    fn()
    if synchronise is not None:
        synchronise()
    return time.perf_counter() - began
