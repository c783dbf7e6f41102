"""Keep large blocks out of glibc's heap while small ones that stay are made among them."""

import contextlib
import ctypes
import sys
from collections.abc import Iterator

# From <malloc.h>.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_APART_BYTES = 128 * 1024
# Where glibc's own rule, which `mallopt` ends, arrives once a block of 32 MiB was freed: mallopt(3).
_USUAL_BYTES, _USUAL_TRIM_BYTES = 32 * 1024**2, 64 * 1024**2


@contextlib.contextmanager
def large_blocks_apart() -> Iterator[bool]:
    """Inside, blocks of 128 KiB and more are mapped one by one, and are gone from the process once freed.

    glibc raises that bound to 32 MiB as large blocks are freed; from then on they lie in one heap with the
    small ones. Where thousands of inputs leave a few kilobytes each between megabytes that go, the heap keeps
    the holes, and later work spreads over all of them. Mapping costs page faults, so it is not for training.

    Yields:
        Whether it took effect: elsewhere than on glibc nothing is changed.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "mallopt"):
        yield False
        return
    libc.mallopt(_MMAP_THRESHOLD, _APART_BYTES)
    try:
        yield True
    finally:
        libc.mallopt(_MMAP_THRESHOLD, _USUAL_BYTES)
        libc.mallopt(_TRIM_THRESHOLD, _USUAL_TRIM_BYTES)
