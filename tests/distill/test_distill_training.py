"""Training: same seed, same bits; a killed run ends as an unbroken one; done work is not redone."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import draw_set, quick  # type: ignore[import-not-found]

from nbhelpers.distill import load_student, train_student
from nbhelpers.distill.checkpoint import load_tensors
from nbhelpers.errors import BadInput

pytestmark = pytest.mark.slow


def silent(line):
    """Say nothing."""


def weights(path):
    return load_tensors(path)["weights"]


def same(first, second):
    one, two = weights(first), weights(second)
    assert one.keys() == two.keys()
    return all(torch.equal(one[key], two[key]) for key in one)


def test_it_learns_and_reports(trained, shapes):
    result, _ = trained
    assert result.epochs == 36 and result.stopped == "epochs" and not result.resumed and not result.reused
    assert result.student == "yolov8_seg" and result.task == "segment" and result.licence == "AGPL-3.0"
    assert [row["epoch"] for row in result.history] == list(range(1, 37))
    measured = [row["mask_ap50"] for row in result.history if row["mask_ap50"] is not None]
    assert len(measured) == 3 and measured[-1] > 0.8
    first, last = result.history[0], result.history[-1]
    assert last["train_box_loss"] < first["train_box_loss"] and last["lr"] < result.plan["learning_rate"]
    assert load_student(result.best).class_names == ["disc", "block"]
    assert not (result.best.parent / "state.pt").exists()
    assert "epochs completed" in (result.best.parent / "ultralytics.log").read_text()


def test_a_finished_training_is_returned_at_once(trained, shapes):
    result, settings = trained
    stamp = result.best.stat().st_mtime_ns
    said = []
    again = train_student(*shapes, settings, result.best.parent, say=said.append)
    assert again.reused and again.best.stat().st_mtime_ns == stamp
    assert replace(again, reused=False) == result
    assert "AGPL-3.0" in " ".join(said) and "finished before" in said[-1]


def test_same_seed_same_bits_other_seed_other_bits(shapes, tmp_path):
    runs = [
        train_student(*shapes, quick(seed=s), tmp_path / n, say=silent)
        for n, s in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert same(runs[0].last, runs[1].last) and same(runs[0].best, runs[1].best)
    assert not same(runs[0].last, runs[2].last)
    drop = {"seconds"}
    rows = [[{k: v for k, v in row.items() if k not in drop} for row in run.history] for run in runs]
    assert rows[0] == rows[1]


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import quick
from nbhelpers.data import load_coco
from nbhelpers.distill import train_student
from nbhelpers.distill.trainer import _Steered
if len(sys.argv) > 3:  # wait in the third epoch to be killed
    start = _Steered._start_epoch
    def _start_epoch(self):
        if self.epoch == 2:
            Path(sys.argv[3]).write_text("here")
            time.sleep(600)
        start(self)
    _Steered._start_epoch = _start_epoch
folder = Path(sys.argv[2])
train, val = load_coco(folder / "train/set.json"), load_coco(folder / "val/set.json")
train_student(train, val, quick(epochs=4), folder / "run", state_every_s=0.0)
"""


def test_a_killed_training_ends_in_the_same_bits(tmp_path):
    from nbhelpers.data import load_coco

    sets = [load_coco(draw_set(tmp_path / n, c, seed=s)) for n, c, s in (("train", 8, 1), ("val", 4, 2))]
    marker = tmp_path / "marker"
    arguments = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(tmp_path)]
    two = os.environ | {"OMP_NUM_THREADS": "2"}
    child = subprocess.Popen([*arguments, str(marker)], stderr=subprocess.DEVNULL, env=two)
    deadline = time.monotonic() + 300
    while not marker.exists():
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not (tmp_path / "run" / "training.json").exists()
    # Bits follow from the number of threads: the resumed training must take that of the killed one.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    resumed = train_student(*sets, quick(epochs=4), tmp_path / "run", say=silent)
    assert torch.get_num_threads() == 1
    torch.set_num_threads(2)
    unbroken = train_student(*sets, quick(epochs=4), tmp_path / "whole", say=silent)
    torch.set_num_threads(before)
    assert resumed.resumed and not unbroken.resumed
    assert resumed.epochs == unbroken.epochs == 4
    assert same(resumed.last, unbroken.last) and same(resumed.best, unbroken.best)


def test_the_deadline_stops_cleanly_and_a_longer_one_goes_on(shapes, tmp_path):
    short = train_student(*shapes, quick(epochs=300, max_minutes=0.05), tmp_path, say=silent)
    assert short.stopped == "deadline" and 1 <= short.epochs < 300
    assert short.history[-1]["mask_ap50"] is not None
    load_student(short.best)
    again = train_student(*shapes, quick(epochs=300, max_minutes=0.05), tmp_path, say=silent)
    assert again.reused
    longer = train_student(*shapes, quick(epochs=300, max_minutes=0.15), tmp_path, say=silent)
    assert longer.resumed and longer.epochs > short.epochs


def test_patience_stops(shapes, tmp_path, monkeypatch):
    from nbhelpers.distill import trainer

    validate = trainer._Steered.validate

    def worse_each_time(self):
        metrics, _ = validate(self)
        fitness = 1.0 / (1 + self.epoch)
        self.best_fitness = max(fitness, self.best_fitness or 0.0)
        return metrics, fitness

    monkeypatch.setattr(trainer._Steered, "validate", worse_each_time)
    result = train_student(*shapes, quick(epochs=50, patience=2, validations=50), tmp_path, say=silent)
    assert result.epochs == 3 and result.stopped == "patience"


@pytest.mark.parametrize("name", ["yolov8", "fastsam"])
def test_the_other_students_train(shapes, tmp_path, name):
    result = train_student(*shapes, quick(epochs=1), tmp_path, student=name, say=silent)
    student = load_student(result.best)
    assert student.class_names == (["object"] if name == "fastsam" else ["disc", "block"])
    assert ("mask_ap50" in result.history[0]) == (name == "fastsam")


def test_an_empty_part_is_refused(shapes, tmp_path):
    train, val = shapes
    with pytest.raises(BadInput, match="the val part has no images"):
        train_student(train, val.subset([]), quick(), tmp_path, say=silent)
