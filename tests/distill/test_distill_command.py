"""`nbhelpers train-student`: a prepared folder, teachers, unlabelled images, and what it refuses."""

import numpy as np
import pytest
from drawn_shapes import draw_set  # type: ignore[import-not-found]
from label_fakes import FakeTeachers, write_pictures  # type: ignore[import-not-found]

from nbhelpers.cli.app import run
from nbhelpers.data import load_coco

QUICK = ["--epochs", "1", "--image-size", "64", "--batch", "4", "--profile", "cpu"]


class Teachers(FakeTeachers):
    """Teachers of the drawn classes."""

    def __init__(self, masks=True):
        super().__init__(names=("disc", "block"), masks=masks)
        self.task = "segment" if masks else "detect"

    def _one(self, image, thresholds, features):
        return super()._one(np.repeat(image.max(axis=2, keepdims=True), 3, axis=2), thresholds, features)


@pytest.fixture
def files(tmp_path):
    return draw_set(tmp_path / "train", 6, seed=1), draw_set(tmp_path / "val", 3, seed=2)


@pytest.fixture
def teachers(tmp_path, monkeypatch):
    """A folder of teachers whose answers are known."""
    from nbhelpers.teach import GroundedSam

    made = Teachers()
    monkeypatch.setattr(GroundedSam, "from_folder", lambda folder, device, **options: made)
    return tmp_path / "teachers"


def student(*arguments):
    return run(["train-student", *map(str, arguments), *QUICK, "--set", "distill.validations=1"])


@pytest.mark.slow
def test_teachers_label_what_people_have_not(files, teachers, tmp_path):
    train, val = files
    photos = write_pictures(tmp_path / "photos", 5)
    losses = ["--set", "distill.losses.logit=1", "--set", "distill.losses.feature=1"]
    answer = student(
        "--data", train, "--val", val, "--teachers", teachers, "--unlabelled", photos, "--auto-detect",
        "--output", tmp_path / "out", *losses,
    )  # fmt: skip
    assert answer.exit_code == 0, answer.error
    assert answer.data["student"] == "yolov8_seg" and answer.data["epochs"] == 1
    counts = answer.data["labels"]["train"]
    assert (counts["images"], counts["objects"], counts["teachers"]) == (11, 17, 5)
    assert {"train_logit", "train_feature"} <= set(answer.data["history"][0])
    labels = load_coco(answer.data["paths"]["labels"])
    assert len(labels.images) == 11 and answer.data["paths"]["features"].endswith("features")
    assert "17 objects on 11 images, 5 by teachers" in answer.text


@pytest.mark.slow
def test_a_share_of_the_labels_counts_and_teachers_label_the_rest(files, teachers, tmp_path):
    train, val = files
    alone = student("--data", train, "--val", val, "--labelled", "0.5", "--output", tmp_path / "alone")
    assert alone.data["labels"]["train"]["images"] == 3
    both = ["--data", train, "--val", val, "--labelled", "0.5", "--output", tmp_path / "taught"]
    taught = student(*both, "--teachers", teachers, "--set", "distill.losses.logit=1")
    counts = taught.data["labels"]["train"]
    assert (counts["images"], counts["objects"], counts["teachers"]) == (6, 9, 3)
    assert taught.data["history"][0]["train_logit"] > 0


@pytest.mark.slow
def test_a_prepared_folder_needs_no_val(tmp_path):
    scenes, prepared = tmp_path / "scenes", tmp_path / "prepared"
    run(["draw-scenes", "--output", str(scenes), "--count", "12", "--size", "64"])
    made = run(
        ["validate-dataset", "--data", str(scenes / "scenes.json"), "--output", str(prepared),
         "--split", "train:0.5,val:0.25,test:0.25", "--generate-configs"]
    )  # fmt: skip
    assert made.exit_code == 0
    answer = student("--data", prepared, "--output", tmp_path / "out", "--student", "yolov8")
    assert answer.exit_code == 0 and answer.data["student"] == "yolov8"
    assert answer.data["labels"]["train"]["images"] == 6, "all labels are used where no teachers are"
    twice = student("--data", prepared, "--val", prepared / "val.json", "--output", tmp_path / "out")
    assert twice.exit_code == 2 and "a part of its own" in twice.error


def test_what_cannot_work_is_refused(files, teachers, tmp_path, monkeypatch):
    train, val = files
    both = ["--data", train, "--val", val, "--output", tmp_path / "out"]
    refused = {
        "choose the best weights by": ["--data", train, "--output", tmp_path / "out"],
        "give --teachers": [*both, "--unlabelled", tmp_path],
        "exclude each other": [*both, "--auto-detect", "--student", "yolov8"],
        "use yolov8, yolov8_seg, fastsam": [*both, "--student", "yolov9"],
        "nothing to add": [*both, "--teachers", teachers, "--labelled", "1"],
        "no such folder": [*both, "--teachers", teachers, "--unlabelled", tmp_path / "none"],
    }
    for said, arguments in refused.items():
        answer = student(*arguments)
        assert answer.exit_code == 2 and said in answer.error, (said, answer.error)
    from nbhelpers.teach import GroundedSam

    monkeypatch.setattr(GroundedSam, "from_folder", lambda folder, device, **options: Teachers(masks=False))
    answer = student(*both, "--teachers", teachers, "--labelled", "0.5")
    assert answer.exit_code == 2 and "they draw no masks" in answer.error
