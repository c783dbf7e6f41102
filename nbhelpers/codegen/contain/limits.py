"""How much a contained program may take."""

import math
from dataclasses import dataclass, fields

from nbhelpers.errors import BadInput

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds of one contained program; all above 0.

    Attributes:
        wall_s: seconds on the clock, after which everything is killed.
        cpu_s: processor seconds of each process.
        memory_mib: address space of each process, and resident memory of all of them together.
        processes: processes and threads at once.
        disk_mib: size of each file, and of everything in its folder together.
        output_kib: of standard output and standard error, each; more ends the program.
    """

    wall_s: float = 120.0
    cpu_s: float = 60.0
    memory_mib: float = 2048.0
    processes: int = 64
    disk_mib: float = 64.0
    output_kib: float = 256.0

    def __post_init__(self) -> None:
        """Check every bound.

        Raises:
            BadInput: one is not a positive finite number.
        """
        for item in fields(self):
            value = getattr(self, item.name)
            if not (math.isfinite(value) and value > 0):
                raise BadInput(f"limit {item.name} {value:g}: must be a number above 0")
