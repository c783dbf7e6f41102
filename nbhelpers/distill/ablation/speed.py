"""What a student saves: time and size of teachers and students on the same image."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.metrics import time_in_turn
from nbhelpers.runtime import text_table

if TYPE_CHECKING:
    from torch import nn

_MIB = 2**20


@dataclass(frozen=True)
class Speed:
    """One model on one image.

    Attributes:
        name: of the model.
        median_ms: of a call, image in and detections out.
        images_per_second: 1000 / `median_ms`.
        ratio: how many times faster than the first model of the comparison, median of the paired ratios.
        low, high: the middle 95 % of these.
        parameters: of the model.
        mib: of its weights as they are in memory.
        runs: timed calls.
    """

    name: str
    median_ms: float
    images_per_second: float
    ratio: float
    low: float
    high: float
    parameters: int
    mib: float
    runs: int


def compare_speed(
    models: "Mapping[str, tuple[Callable[[], Any], list[nn.Module]]]", warmup: int = 2, runs: int = 20
) -> list[Speed]:
    """Time calls in turn, so that a busy moment of the machine falls on all alike; ratios are of each turn.

    Threads are as the process has them: `torch.set_num_threads(1)` compares on one.

    Args:
        models: by name, what is called and the networks in it; the first is what ratios compare with.
        warmup: calls before the clock starts.
        runs: timed calls of each.
    """
    times = time_in_turn({name: call for name, (call, _) in models.items()}, warmup, runs)
    first = times[next(iter(models))]
    return [_speed(name, times[name], first, networks) for name, (_, networks) in models.items()]


def _speed(
    name: str, times_ms: NDArray[np.float64], first_ms: NDArray[np.float64], networks: "list[nn.Module]"
) -> Speed:
    tensors = [tensor for network in networks for tensor in (*network.parameters(), *network.buffers())]
    ratios = first_ms / times_ms
    low, high = np.quantile(ratios, [0.025, 0.975])
    median = float(np.median(times_ms))
    return Speed(
        name=name,
        median_ms=median,
        images_per_second=1000 / median,
        ratio=float(np.median(ratios)),
        low=float(low),
        high=float(high),
        parameters=sum(p.numel() for network in networks for p in network.parameters()),
        mib=sum(tensor.nbytes for tensor in tensors) / _MIB,
        runs=len(times_ms),
    )


def speed_table(speeds: list[Speed]) -> str:
    """As text: time, images per second, how many times faster than the first, parameters, size."""
    rows = [
        (
            one.name,
            f"{one.median_ms:.1f}",
            f"{one.images_per_second:.2f}",
            f"{one.ratio:.1f} ({one.low:.1f} to {one.high:.1f})",
            f"{one.parameters / 1e6:.2f}",
            f"{one.mib:.1f}",
        )
        for one in speeds
    ]
    header = ("model", "ms", "images/s", f"times as fast as {speeds[0].name}", "M parameters", "MiB")
    return text_table(rows, header)
