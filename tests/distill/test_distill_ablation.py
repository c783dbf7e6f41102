"""The comparison of students: what each learns from, equal effort, intervals, taking up where it stopped."""

import json
import math
import time

import numpy as np
import pytest
import supervision as sv
import torch
from PIL import Image

from nbhelpers.data import load_coco
from nbhelpers.data.coco import CocoSet
from nbhelpers.distill import students as students_module
from nbhelpers.distill import training as training_module
from nbhelpers.distill.ablation import (
    arms_of,
    compare_speed,
    paired_difference,
    run_ablation,
    speed_table,
)
from nbhelpers.distill.ablation.paired import ap_of_draws, draws_of
from nbhelpers.distill.trained import TrainedStudent
from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.metrics import ap_interval, evaluate_coco, weighted_ap
from nbhelpers.settings.sections import DistillSection, LossSettings
from nbhelpers.teach.grounded_sam import FeatureMap, Seen

SIZE = 64
FULL = LossSettings(feature=0.5, logit=0.25)


# --- arms
def test_each_arm_has_one_thing_more_than_the_one_before():
    arms = arms_of(FULL, classes=3)
    assert [arm.key for arm in arms] == ["labels", "pseudo", "feature", "logit"]
    assert [arm.pseudo for arm in arms] == [False, True, True, True]
    assert [arm.losses.feature for arm in arms] == [0, 0, 0.5, 0.5]
    assert [arm.losses.logit for arm in arms] == [0, 0, 0, 0.25]
    assert {arm.losses.detection for arm in arms} == {1.0}


def test_a_loss_without_weight_or_meaning_has_no_arm():
    assert [arm.key for arm in arms_of(LossSettings(), 3)] == ["labels", "pseudo"]
    assert [arm.key for arm in arms_of(LossSettings(logit=1), 3)] == ["labels", "pseudo", "logit"]
    assert [arm.key for arm in arms_of(FULL, 1)] == ["labels", "pseudo", "feature"]


# --- intervals
def truth_and_results(images=40, seed=0, keep=0.7):
    """Boxes of one class, of which a share is found and some more are wrong."""
    rng = np.random.default_rng(seed)
    truth = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]}
    results = []
    for number in range(1, images + 1):
        truth["images"].append({"id": number, "width": 100, "height": 100})
        for _ in range(2):
            x, y = rng.uniform(0, 60, 2)
            box = [float(x), float(y), 30.0, 30.0]
            truth["annotations"].append(
                {"id": len(truth["annotations"]) + 1, "image_id": number, "category_id": 1, "bbox": box,
                 "area": 900.0, "iscrowd": 0}
            )  # fmt: skip
            right = rng.random() < keep
            found = box if right else [0.0, 0.0, 5.0, 5.0]
            score = float(rng.uniform(0.3, 1) if right else rng.uniform(0, 0.8))
            results.append({"image_id": number, "category_id": 1, "bbox": found, "score": score})
    return truth, results


def test_the_ap_of_a_draw_is_that_of_the_set_it_makes():
    truth, results = truth_and_results(8)
    weights = draws_of(8, 3, seed=1)
    assert weights[0].tolist() == [1] * 8
    assert weights[1:].sum(1).tolist() == [8, 8, 8]
    found = weighted_ap(truth, results, weights, "bbox", None)
    assert found[0] == pytest.approx(evaluate_coco(truth, results, "bbox").ap)
    copied = {"images": [], "annotations": [], "categories": truth["categories"]}
    answers = []
    for number, count in enumerate(weights[2].astype(int), 1):  # the second draw, written out as a set
        for _ in range(count):
            new = len(copied["images"]) + 1
            copied["images"].append({"id": new, "width": 100, "height": 100})
            own = [item for item in truth["annotations"] if item["image_id"] == number]
            first = len(copied["annotations"]) + 1
            copied["annotations"] += [
                {**item, "id": first + k, "image_id": new} for k, item in enumerate(own)
            ]
            answers += [{**item, "image_id": new} for item in results if item["image_id"] == number]
    assert found[2] == pytest.approx(evaluate_coco(copied, answers, "bbox").ap)
    with pytest.raises(BadInput, match="there are 8 images"):
        weighted_ap(truth, results, np.ones((2, 7)))


def test_over_one_seed_the_interval_is_that_over_images():
    truth, results = truth_and_results()
    drawn = ap_of_draws(truth, [results], draws_of(40, 500, seed=0), "bbox", 0.5)
    mine = paired_difference(drawn, np.zeros_like(drawn))
    theirs = ap_interval(truth, results, "bbox", 0.5, draws=500, seed=0)
    assert (mine.value, mine.low, mine.high) == pytest.approx((theirs.value, theirs.low, theirs.high))


def test_what_both_find_hard_falls_out_of_a_paired_difference():
    rng = np.random.default_rng(0)
    image_noise, own = rng.normal(0, 0.1, (1, 1001)), rng.normal(0, 0.005, (2, 3, 1001))
    seeds = np.array([[0.0], [0.01], [-0.01]])
    ours, theirs = 0.5 + image_noise + own[0] + seeds, 0.45 + image_noise + own[1] + seeds
    alone = paired_difference(ours, np.zeros_like(ours))
    gain = paired_difference(ours, theirs)
    assert alone.high - alone.low > 0.3
    assert gain.high - gain.low < 0.05
    assert 0 < gain.low < 0.05 < gain.high


def test_seeds_that_disagree_widen_the_interval_as_much_as_they_should():
    drawn = np.repeat(np.array([[0.1], [0.2], [0.3]]), 20001, 1)  # images do not matter here
    wide = paired_difference(drawn, np.zeros_like(drawn), level=0.6827)
    # The standard error of a mean of three with deviation 0.1 is 0.1 / sqrt(3) = 0.058.
    assert wide.value == pytest.approx(0.2)
    assert (wide.high - wide.low) / 2 == pytest.approx(0.058, rel=0.45)
    narrow = paired_difference(np.full_like(drawn, 0.2), np.zeros_like(drawn))
    assert narrow.low == pytest.approx(0.2) == pytest.approx(narrow.high)
    with pytest.raises(BadInput, match="give equal ones"):
        paired_difference(drawn, drawn[:2])


# --- the whole comparison, with trainings that take no time
class Teachers:
    """Teachers that find the one object of each image, whose place its colour tells."""

    mode, task = "detection", "detect"
    class_names = ("thing", "other")
    choices = ()

    def __init__(self):
        self.thresholds, self.looked = {}, 0

    def identity(self):
        return {"name": "fake"}

    def threshold(self, name):
        return 0.5

    def predict_one(self, image, confidence=None, iou=None, **options):
        return self.look([image])[0].detections

    predict = predict_one

    def look(self, images, thresholds=None, features=False, **options):
        self.looked += len(images)
        return [self._seen(image) for image in images]

    def _seen(self, image):
        level = float(image[0, 0, 0])
        scores = np.array([[0.9, 0.1]], np.float32)
        found = sv.Detections(
            xyxy=np.array([[8.0, 8, 40, 40]], np.float32),
            confidence=np.array([0.9], np.float32),
            class_id=np.array([0]),
            data={"class_name": np.array(["thing"]), "class_scores": scores},
        )
        maps = {"grounding_dino": FeatureMap(np.full((4, 4, 4), level, np.float32), (0.0, 0.0, 1.0, 1.0))}
        return Seen(found, maps)


def make_set(folder, count, first=1) -> CocoSet:
    folder.mkdir(parents=True)
    images, annotations = [], []
    for number in range(first, first + count):
        pixels = np.full((SIZE, SIZE, 3), 20 + number * 3, np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": SIZE, "height": SIZE})
        annotations.append(
            {"id": number, "image_id": number, "category_id": 1, "bbox": [8, 8, 32, 32], "area": 1024,
             "iscrowd": 0}
        )  # fmt: skip
    categories = [{"id": 1, "name": "thing"}, {"id": 2, "name": "other"}]
    path = folder / "set.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return load_coco(path, folder)


@pytest.fixture
def world(tmp_path):
    train = make_set(tmp_path / "train", 20)
    labelled = train.subset(train.image_ids[:4])
    return {
        "labelled": labelled,
        "images": train,
        "teachers": Teachers(),
        "val": make_set(tmp_path / "val", 3, 40),
        "test": make_set(tmp_path / "test", 6, 60),
        "folder": tmp_path / "ablation",
    }


SETTINGS = DistillSection(student="yolov8", image_size=SIZE, epochs=3, batch=4, losses=FULL)


class FakeStudent:
    """Finds the object of every image, a little off: the more, the higher the seed."""

    task, class_names = "detect", ("thing", "other")

    def __init__(self, path):
        self.shift = float(path.read_text())

    def predict(self, image, confidence=0.001, iou=0.7, **options):
        box = np.array([[8.0 + self.shift, 8, 40, 40]], np.float32)
        return sv.Detections(xyxy=box, confidence=np.array([0.9]), class_id=np.array([0]))


@pytest.fixture
def calls(monkeypatch):
    """Trainings asked for; each leaves a student at once. The full recipe is exact, the others are not."""
    made = []

    def train(train, val, settings, folder, device, student, *, teacher=None, say=None):
        made.append((folder.name, train, settings, teacher))
        folder.mkdir(parents=True, exist_ok=True)
        best = folder / "best.pt"
        best.write_text("0" if settings.losses.logit else str(10 + settings.seed))
        (folder / "training.json").write_text("{}")
        plan = {"epochs": settings.epochs, "batch": settings.batch}
        return TrainedStudent(
            best, best, student, "n", "detect", train.class_names, SIZE, settings.epochs, 2.0, [], "none",
            False, False, "epochs", plan=plan,
        )  # fmt: skip

    monkeypatch.setattr(training_module, "train_student", train)
    monkeypatch.setattr(students_module, "load_student", lambda path, device: FakeStudent(path))
    return made


def run(world, **options):
    return run_ablation(**{**world, "settings": SETTINGS, "draws": 20, "say": lambda line: None, **options})


def test_every_student_sees_as_much_and_what_differs_is_what_it_should_be(world, calls):
    found = run(world, seeds=(3, 5))
    assert [name for name, *_ in calls] == [
        f"{key}-{seed}" for seed in (3, 5) for key in ("labels", "pseudo", "feature", "logit")
    ]
    seen = {name: settings.epochs * len(train.images) for name, train, settings, _ in calls}
    assert set(seen.values()) == {60}
    assert {row.steps for row in found.rows} == {15}
    for name, train, settings, teacher in calls:
        key, seed = name.split("-")
        assert settings.seed == int(seed)
        assert settings.patience == 0
        assert len(train.images) == (4 if key == "labels" else 20)
        assert (teacher is not None) == (key in ("feature", "logit"))
        sources = {item.get("source") for item in train.annotations}
        assert sources == ({None} if key == "labels" else {"people", "teacher"})
    assert [row.pseudo for row in found.rows] == [0, 16, 16, 16]
    assert found.seeds == [3, 5]
    assert found.monitor == "bbox_ap"
    assert found.left == 0


def test_numbers_are_those_of_the_answers_and_the_teachers_are_the_ceiling(world, calls):
    found = run(world, seeds=(0,))
    assert found.ceiling["bbox_ap"].value == pytest.approx(1)
    answers = json.loads((world["folder"] / "logit-0" / "test-results.json").read_text())["results"]
    direct = evaluate_coco(world["test"].to_dict(), answers, "bbox")
    assert found.rows[-1].scores["bbox_ap"] == [pytest.approx(direct.ap)]
    assert found.rows[-1].scores["bbox_ap50"] == [pytest.approx(direct.ap50)]
    assert found.rows[0].differences == {}
    # Every image has the same object, found with IoU 22/32 by the others: right at 0.5, 0.55, 0.6 and 0.65.
    assert found.rows[0].scores["bbox_ap"] == [pytest.approx(0.4)]
    assert found.gain.value == pytest.approx(0.6)
    assert found.is_clear
    assert "beats few labels alone: box AP +0.600" in found.verdict()
    table = found.table()
    assert "few labels alone" in table
    assert "the teachers" in table
    assert "1.000" in table
    saved = json.loads((world["folder"] / "ablation.json").read_text())
    assert [row["key"] for row in saved["rows"]] == ["labels", "pseudo", "feature", "logit"]
    assert len(found.figure().axes) == 1


def test_what_is_finished_is_taken_as_it_is(world, calls, monkeypatch):
    first = run(world, seeds=(0,))
    looked = world["teachers"].looked
    assert looked == 20 + 6
    monkeypatch.setattr(
        "nbhelpers.distill.ablation.run.run_on_set", lambda *a: pytest.fail("was scored again")
    )
    again = run(world, seeds=(0,))
    assert world["teachers"].looked == looked
    assert again.to_dict() == first.to_dict()


def test_answers_of_other_weights_are_made_anew(world, calls):
    run(world, seeds=(0,))
    path = world["folder"] / "labels-0" / "test-results.json"
    before = json.loads(path.read_text())["of"]
    path.write_text(json.dumps({"of": "another student", "class_names": [], "task": "detect", "results": []}))
    run(world, seeds=(0,))
    assert json.loads(path.read_text())["of"] == before


def test_a_deadline_leaves_the_seeds_that_are_complete(world, calls, monkeypatch):
    clock = {"now": 1000.0}
    monkeypatch.setattr("nbhelpers.distill.ablation.run.time.time", lambda: clock["now"])
    real = training_module.train_student

    def slow(*args, **options):
        clock["now"] += 100
        return real(*args, **options)

    monkeypatch.setattr(training_module, "train_student", slow)
    found = run(world, seeds=(0, 1, 2), end_at=1000 + 550)
    assert found.seeds == [0]
    assert found.left == 8
    with pytest.raises(CheckFailed, match="before the students of one seed were trained"):
        run({**world, "folder": world["folder"] / "other"}, seeds=(0,), end_at=clock["now"] + 150)


def test_a_training_cut_short_by_its_own_limit_is_refused(world, monkeypatch):
    def cut(train, val, settings, folder, device, student, *, teacher=None, say=None):
        return TrainedStudent(
            folder, folder, student, "n", "detect", [], SIZE, 1, 2.0, [], "none", False, False, "deadline"
        )

    monkeypatch.setattr(training_module, "train_student", cut)
    with pytest.raises(CheckFailed, match=r"stopped after distill\.max_minutes=15, so it cannot be compared"):
        run(world, end_at=time.time() + 10_000)


def test_teachers_that_find_nothing_new_are_said(world, calls):
    with pytest.raises(BadInput, match="labelled nothing that people had not"):
        run({**world, "images": world["labelled"]})


@pytest.mark.slow
def test_a_real_comparison_from_end_to_end(world):
    settings = SETTINGS.model_copy(update={"epochs": 2, "validations": 1, "tensorboard": False})
    found = run(world, seeds=(0,), settings=settings)
    assert [row.key for row in found.rows] == ["labels", "pseudo", "feature", "logit"]
    assert {row.steps for row in found.rows} == {10}
    weights = {
        row.key: torch.load(world["folder"] / f"{row.key}-0" / "best.pt", weights_only=True)["weights"]
        for row in found.rows
    }
    first = next(name for name in weights["labels"] if name.endswith("conv.weight"))
    values = {key: one[first].double().sum().item() for key, one in weights.items()}
    assert len(set(values.values())) == 4  # each loss changed what was learnt
    assert all(math.isfinite(value) for value in values.values())


# --- speed
def test_speed_counts_parameters_bytes_and_ratios():
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8))
    speeds = compare_speed(
        {"slow": (lambda: time.sleep(0.01), [network]), "fast": (lambda: None, [])}, warmup=1, runs=5
    )
    slow, fast = speeds
    assert slow.parameters == 4 * 8 + 8 + 16
    assert slow.mib == pytest.approx((56 * 4 + 16 * 4 + 8) / 2**20)
    assert (slow.ratio, slow.runs) == (1.0, 5)
    assert slow.median_ms >= 10
    assert slow.images_per_second == pytest.approx(1000 / slow.median_ms)
    assert fast.ratio > 10
    assert "times as fast as slow" in speed_table(speeds)
