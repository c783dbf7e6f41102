"""Ultralytics behind our door: no socket, nothing in the home folder, nothing changed for the process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = """
import os, socket, sys
from pathlib import Path

def refused(*a, **k):
    print("NETWORK", a, flush=True)
    raise OSError("network is off")

socket.socket.connect = socket.socket.connect_ex = refused
socket.getaddrinfo = socket.create_connection = refused
import subprocess
run = subprocess.Popen.__init__
def spawned(self, args, *a, **k):
    if "pip" in str(args) or "uv" in str(args):
        print("INSTALL", args, flush=True)
    return run(self, args, *a, **k)
subprocess.Popen.__init__ = spawned

import cv2, numpy as np, torch
from PIL import Image
def process():
    threads = torch.get_num_threads(), cv2.getNumThreads(), os.environ.get("OMP_NUM_THREADS")
    return threads, np.get_printoptions(), torch.save, cv2.imread, Image.open

before = process()
sys.path.insert(0, sys.argv[1])
from drawn_shapes import draw_set, quick
from nbhelpers.data import load_coco
from nbhelpers.distill import train_student, load_student
folder = Path(sys.argv[2])
sets = [load_coco(draw_set(folder / name, 4, seed)) for seed, name in enumerate(("train", "val"))]
result = train_student(*sets, quick(epochs=1), folder / "run", say=lambda line: None)
load_student(result.best).predict(sets[0].image(10))
assert before == process(), (before, process())
from ultralytics.utils import SETTINGS
from ultralytics.utils.events import events
assert not events.enabled and SETTINGS["sync"] is False
print("DONE")
"""


LATE = """
import sys, ultralytics, ultralytics.utils.events, ultralytics.utils.checks as checks
from nbhelpers.distill.ultralytics_quiet import ultralytics as quiet
quiet()
from ultralytics.utils import SETTINGS, callbacks
assert not ultralytics.utils.events.events.enabled
assert SETTINGS["sync"] is False and SETTINGS["api_key"] == "" and SETTINGS["mlflow"] is False
assert checks.AUTOINSTALL is False and checks.ONLINE is False
class Trainer:
    callbacks = {}
callbacks.add_integration_callbacks(Trainer())
assert Trainer.callbacks == {}
print("DONE")
"""


def run(code, tmp_path):
    """A fresh interpreter with an empty home folder and an API key, which would make ultralytics upload."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("YOLO_", "XDG_", "PYTEST", "OMP_"))
    }
    environment = kept | {"HOME": str(home), "TMPDIR": str(tmp_path), "MPLCONFIGDIR": str(tmp_path / "mpl")}
    environment |= {"ULTRALYTICS_API_KEY": "x" * 40}
    arguments = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path / "work")]
    child = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=500)
    assert child.returncode == 0, child.stderr[-3000:]
    return child.stdout, [str(path.relative_to(home)) for path in home.rglob("*")]


@pytest.mark.slow
def test_training_opens_no_socket_and_leaves_the_home_folder_alone(tmp_path):
    said, left = run(CHILD, tmp_path)
    assert said == "DONE\n" and left == []


@pytest.mark.slow
def test_it_holds_when_ultralytics_was_imported_before(tmp_path):
    said, _ = run(LATE, tmp_path)
    assert said.splitlines()[-1] == "DONE"
