"""What the machine has: GPUs through NVML (without torch) and RAM with the limits put on this process."""

import os
import sys
from dataclasses import dataclass, replace
from typing import Any

from nbhelpers.errors import Unavailable
from nbhelpers.runtime.cgroup import CgroupLimit, memory_limit

GIB = 1 << 30


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU that CUDA may use.

    Attributes:
        index: its number among the visible ones in PCI order. CUDA counts the same way when all GPUs are
            alike or `CUDA_DEVICE_ORDER=PCI_BUS_ID` is set.
        name: the maker's name, such as `Tesla T4`.
        capability: compute capability (major, minor).
        total_bytes: memory of the board.
        free_bytes: what no process uses now.
        driver: driver version.
        uuid: NVML's identifier.
    """

    index: int
    name: str
    capability: tuple[int, int]
    total_bytes: int
    free_bytes: int
    driver: str
    uuid: str = ""

    def __str__(self) -> str:
        major, minor = self.capability
        size = f"{self.total_bytes / GIB:.1f} GiB, {self.free_bytes / GIB:.1f} GiB free"
        return f"{self.name} (capability {major}.{minor}, {size}, driver {self.driver})"


@dataclass(frozen=True)
class Ram:
    """Main memory this process can reach, in bytes; the smaller of the machine's and the control group's."""

    total_bytes: int
    available_bytes: int
    reason: str


def gpus() -> list[Gpu]:
    """The visible NVIDIA GPUs, empty where there are none; `gpu_status` says why."""
    return gpu_status()[0]


def gpu_status() -> tuple[list[Gpu], str]:
    """The visible NVIDIA GPUs and one sentence: what was found, or why nothing was.

    Honours `CUDA_VISIBLE_DEVICES`. Not covered: MIG slices (the whole board is shown), other makers.
    """
    try:
        import pynvml
    except ImportError:
        return [], "the package nvidia-ml-py is not installed, so no GPU can be seen"
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound:
        return [], "no NVIDIA driver is installed (its NVML library was not found)"
    except pynvml.NVMLError as error:
        return [], f"the NVIDIA driver does not answer ({error})"
    try:
        return _visible(_boards(pynvml), os.environ.get("CUDA_VISIBLE_DEVICES"))
    except pynvml.NVMLError as error:
        return [], f"the NVIDIA driver answers with an error ({error})"
    finally:
        pynvml.nvmlShutdown()


def gpu_of(device: str) -> Gpu:
    """What NVML says about the GPU that torch calls `device`.

    torch may count another way (fastest first); where it is loaded and there are several boards, their
    identifiers are compared.

    Args:
        device: `cuda` or `cuda:N`.

    Raises:
        Unavailable: there is no such GPU; says why.
    """
    boards, status = gpu_status()
    index = int(device.partition(":")[2] or 0)
    if "torch" in sys.modules and len(boards) > 1 and index < len(boards):
        uuid = f"GPU-{sys.modules['torch'].cuda.get_device_properties(index).uuid}"
        index = next((board.index for board in boards if board.uuid == uuid), index)
    if index >= len(boards):
        raise Unavailable(f"device {device}: {status}; use cpu")
    return boards[index]


def _boards(nvml: Any) -> list[Gpu]:
    driver = nvml.nvmlSystemGetDriverVersion()
    return [_board(nvml, index, driver) for index in range(nvml.nvmlDeviceGetCount())]


def _board(nvml: Any, index: int, driver: str) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        total, free = int(memory.total), int(memory.free)
    except (
        nvml.NVMLError_NotSupported
    ):  # boards without memory of their own (Jetson, GB10) share the machine's
        shared = ram()
        total, free = shared.total_bytes, shared.available_bytes
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    name, uuid = nvml.nvmlDeviceGetName(handle), nvml.nvmlDeviceGetUUID(handle)
    return Gpu(index, name, (major, minor), total, free, driver, uuid)


def _visible(boards: list[Gpu], wanted: str | None) -> tuple[list[Gpu], str]:
    """Keep and renumber what `CUDA_VISIBLE_DEVICES` shows; an unknown entry ends the list, as in CUDA."""
    if wanted is None:
        return boards, f"{len(boards)} NVIDIA GPU(s) found" if boards else "the driver reports no NVIDIA GPU"
    shown: list[Gpu] = []
    for entry in filter(None, (part.strip() for part in wanted.split(","))):
        match = [
            g
            for g in boards
            if str(g.index) == entry or (entry.startswith("GPU-") and g.uuid.startswith(entry))
        ]
        if len(match) != 1:
            break
        shown += match
    numbered = [replace(gpu, index=index) for index, gpu in enumerate(shown)]
    return numbered, f"CUDA_VISIBLE_DEVICES={wanted!r} shows {len(numbered)} of {len(boards)} NVIDIA GPU(s)"


def ram() -> Ram:
    """Main memory this process can reach, with control group limits (version 1 and 2)."""
    import psutil

    machine = psutil.virtual_memory()
    return _bounded(int(machine.total), int(machine.available), memory_limit())


def _bounded(total: int, available: int, limit: CgroupLimit | None) -> Ram:
    if limit is None or limit.limit_bytes >= total:
        return Ram(total, available, "the machine's memory; no tighter limit is set on this process")
    reason = (
        f"a control group (version {limit.version}) limits this process to {limit.limit_bytes / GIB:.1f} GiB "
        f"of the machine's {total / GIB:.1f} GiB"
    )
    return Ram(limit.limit_bytes, min(available, limit.left_bytes), reason)
