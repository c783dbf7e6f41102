"""Give memory back to the system between two steps of a notebook."""

import ctypes
import gc
import sys

from nbhelpers.memory.read import cuda_count, process_bytes


def release() -> int:
    """Collect garbage, empty torch's GPU cache and return free heap pages to the system.

    Objects that a variable still holds stay: `del` them first.

    Returns:
        Bytes given back, RAM and GPU together; 0 where nothing was.
    """
    before = process_bytes() + _gpu_reserved()
    gc.collect()
    _empty_gpu_cache()
    _trim_heap()
    return max(0, before - process_bytes() - _gpu_reserved())


def _gpu_reserved() -> int:
    if not cuda_count():
        return 0
    import torch

    return sum(torch.cuda.memory_reserved(index) for index in range(torch.cuda.device_count()))


def _empty_gpu_cache() -> None:
    if cuda_count():
        import torch

        torch.cuda.empty_cache()


def _trim_heap() -> None:
    """Ask glibc to return free pages; other C libraries (musl, macOS) have no such call."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
