import sys
import time

import pytest

from nbhelpers import memory
from nbhelpers.errors import BadInput
from nbhelpers.memory.live import Live, _someone_watches


def test_readings_are_those_of_a_watch_where_nobody_watches():
    with memory.live(0.01) as seen:
        block = bytearray(b"\1" * (64 << 20))
        time.sleep(0.05)
    assert isinstance(seen, Live) and seen.panel is None
    assert seen.peak_bytes - seen.start_bytes >= len(block) * 0.9
    assert seen.curve[0][1] == seen.start_bytes


def test_the_panel_moves_with_the_block_and_keeps_the_peak(capsys):
    with memory.live(0.01, interactive=True) as seen:
        before = seen.panel._bars[0][0].value
        block = bytearray(b"\1" * (256 << 20))
        samples, last = len(seen.curve), time.monotonic() + 20
        while len(seen.curve) < samples + 2 and time.monotonic() < last:  # a busy machine samples late
            time.sleep(0.01)
        during = seen.panel._bars[0][0].value
        del block
    bar, text = seen.panel._bars[0]
    assert 0 < before < during <= 1
    assert "MiB of" in text.value or "GiB of" in text.value
    assert "peak" in text.value
    assert bar.description == "this process"


def test_bars_are_off_where_outputs_are_compared(monkeypatch):
    # The function of the same name hides the module from a dotted path.
    module = sys.modules[Live.__module__]
    monkeypatch.setattr(module, "in_jupyter", lambda: True)
    monkeypatch.setattr(module, "headless", lambda: False)
    monkeypatch.delenv("NBHELPERS_PROGRESS", raising=False)
    assert _someone_watches()
    monkeypatch.setenv("NBHELPERS_PROGRESS", "off")
    assert not _someone_watches()


def test_an_interval_of_nothing_is_refused():
    with pytest.raises(BadInput, match="interval_s 0"):
        memory.live(0)
