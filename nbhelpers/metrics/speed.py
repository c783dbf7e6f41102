"""How long a call takes, warm; several calls in turn, so that a busy moment falls on all of them alike."""

import time
from collections.abc import Callable, Mapping
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
            times_ms[name][run] = _timed(calls[name], None) * 1e3
    return times_ms
