"""Latency: what is called, how often, and that the clock sees it."""

import time

import pytest

from nbhelpers.errors import BadInput
from nbhelpers.metrics import time_calls


def test_warm_up_is_not_counted_and_the_clock_runs():
    calls = []

    def work():
        calls.append(1)
        time.sleep(0.05 if len(calls) <= 2 else 0.002)

    found = time_calls(work, warmup=2, runs=5)
    assert len(calls) == 7 and found.n == 5
    assert 2.0 <= found.least_ms <= found.p50_ms <= found.p95_ms
    assert found.least_ms < 40


def test_synchronise_is_inside_the_clock():
    found = time_calls(lambda: None, warmup=0, runs=3, synchronise=lambda: time.sleep(0.003))
    assert found.least_ms >= 3.0


def test_bounds():
    with pytest.raises(BadInput):
        time_calls(lambda: None, runs=0)
    with pytest.raises(BadInput):
        time_calls(lambda: None, warmup=-1)
