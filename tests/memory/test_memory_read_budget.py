"""Reading memory, budgets, giving memory back."""

import os
import platform
import subprocess
import sys
import types

import psutil
import pytest

from nbhelpers.errors import BadInput, Unavailable
from nbhelpers.memory import MemoryNow, budget, process_bytes, read, read_memory, release
from nbhelpers.memory import budget as _budget
from nbhelpers.runtime import GIB, Gpu, Ram

MIB = 1 << 20
budget_module = sys.modules["nbhelpers.memory.budget"]
T4 = Gpu(0, "Tesla T4", (7, 5), 15 * GIB, 14 * GIB, "580")
assert _budget is budget

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc_trim is a call of glibc")


def test_a_reading_agrees_with_the_system():
    now = read_memory()
    assert now.process_bytes == pytest.approx(psutil.Process().memory_info().rss, rel=0.05)
    assert 0 < now.ram.available_bytes <= now.ram.total_bytes <= psutil.virtual_memory().total
    assert now.gpu_note


def test_what_is_allocated_shows():
    before = process_bytes()
    block = bytearray(64 * MIB)
    assert process_bytes() - before == pytest.approx(len(block), abs=8 * MIB)


def test_children_are_counted_when_asked():
    code = "block = bytearray(80 << 20); print('ready', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "ready\n"
        alone, together = process_bytes(), process_bytes(children=True)
        child.communicate("\n")
    assert together - alone > 80 * MIB
    assert process_bytes(children=True) < together - 80 * MIB


def test_a_child_that_ends_while_being_read_counts_nothing():
    child = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(child.pid)
    child.wait()
    assert read._resident(process) == 0


def test_the_table_says_what_there_is():
    bare = MemoryNow(512 * MIB, Ram(8 * GIB, 4 * GIB, "the machine's memory"), [], "no driver")
    assert bare.table().splitlines() == [
        "this process  512.0 MiB  resident",
        "available     4.0 GiB    of 8.0 GiB; the machine's memory",
        "GPU           none       no driver",
    ]
    assert MemoryNow(0, bare.ram, [T4], "").rows()[-1] == ("Tesla T4", "14.0 GiB", "free of 15.0 GiB")


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many GiB of main memory available, and one T4 with 14 GiB free."""

    def build(available_gib, reason="the machine's memory"):
        found = Ram(64 * GIB, int(available_gib * GIB), reason)
        monkeypatch.setattr(budget_module, "ram", lambda: found)
        monkeypatch.setattr(budget_module, "gpu_of", lambda device: T4)

    return build


def test_the_default_is_16_gib_where_there_is_plenty(machine):
    machine(40)
    found = budget()
    assert found.bytes == 16 * GIB
    assert found.reason == "the limit of 16 GiB; the machine has 40.0 GiB free"


def test_otherwise_what_is_free_less_2_gib(machine):
    machine(10)
    found = budget()
    assert found.bytes == 8 * GIB
    assert "10.0 GiB free, less 2 GiB kept free" in found.reason
    assert found.allows(8 * GIB)
    assert not found.allows(8 * GIB + 1)


def test_limit_and_rest_can_be_set(machine):
    machine(10)
    assert budget(4).bytes == 4 * GIB
    assert budget(40, 0).bytes == 10 * GIB
    assert budget(limit_gib=0.5, keep_free_gib=9.75).bytes == GIB // 4


def test_never_below_nothing(machine):
    machine(1)
    assert budget().bytes == 0


def test_a_control_group_is_named(machine):
    machine(3, "a control group (version 2) limits this process to 4.0 GiB of the machine's 64.0 GiB")
    assert budget().reason.startswith("the control group has 3.0 GiB free")


def test_on_a_gpu_its_free_memory_counts(machine):
    machine(1)
    found = budget(device="cuda:0")
    assert found.bytes == 12 * GIB
    assert found.reason.startswith("Tesla T4 has 14.0 GiB free")


def test_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(Unavailable, match="cuda:0"):
        budget(device="cuda:0")


@pytest.mark.parametrize("bounds", [(0, 2), (-1, 2), (float("nan"), 2), (16, -1), (16, float("nan"))])
def test_bounds_that_make_no_sense(bounds):
    with pytest.raises(BadInput, match="must be"):
        budget(*bounds)


class Loop:
    """Garbage that only the collector finds."""

    def __init__(self):
        self.block = bytearray(64 * MIB)
        self.me = self


def test_release_collects_cycles_and_says_how_much():
    Loop()
    assert release() > 60 * MIB


@glibc
def test_release_returns_freed_heap_pages_that_a_small_object_holds_back():
    pieces = [bytes(2000) for _ in range(40_000)]
    pin = bytes(2000)
    del pieces
    assert release() > 40 * MIB
    assert len(pin) == 2000


def test_release_with_nothing_to_give_is_never_negative(monkeypatch):
    release()
    readings = iter([100, 300])
    monkeypatch.setattr(sys.modules["nbhelpers.memory.release"], "process_bytes", lambda: next(readings))
    assert release() == 0


def test_release_empties_torchs_cache_only_where_cuda_runs(monkeypatch):
    reserved = {0: 500, 1: 70}
    cuda = types.SimpleNamespace(
        is_initialized=lambda: True,
        device_count=lambda: 2,
        memory_reserved=reserved.get,
        empty_cache=lambda: reserved.update({0: 100, 1: 0}),
    )
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    monkeypatch.setattr(sys.modules["nbhelpers.memory.release"], "process_bytes", lambda: 0)
    assert release() == 470
    cuda.is_initialized = lambda: False
    cuda.empty_cache = None  # calling it would fail
    assert release() == 0


def test_nothing_here_imports_torch():
    code = (
        "import sys; from nbhelpers import memory as m; m.read_memory(); m.budget(); m.release()\n"
        "with m.watch(): pass\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "False"
