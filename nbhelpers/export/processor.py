"""Does this processor multiply 8-bit numbers fast: what INT8 gains on a CPU rests on it."""

import platform
from pathlib import Path

from nbhelpers.runtime import Choice

# Instructions that multiply and add 8-bit numbers in one step, as /proc/cpuinfo names them.
_DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"}


def int8_support(cpuinfo: Path = Path("/proc/cpuinfo")) -> Choice:
    """Whether the CPU has 8-bit dot products: `yes`, `no` or `unknown`, and by what that is known.

    Args:
        cpuinfo: where the kernel lists the processor's instructions; other systems than Linux have none.
    """
    if not cpuinfo.is_file():
        return Choice("unknown", f"{platform.system()} on {platform.machine()} lists no instructions")
    flags: set[str] = set()
    for line in cpuinfo.read_text(errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            flags |= set(value.split())
    found = sorted(flags & _DOT_PRODUCTS)
    if found:
        return Choice("yes", f"the processor has {', '.join(found)}")
    return Choice("no", "the processor has no 8-bit dot products (VNNI, AMX or Arm's dotprod)")
