"""Which built-in profile suits this machine."""

import os

from nbhelpers.runtime.choice import Choice
from nbhelpers.runtime.hardware import GIB, Gpu, gpu_status

# Boards report a little less than their name says: a 16 GB T4 about 15 GiB, a 24 GB L4 about 22.5 GiB.
_LARGE_BYTES, _SMALL_BYTES = 20 * GIB, 14 * GIB
# The torch builds we pin are CUDA 13 builds, which have no kernels below Turing (P100, V100).
_OLDEST = (7, 5)


def choose_profile(found: tuple[list[Gpu], str] | None = None) -> Choice:
    """Choose `rtx3090`, `t4` or `cpu` by the largest GPU; torch is not imported.

    The environment variable `NBHELPERS_PROFILE` names a profile that is taken instead, on any machine.

    Args:
        found: GPUs and a sentence about them, as `gpu_status` gives; None asks the machine.
    """
    named = os.environ.get("NBHELPERS_PROFILE")
    if named:
        return Choice(named, "the environment variable NBHELPERS_PROFILE names it")
    boards, status = found if found is not None else gpu_status()
    if not boards:
        return Choice("cpu", status)
    best = max(boards, key=lambda gpu: (gpu.capability >= _OLDEST, gpu.total_bytes))
    has = f"{best.name} has {best.total_bytes / GIB:.1f} GiB and compute capability {_version(best)}"
    if best.capability < _OLDEST:
        return Choice("cpu", f"{has}, older than 7.5, for which current torch builds have no kernels")
    if best.total_bytes >= _LARGE_BYTES and best.capability >= (8, 0):
        return Choice("rtx3090", f"{has}: at least 20 GiB and bfloat16")
    if best.total_bytes >= _SMALL_BYTES:
        return Choice("t4", f"{has}: at least 14 GiB")
    return Choice("cpu", f"{has}, but the GPU profiles need 14 GiB")


def _version(gpu: Gpu) -> str:
    return ".".join(map(str, gpu.capability))
