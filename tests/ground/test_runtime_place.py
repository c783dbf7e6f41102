"""Where a process runs and where its files go."""

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from nbhelpers.runtime import disk, headless, place, use_model_cache, where

VARIABLES = [
    "KAGGLE_KERNEL_RUN_TYPE",
    "COLAB_RELEASE_TAG",
    "NBHELPERS_PAPERMILL",
    "NBHELPERS_SCRATCH",
    "NBHELPERS_RESULTS",
    "HF_HOME",
]


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """No trace of any place; the tests add what they need."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)


def fake_kernel(monkeypatch, class_name):
    shell = type(class_name, (), {})()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))


def test_a_plain_script_keeps_results_in_the_working_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = where()
    assert (found.kind, found.results) == ("script", tmp_path)
    assert found.scratch != found.results


def test_kaggle_keeps_big_files_in_tmp_and_small_ones_in_working(monkeypatch):
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    monkeypatch.setenv("NBHELPERS_PAPERMILL", "1")  # papermill on Kaggle is still Kaggle
    found = where()
    assert found.kind == "kaggle"
    assert "Batch" in found.reason
    assert found.results == Path("/kaggle/working")
    assert found.scratch.is_relative_to("/tmp")
    assert found.model_cache.is_relative_to("/tmp")


def test_colab_papermill_and_jupyter_are_told_apart(monkeypatch):
    fake_kernel(monkeypatch, "ZMQInteractiveShell")
    assert where().kind == "jupyter"
    monkeypatch.setenv("NBHELPERS_PAPERMILL", "1")
    assert where().kind == "papermill"
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab")
    assert where().kind == "colab"


def test_an_ipython_terminal_is_no_notebook(monkeypatch):
    fake_kernel(monkeypatch, "TerminalInteractiveShell")
    assert where().kind == "script"


def test_papermill_is_off_when_the_variable_says_0(monkeypatch):
    monkeypatch.setenv("NBHELPERS_PAPERMILL", "0")
    assert where().kind == "script"


def test_folders_can_be_set(monkeypatch, tmp_path):
    monkeypatch.setenv("NBHELPERS_SCRATCH", str(tmp_path / "s"))
    monkeypatch.setenv("NBHELPERS_RESULTS", str(tmp_path / "r"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "h"))
    found = where()
    assert (found.scratch, found.results, found.model_cache) == (
        tmp_path / "s",
        tmp_path / "r",
        tmp_path / "h",
    )
    assert not list(tmp_path.iterdir()), "where() only looks"


def test_model_cache_follows_the_place_unless_set(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", "x")  # so that monkeypatch restores it
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert use_model_cache() == where().model_cache == Path(os.environ["HF_HOME"])
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert use_model_cache() == tmp_path


def test_headless_without_a_terminal_but_not_in_a_live_notebook(monkeypatch):
    monkeypatch.setattr(sys, "stderr", types.SimpleNamespace(isatty=lambda: False))
    assert headless()
    fake_kernel(monkeypatch, "Shell")  # Colab's
    assert not headless()
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert not headless()
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    assert headless()
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE")
    monkeypatch.setenv("NBHELPERS_PAPERMILL", "1")
    assert headless()


def test_headless_with_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", types.SimpleNamespace(isatty=lambda: True))
    assert not headless()
    monkeypatch.setattr(sys, "stderr", None)  # pythonw and some services
    assert headless()


def test_disk_of_a_folder_that_is_not_there_yet(tmp_path):
    room = disk(tmp_path / "a" / "b")
    here = disk(tmp_path)
    assert room.total_bytes == here.total_bytes > room.free_bytes > 0
    assert not (tmp_path / "a").exists()


def test_a_user_without_a_name_still_gets_a_scratch_folder(monkeypatch):
    def nameless():
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(place.getpass, "getuser", nameless)
    assert where().scratch.name == f"nbhelpers-{os.getuid()}"


def test_importing_the_ground_stays_light():
    code = (
        "import sys, nbhelpers.runtime, nbhelpers.memory, nbhelpers.settings; "
        "print([m for m in ('torch', 'numpy', 'omegaconf', 'matplotlib', 'tqdm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
