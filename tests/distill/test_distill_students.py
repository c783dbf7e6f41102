"""Students: the registry, the one-image forward, seeds, files."""

import inspect
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from nbhelpers.distill import STUDENTS, Student, build_student, load_student, save_student, student_for
from nbhelpers.errors import BadInput


@pytest.mark.parametrize(
    ("mode", "name"),
    [("detection", "yolov8"), ("detection_and_segmentation", "yolov8_seg"), ("segmentation", "fastsam")],
)
def test_mode_in_student_out(mode, name):
    assert student_for(mode) == name
    assert STUDENTS[name].licence == "AGPL-3.0"


def test_unknown_names_list_the_known_ones():
    with pytest.raises(BadInput, match="known modes: detection, detection_and_segmentation, segmentation"):
        student_for("pose")
    with pytest.raises(BadInput, match="known students: yolov8, yolov8_seg, fastsam"):
        build_student("yolov9", ["a"])
    with pytest.raises(BadInput, match="known sizes: n, s, m, l, x"):
        build_student("yolov8", ["a"], size="xl")
    with pytest.raises(BadInput, match="multiple of 32"):
        build_student("yolov8", ["a"], image_size=100)
    with pytest.raises(BadInput, match="at least one class"):
        build_student("yolov8", [])


def test_forward_takes_an_image_and_nothing_else():
    assert list(inspect.signature(Student.forward).parameters) == ["self", "image"]


def test_raw_outputs():
    anchors = (64 // 8) ** 2 + (64 // 16) ** 2 + (64 // 32) ** 2
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        boxes = build_student("yolov8", ["a", "b"], image_size=64)(images)
        masks, prototypes = build_student("yolov8_seg", ["a", "b"], image_size=64)(images)
    assert boxes.shape == (2, 4 + 2, anchors) and boxes.dtype == torch.float32
    assert masks.shape == (2, 4 + 2 + 32, anchors) and prototypes.shape == (2, 32, 16, 16)
    scores = boxes[:, 4:]
    assert (scores >= 0).all() and (scores <= 1).all()


def test_sizes_grow():
    counts = [sum(p.numel() for p in build_student("yolov8", ["a"], size=size).parameters()) for size in "ns"]
    assert 3.0e6 < counts[0] < 3.2e6 and 11.0e6 < counts[1] < 11.3e6  # Ultralytics publishes 3.2 and 11.2 M


def test_the_seed_decides_and_the_process_keeps_its_own():
    state = torch.random.get_rng_state()
    one, two, other = (build_student("yolov8", ["a"], seed=seed).state_dict() for seed in (5, 5, 6))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_fastsam_knows_one_class():
    student = build_student("fastsam", ["a", "b", "c"], image_size=64)
    assert student.class_names == ["object"] and student.task == "segment"
    assert "AGPL-3.0" in student.describe()


def test_files_come_back_the_same_and_hold_no_code(tmp_path):
    student = build_student("yolov8_seg", ["Kiste", "箱"], image_size=64, seed=2)
    path = save_student(student, tmp_path / "student.pt")
    again = load_student(path)
    assert (again.name, again.size, again.class_names, again.image_size, again.stride) == (
        "yolov8_seg", "n", ["Kiste", "箱"], 64, 32,
    )  # fmt: skip
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        for one, two in zip(student(image), again(image), strict=True):
            assert torch.equal(one, two)
    torch.load(path, weights_only=True)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(BadInput, match="there is no such file"):
        load_student(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(BadInput, match="cannot be read as a student file"):
        load_student(tmp_path / "text.pt")
    torch.save({"weights": {}}, tmp_path / "other.pt")
    with pytest.raises(BadInput, match="is not a student file"):
        load_student(tmp_path / "other.pt")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "module.pt")
    with pytest.raises(BadInput, match="cannot be read as a student file"):
        load_student(tmp_path / "module.pt")


def test_predict_on_any_image_size():
    student = build_student("yolov8_seg", ["a"], image_size=64)
    found = student.predict(np.zeros((30, 200, 3), np.uint8), confidence=0.0)
    assert found.mask is None or found.mask.shape[1:] == (30, 200)
    assert (found.xyxy[:, 2] <= 200).all() and (found.xyxy[:, 3] <= 30).all()


def test_the_rooms_import_without_torch():
    code = "import sys, json, nbhelpers.distill, nbhelpers.metrics; print(json.dumps('torch' in sys.modules))"
    assert json.loads(subprocess.check_output([sys.executable, "-c", code], text=True)) is False
