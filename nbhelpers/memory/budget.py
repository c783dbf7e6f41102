"""How many bytes a phase may take, and which bound decided it."""

from dataclasses import dataclass

from nbhelpers.errors import BadInput
from nbhelpers.runtime.hardware import GIB, gpu_of, ram
from nbhelpers.runtime.tables import size_text


@dataclass(frozen=True)
class Budget:
    """Bytes that may be allocated on top of what is in use now, and one sentence why so many."""

    bytes: int
    reason: str

    def allows(self, wanted_bytes: int) -> bool:
        """Whether something of this size fits."""
        return wanted_bytes <= self.bytes


def budget(limit_gib: float = 16.0, keep_free_gib: float = 2.0, device: str = "cpu") -> Budget:
    """The smaller of the limit and of what is free now less what is kept free; never below 0.

    Free means: on the CPU what the machine and the control group have left; on a GPU what NVML reports.

    Args:
        limit_gib: upper bound, GiB (above 0).
        keep_free_gib: left for the system and other processes, GiB (0 or more).
        device: `cpu` or `cuda:N`.

    Raises:
        BadInput: a bound outside its range.
        Unavailable: the GPU is not there.
    """
    if not limit_gib > 0:
        raise BadInput(f"limit_gib {limit_gib:g}: must be above 0")
    if not keep_free_gib >= 0:
        raise BadInput(f"keep_free_gib {keep_free_gib:g}: must be 0 or more")
    free, where = _free(device)
    limit, left = limit_gib * GIB, max(0.0, free - keep_free_gib * GIB)
    if limit <= left:
        return Budget(int(limit), f"the limit of {limit_gib:g} GiB; {where} has {size_text(free)} free")
    kept = f"less {keep_free_gib:g} GiB kept free"
    return Budget(
        int(left),
        f"{where} has {size_text(free)} free, {kept}; the limit of {limit_gib:g} GiB is not reached",
    )


def _free(device: str) -> tuple[int, str]:
    """Free bytes and what has them, for people."""
    if not device.startswith("cuda"):
        memory = ram()
        return (
            memory.available_bytes,
            "the control group" if "control group" in memory.reason else "the machine",
        )
    board = gpu_of(device)
    return board.free_bytes, board.name
