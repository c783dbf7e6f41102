"""Latencies of several engines measured in turn: a busy moment of the machine falls on all of them alike."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nbhelpers.metrics import Latency


def time_in_turn(
    calls: Mapping[str, Callable[[], object]], warmup: int = 10, runs: int = 100, seed: int = 0
) -> dict[str, np.ndarray]:
    """Call every function `warmup` times, then `runs` times, in turn, in an order drawn anew each round.

    Returns:
        Per function its `runs` wall-clock times in milliseconds, in the order they were taken: time i of one
        can be paired with time i of another.
    """
    for call in calls.values():
        for _ in range(warmup):
            call()
    names, order = list(calls), np.random.default_rng(seed)
    times_ms = {name: np.empty(runs) for name in names}
    for run in range(runs):
        for index in order.permutation(len(names)):
            name = names[index]
            started = time.perf_counter()
            calls[name]()
            times_ms[name][run] = (time.perf_counter() - started) * 1e3
    return times_ms


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
