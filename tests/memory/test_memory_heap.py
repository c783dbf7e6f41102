"""Small things that stay between large things that go, in a process of its own: a heap is not put back."""

import subprocess
import sys

import pytest

CHILD = """
import contextlib, sys
import numpy as np
from nbhelpers.memory import large_blocks_apart, process_bytes, release

np.ones(31 * 2**20, np.uint8)  # freed: from here on glibc keeps blocks of this size in its heap
kept = []

def work():
    for _ in range(300):
        large = np.ones(2**20, np.uint8)
        kept.append(np.ones(3000, np.uint8))
        del large
        kept.append(np.ones(900_000, np.uint8))  # takes most of the hole, until the end
    del kept[1::2]
    release()

before = process_bytes()
with large_blocks_apart() if sys.argv[1] == "apart" else contextlib.nullcontext(True) as works:
    work()
later = [np.ones(100_000, np.uint8) for _ in range(2000)]
del later
print(works, process_bytes() - before)
"""


def grown(how):
    done = subprocess.run([sys.executable, "-c", CHILD, how], capture_output=True, text=True, check=True)
    works, size = done.stdout.split()
    return works == "True", int(size)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap")
def test_holes_are_not_left_for_later_work():
    works, size = grown("apart")
    if not works:
        pytest.skip("this C library has no mallopt")
    _, mixed = grown("mixed")
    assert size < mixed / 2, (size, mixed)


def test_elsewhere_nothing_is_changed(monkeypatch):
    from nbhelpers.memory import large_blocks_apart

    monkeypatch.setattr(sys, "platform", "darwin")
    with large_blocks_apart() as works:
        assert not works
