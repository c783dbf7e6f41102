import signal
import traceback

import pytest

from nbhelpers.notebooks.failures import HINTS, Failure, classify, dead_kernel, one_line

CASES = [
    ("OSError", "[Errno 28] No space left on device: '/x'", "disk"),
    ("RuntimeError", "PytorchStreamWriter: inline_container.cc:672 file write failed", "disk"),
    ("OperationalError", "database or disk is full", "disk"),
    ("MemoryError", "", "memory"),
    ("numpy._core._exceptions._ArrayMemoryError", "Unable to allocate 8.00 EiB for an array", "memory"),
    ("OutOfMemoryError", "CUDA out of memory. Tried to allocate 2.00 GiB", "memory"),
    ("RuntimeError", "[enforce fail] DefaultCPUAllocator: can't allocate memory", "memory"),
    ("RuntimeError", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED", "memory"),
    ("OSError", "[Errno 12] Cannot allocate memory", "memory"),
    ("ModuleNotFoundError", "No module named 'tensorrt'", "dependency"),
    ("RuntimeError", "operator torchvision::nms does not exist", "dependency"),
    ("OSError", "libGL.so.1: cannot open shared object file: No such file or directory", "dependency"),
    ("Unavailable", "TensorRT is not installed", "dependency"),
    ("gaierror", "[Errno -3] Temporary failure in name resolution", "network"),
    ("OSError", "We couldn't connect to 'https://example.org' to load this file", "network"),
    ("requests.exceptions.ConnectionError", "Max retries exceeded with url: /", "network"),
    ("TimeoutExpired", "Command 'sleep' timed out after 1 seconds", "timeout"),
    ("AssertionError", "", "assertion"),
    ("CheckFailed", "mask AP50: 0.5, wanted >= 0.7", "assertion"),
    ("BadInput", "train.json: there is no such file", "bad input"),
    ("BadInput", "the disk quota exceeded flag is unknown", "bad input"),
    ("KeyboardInterrupt", "", "interrupted"),
    ("ZeroDivisionError", "division by zero", "other"),
    ("KeyError", "'memory'", "other"),
    ("ValueError", "the disk is round", "other"),
]


@pytest.mark.parametrize(("name", "message", "kind"), CASES)
def test_each_error_has_its_class(name, message, kind):
    assert classify(name, message) == kind
    assert kind in HINTS


def test_the_error_underneath_decides_when_the_last_one_says_nothing():
    try:
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            raise RuntimeError("could not save the checkpoint") from error
    except RuntimeError as error:
        trace = "".join(traceback.format_exception(error))
    assert classify("RuntimeError", "could not save the checkpoint", trace) == "disk"


def test_source_lines_of_a_traceback_do_not_count():
    trace = "Cell In[1], line 1\n----> 1 raise ValueError('x')  # timed out, out of memory\nValueError: x"
    assert classify("ValueError", "x", trace) == "other"


def test_one_line_is_one_short_line_without_colours():
    assert one_line("pkg.Error", "\x1b[31mfirst\x1b[0m\nsecond") == "Error: first"
    assert len(one_line("Error", "x" * 1000)) == 300
    assert one_line("MemoryError", "") == "MemoryError"


@pytest.mark.parametrize(
    ("code", "kills", "kind", "said"),
    [
        (-signal.SIGSEGV, 0, "crash", "SIGSEGV"),
        (-signal.SIGKILL, 0, "crash", "running out of memory"),
        (-signal.SIGKILL, 1, "memory", "out-of-memory killer"),
        (3, 0, "crash", "exit code 3"),
        (None, 0, "crash", "no exit code"),
    ],
)
def test_a_dead_kernel_tells_how_it_died(code, kills, kind, said):
    found, cause = dead_kernel(code, kills)
    assert found == kind
    assert said in cause


def test_the_line_names_class_cell_and_cause():
    line = Failure("memory", "MemoryError: 1", 5).line()
    assert line == "memory failure in cell [5]: MemoryError: 1"
