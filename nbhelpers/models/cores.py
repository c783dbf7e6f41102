"""Dry runs side by side: they compute on one thread, so each core takes its own."""

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def on_all_cores(function: Callable[..., T], jobs: Sequence[tuple[Any, ...]], costly: int) -> list[T]:
    """Call a function once per job, in one process per core where that pays.

    Args:
        function: of a module, as it is sent to other processes by name.
        jobs: positional arguments of each call; they and the answers must pickle.
        costly: how many of the calls take long; with fewer than two of them no process is started.

    Returns:
        The answers in the order of the jobs.
    """
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    from nbhelpers.runtime import progress

    workers = min(_cores(), costly)
    if workers < 2:
        return [function(*job) for job in progress(jobs, label="dry runs", unit="step")]
    # Not forked: torch has threads by now, and a forked copy of them can hang.
    with ProcessPoolExecutor(workers, get_context("spawn"), _one_thread) as pool:
        found = pool.map(function, *zip(*jobs, strict=True))
        return list(progress(found, total=len(jobs), label="dry runs", unit="step"))


def _cores() -> int:
    """Cores this process may use; macOS and Windows know only how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
