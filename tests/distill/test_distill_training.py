"""Training: same seed, same bits; a killed run ends as an unbroken one; done work is not redone."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawn_shapes import draw_set, quick  # type: ignore[import-not-found]

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


def without_seconds(history):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


def test_it_learns_and_reports(trained, shapes):
    result, _ = trained
    assert result.epochs == 40 and result.stopped == "epochs" and not result.resumed and not result.reused
    assert result.student == "yolov8_seg" and result.task == "segment" and result.licence == "AGPL-3.0"
    assert [row["epoch"] for row in result.history] == list(range(1, 41))
    measured = [row["mask_ap50"] for row in result.history if row["mask_ap50"] is not None]
    assert len(measured) == 3 and measured[-1] > 0.8
    first, last = result.history[0], result.history[-1]
    assert {"train_box", "train_class", "train_dfl", "train_bce", "train_dice"} <= set(first)
    assert last["train_box"] < first["train_box"] and last["lr"] < result.plan["learning_rate"]
    assert load_student(result.best).class_names == ["disc", "block"]
    counts = result.labels["train"]
    assert (counts.images, counts.objects, counts.crowds, counts.boxes_as_masks) == (8, 16, 0, 0)
    left = {path.name for path in (result.best.parent / "fit").iterdir()}
    assert {"records.jsonl", "tensorboard"} <= left
    assert not {name for name in left if name.endswith(".pt")}  # what only a resume needs is gone


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
    assert without_seconds(runs[0].history) == without_seconds(runs[1].history)


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from drawn_shapes import quick
from nbhelpers.data import load_coco
from nbhelpers.distill import train_student
from nbhelpers.distill.batches import StudentBatches
if len(sys.argv) > 3:  # wait in the sixth batch to be killed
    call = StudentBatches.__call__
    def wait(self, number):
        if number == 5:
            Path(sys.argv[3]).write_text("here")
            time.sleep(600)
        return call(self, number)
    StudentBatches.__call__ = wait
folder = Path(sys.argv[2])
train, val = load_coco(folder / "train/set.json"), load_coco(folder / "val/set.json")
train_student(train, val, quick(epochs=4), folder / "run", state_every_s=1e-6)
"""


def test_a_killed_training_ends_in_the_same_bits(tmp_path):
    from nbhelpers.data import load_coco

    sets = [load_coco(draw_set(tmp_path / n, c, seed=s)) for n, c, s in (("train", 8, 1), ("val", 4, 2))]
    marker = tmp_path / "marker"
    arguments = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(tmp_path)]
    threads = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    child = subprocess.Popen([*arguments, str(marker)], stderr=subprocess.DEVNULL, env=threads)
    deadline = time.monotonic() + 300
    while not marker.exists():
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not (tmp_path / "run" / "training.json").exists()
    resumed = train_student(*sets, quick(epochs=4), tmp_path / "run", say=silent)
    unbroken = train_student(*sets, quick(epochs=4), tmp_path / "whole", say=silent)
    assert resumed.resumed and not unbroken.resumed
    assert resumed.epochs == unbroken.epochs == 4
    assert same(resumed.last, unbroken.last) and same(resumed.best, unbroken.best)
    assert without_seconds(resumed.history) == without_seconds(unbroken.history)


def test_the_deadline_stops_cleanly_and_a_longer_one_goes_on(shapes, tmp_path):
    short = train_student(*shapes, quick(epochs=300, max_minutes=0.05), tmp_path, say=silent)
    assert short.stopped == "deadline" and 1 <= short.epochs < 300
    assert short.history[-1]["mask_ap50"] is not None
    load_student(short.best)
    again = train_student(*shapes, quick(epochs=300, max_minutes=0.05), tmp_path, say=silent)
    assert again.reused
    longer = train_student(*shapes, quick(epochs=300, max_minutes=0.15), tmp_path, say=silent)
    assert longer.resumed and longer.epochs > short.epochs


def test_patience_stops_and_the_best_is_kept(shapes, tmp_path, monkeypatch):
    from nbhelpers.distill.validation import Validation

    asked = []

    def worse_each_time(self, model):
        asked.append({key: value.clone() for key, value in self._student.network.state_dict().items()})
        return dict.fromkeys(self.names, 1.0 / len(asked))

    monkeypatch.setattr(Validation, "__call__", worse_each_time)
    result = train_student(*shapes, quick(epochs=50, patience=2, validations=50), tmp_path, say=silent)
    assert result.epochs == len(asked) == 3 and result.stopped == "patience"
    best, last = weights(result.best), weights(result.last)
    assert all(torch.equal(best[key], asked[0][key]) for key in best)
    assert all(torch.equal(last[key], asked[2][key]) for key in last)


@pytest.mark.parametrize("name", ["yolov8", "fastsam"])
def test_the_other_students_train(shapes, tmp_path, name):
    result = train_student(*shapes, quick(epochs=1), tmp_path, student=name, say=silent)
    student = load_student(result.best)
    assert student.class_names == (["object"] if name == "fastsam" else ["disc", "block"])
    assert ("mask_ap50" in result.history[0]) == (name == "fastsam")


def test_another_training_in_the_folder_is_begun_anew(shapes, tmp_path):
    first = train_student(*shapes, quick(), tmp_path, say=silent)
    before = weights(first.last)
    second = train_student(*shapes, quick(seed=1), tmp_path, say=silent)
    assert not second.reused and not second.resumed
    after = weights(second.last)
    assert any(not torch.equal(before[key], after[key]) for key in before)


def odd_set(folder):
    """Odd sizes, an image without objects, a crowd, an object without a mask, and one with an empty mask."""
    document = json.loads(draw_set(folder, 5, seed=3, size=(97, 61)).read_text())
    annotations = document["annotations"]
    annotations[:] = [entry for entry in annotations if entry["image_id"] != 10]
    annotations[0]["iscrowd"] = 1
    annotations[0]["segmentation"] = {"size": [61, 97], "counts": [0, 61 * 97]}
    annotations[1]["segmentation"] = []
    annotations[2]["segmentation"] = {"size": [61, 97], "counts": [61 * 97]}
    (folder / "set.json").write_text(json.dumps(document))
    return folder / "set.json"


@pytest.mark.parametrize("name", ["yolov8_seg", "yolov8"])
def test_odd_sets_train(shapes, tmp_path, name):
    from nbhelpers.data import load_coco

    train = load_coco(odd_set(tmp_path / "odd"))
    result = train_student(train, shapes[1], quick(batch=3), tmp_path / "run", student=name, say=silent)
    counts = result.labels["train"]
    assert (counts.images, counts.empty_images, counts.crowds) == (5, 1, 1)
    assert counts.boxes_as_masks == (1 if name == "yolov8_seg" else 0)
    assert result.epochs == 2 and all(row["train_box"] > 0 for row in result.history)


def test_a_part_without_images_or_objects_is_refused(shapes, tmp_path):
    train, val = shapes
    with pytest.raises(BadInput, match="the val part has no images"):
        train_student(train, val.subset([]), quick(), tmp_path, say=silent)
    with pytest.raises(BadInput, match="the train part has no objects"):
        train_student(replace(train, annotations=[]), val, quick(), tmp_path, say=silent)


class Mirror:
    """An augmenter that mirrors every picture."""

    fingerprint = "mirror"

    def __call__(self, sample, seed):
        width = sample.image.shape[1]
        x1, y1, x2, y2 = sample.boxes.T
        points = sample.keypoints.copy()
        points[:, 0] = width - points[:, 0]
        return replace(
            sample,
            image=sample.image[:, ::-1].copy(),
            boxes=torch.stack([torch.tensor(v) for v in (width - x2, y1, width - x1, y2)], 1).numpy(),
            masks=sample.masks[:, :, ::-1],
            keypoints=points,
        )


def test_an_augmenter_changes_the_training_and_is_part_of_its_mark(shapes, tmp_path):
    plain = train_student(*shapes, quick(), tmp_path, say=silent)
    mirrored = train_student(*shapes, quick(), tmp_path, augment=Mirror(), say=silent)
    assert not mirrored.reused and mirrored.history[0]["train_box"] != plain.history[0]["train_box"]
    assert train_student(*shapes, quick(), tmp_path, augment=Mirror(), say=silent).reused
    with pytest.raises(BadInput, match="fingerprint"):
        train_student(*shapes, quick(), tmp_path, augment=lambda sample, seed: sample, say=silent)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("name", ["yolov8", "yolov8_seg"])
def test_it_learns_on_a_gpu(shapes, tmp_path, name):
    settings = quick(image_size=96, epochs=36, batch=2, validations=3, warmup=0.05)
    result = train_student(*shapes, settings, tmp_path, device="cuda:0", student=name, say=silent)
    assert result.history[-1]["box_ap50"] > 0.8
    assert load_student(result.best, "cuda:0").predict(shapes[1].image(10)).xyxy.shape[1] == 4
