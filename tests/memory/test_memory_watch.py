"""Watching memory during a block."""

import subprocess
import sys
import threading
import time
import types

import psutil
import pytest

from nbhelpers.errors import BadInput
from nbhelpers.memory import Watch, watch

MIB = 1 << 20
NEVER = 3600.0  # seconds between samples: none falls into a block, however slow the machine is
module = sys.modules["nbhelpers.memory.watch"]


def wait_until(holds, within_s=20.0):
    """Let the sampling thread come to it: on a busy machine a sleep may pass without one sample."""
    last = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < last, "no sample came"
        time.sleep(0.005)


def above_every_earlier_peak(mib):
    """A size that lifts this process above its highest resident memory so far."""
    return module._high_water_bytes() - psutil.Process().memory_info().rss + mib * MIB


def test_peak_start_end_and_curve():
    with watch(0.01) as seen:
        block = bytearray(100 * MIB)
        time.sleep(0.1)
        wait_until(lambda: len(seen.curve) > 4)
        del block
        time.sleep(0.05)
        wait_until(lambda: seen.curve[-1][1] < seen.peak_bytes - 50 * MIB)
    assert seen.peak_bytes - seen.start_bytes == pytest.approx(100 * MIB, abs=8 * MIB)
    assert seen.end_bytes == pytest.approx(seen.start_bytes, abs=8 * MIB)
    assert seen.grown_bytes == seen.peak_bytes - seen.start_bytes
    assert len(seen.curve) > 5
    assert seen.curve[0][1] == seen.start_bytes
    assert seen.curve[-1][1] == seen.end_bytes
    times = [moment for moment, _ in seen.curve]
    assert times == sorted(times)
    assert 0.15 <= seen.seconds < 45
    assert times[-1] <= seen.seconds


def test_what_is_still_held_at_the_end_is_seen_however_short_the_block():
    with watch(NEVER) as seen:
        block = bytearray(50 * MIB)
    assert seen.end_bytes - seen.start_bytes == pytest.approx(len(block), abs=8 * MIB)
    assert seen.peak_bytes >= seen.end_bytes
    assert len(seen.curve) == 2


def test_a_new_peak_between_two_samples_is_not_missed():
    size = above_every_earlier_peak(80)
    with watch(NEVER) as seen:
        block = bytearray(size)
        del block
    assert seen.grown_bytes == pytest.approx(size, abs=8 * MIB)
    assert max(used for _, used in seen.curve) < seen.peak_bytes, "no sample saw it"


def test_an_earlier_peak_is_not_blamed_on_the_block():
    block = bytearray(above_every_earlier_peak(80))
    del block
    with watch(NEVER) as seen:
        pass
    assert seen.grown_bytes < 8 * MIB


def test_the_high_water_mark_is_this_processs_own():
    block = bytearray(above_every_earlier_peak(200))
    code = "from nbhelpers.memory.watch import _high_water_bytes; print(_high_water_bytes())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < len(block)


def test_an_error_in_the_block_passes_and_the_readings_stay():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), watch(0.01) as seen:
        _ = 1 / 0
    assert seen.end_bytes > 0
    assert seen.curve[-1][1] == seen.end_bytes
    assert threading.active_count() == before


def test_watches_can_be_nested_and_used_again():
    with watch(0.01) as outer:
        with watch(0.01) as inner:
            block = bytearray(60 * MIB)
            wait_until(lambda: len(outer.curve) > 2)
        del block
    assert outer.peak_bytes >= inner.peak_bytes - MIB
    first = outer.peak_bytes
    with outer:
        pass
    assert len(outer.curve) == 2, "a second use starts afresh"
    assert outer.peak_bytes <= first


def test_children_count_when_asked():
    code = "block = bytearray(60 << 20); print('ready', flush=True); input()"
    with watch(0.01, children=True) as seen:
        child = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        child.stdout.readline()
        wait_until(lambda: seen.peak_bytes - seen.start_bytes > 60 * MIB)
        child.communicate("\n")
    assert seen.grown_bytes > 60 * MIB


def test_a_long_watch_keeps_a_bounded_curve_with_its_peak(monkeypatch):
    readings = iter([*range(1000, 9000), 10**9, *range(9000, 12000)])
    monkeypatch.setattr(module, "process_bytes", lambda children: next(readings))
    seen = Watch(100.0)
    with seen:
        for _ in range(11_000 - 2):
            seen._sample()
    assert len(seen.curve) <= module._MOST_POINTS
    assert seen.curve[0][1] == seen.start_bytes == 1000
    assert seen.curve[-1][1] == seen.end_bytes
    assert 10**9 in [used for _, used in seen.curve]
    assert [moment for moment, _ in seen.curve] == sorted(moment for moment, _ in seen.curve)


def test_gpu_peaks_are_those_of_the_block(monkeypatch):
    peaks = {0: 900, 1: 900}
    cuda = types.SimpleNamespace(
        is_initialized=lambda: True,
        device_count=lambda: 2,
        reset_peak_memory_stats=lambda index: peaks.update({index: 0}),
        max_memory_allocated=lambda index: peaks[index],
        memory_allocated=lambda index: allocated[index],
    )
    allocated = {0: 10, 1: 20}
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    with watch(NEVER) as seen:
        peaks[1] = 700
        allocated[1] = 25
    assert seen.gpu_peak_bytes == {0: 0, 1: 700}
    assert [used for _, used in seen.gpu_curve] == [30, 35]


def test_without_cuda_there_are_no_gpu_peaks():
    with watch() as seen:
        pass
    assert seen.gpu_peak_bytes == {}
    assert seen.gpu_curve == []


@pytest.mark.parametrize("interval", [0, -1, float("nan")])
def test_an_interval_that_makes_no_sense(interval):
    with pytest.raises(BadInput, match="interval_s"):
        watch(interval)


def test_a_torch_that_is_still_being_imported_is_not_asked(monkeypatch):
    """Seen once: the sampling thread died while another one was half way through `import torch`."""
    half = types.ModuleType("torch")
    half.__spec__ = types.SimpleNamespace(_initializing=True)
    monkeypatch.setitem(sys.modules, "torch", half)
    with watch(0.001) as seen:
        wait_until(lambda: len(seen.curve) > 1)
    assert len(seen.curve) > 2
    assert seen.gpu_curve == []
