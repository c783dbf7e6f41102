"""The progress helper: bar, lines, silence."""

import io
import logging
import os
import subprocess
import sys
import types

import pytest

from nbhelpers.runtime import clock_text, progress, setup_logging
from nbhelpers.runtime import progress as _function  # the name is shared by function and module

module = sys.modules["nbhelpers.runtime.progress"]
assert _function is progress


class Clock:
    """A clock the test moves."""

    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "headless", lambda: True)
    return clock


@pytest.fixture
def terminal(monkeypatch):
    """Standard error as somebody would watch it."""
    monkeypatch.setattr(module, "headless", lambda: False)

    def start():  # in the test itself: pytest puts its own stream in place after the fixtures
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return start


def test_items_come_through_in_order_and_short_work_is_silent(clock, capsys):
    assert list(progress(range(1000), label="reading")) == list(range(1000))
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_headless_a_line_every_five_seconds_and_one_at_the_end(clock, capsys):
    for _ in progress(range(12), label="reading", unit="image"):
        clock.now += 1
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "reading: 5/12 image (42 %), 1.0 image/s, 0:05 gone, 0:07 left",
        "reading: 10/12 image (83 %), 1.0 image/s, 0:10 gone, 0:02 left",
        "reading: 12/12 image (100 %), 1.0 image/s, 0:12 in all",
    ]


def test_slow_steps_without_a_total_and_with_a_note(clock, capsys):
    with progress(label="epochs", unit="epoch") as bar:
        bar.note("loss 0.3")
        clock.now += 90
        bar.update()
    assert capsys.readouterr().err.splitlines() == [
        "epochs: 1 epoch, 90.0 s/epoch, 1:30 gone, loss 0.3",
        "epochs: 1 epoch, 90.0 s/epoch, 1:30 in all, loss 0.3",
    ]


def test_an_error_in_the_loop_passes_and_says_how_far_it_came(clock, capsys):
    with pytest.raises(ZeroDivisionError):
        for item in progress(range(10), label="work"):
            clock.now += 6
            if item == 2:
                _ = 1 / 0
    assert "2/10" in capsys.readouterr().err.splitlines()[-1]


def test_leaving_the_loop_early(clock, capsys):
    for _ in progress(range(10)):
        break
    assert capsys.readouterr().err == ""


def test_generators_have_no_total_unless_given(clock, capsys):
    for _ in progress((n for n in range(2)), total=4):
        clock.now += 6
    assert "2/4" in capsys.readouterr().err


def test_iterating_without_items_is_a_programming_error(clock):
    with pytest.raises(TypeError, match="no items"):
        list(progress(total=3))


def test_nothing_goes_to_standard_output(clock, capsys):
    for _ in progress(range(3)):
        clock.now += 10
    assert capsys.readouterr().out == ""


def test_a_person_sees_a_bar(terminal):
    screen = terminal()
    with progress(total=4, label="reading", unit="image", quiet_s=0) as bar:
        for _ in range(4):
            bar.update()
        bar.note("last one")
    assert "reading" in screen.getvalue()
    assert "4/4" in screen.getvalue()


def test_a_person_sees_no_bar_for_short_work(terminal):
    screen = terminal()
    assert list(progress([1, 2, 3], label="reading")) == [1, 2, 3]
    assert screen.getvalue() == ""


def test_the_bar_is_text_in_notebooks_too(terminal, monkeypatch):
    screen = terminal()
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "ipywidgets", None)  # importing it fails, whoever imported it before
    list(progress([1, 2], label="reading", quiet_s=0))
    assert "reading" in screen.getvalue()


def test_log_lines_do_not_break_the_bar(terminal):
    screen = terminal()
    logger = logging.getLogger("nbhelpers")
    setup_logging()
    try:
        with progress(total=2, label="reading", quiet_s=0) as bar:
            bar.update()
            logger.info("found something")
            bar.update()
    finally:
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
        logger.propagate = True
    lines = screen.getvalue().replace("\r", "\n").split("\n")
    assert any(line.endswith("INFO found something") for line in lines)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("size", [(0, 0), (30, 90)])
def test_a_real_terminal_shows_the_bar_whatever_size_it_claims(size):
    import fcntl
    import pty
    import struct
    import termios

    code = (
        "from nbhelpers.runtime import progress\n"
        "with progress(total=3, label='reading', quiet_s=0) as bar: bar.update(3)"
    )
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("NBHELPERS", "KAGGLE"))
    }
    subprocess.run(
        [sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, check=True
    )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "reading: 100%" in shown
    assert "3/3" in shown


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3661, "1:01:01"), (-3, "0:00")])
def test_clock_text(seconds, text):
    assert clock_text(seconds) == text


def test_it_can_be_silenced_by_the_environment(clock, capsys, monkeypatch):
    monkeypatch.setenv("NBHELPERS_PROGRESS", "off")
    with progress(total=3, label="reading") as bar:
        for _ in range(3):
            clock.now += 10
            bar.update()
            bar.note("half way")
    assert capsys.readouterr().err == ""
