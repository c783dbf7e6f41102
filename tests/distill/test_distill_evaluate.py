"""Scoring a predictor on a set: perfect answers, class-agnostic answers, foreign classes."""

from types import SimpleNamespace

import numpy as np
import pytest

from nbhelpers.distill import evaluate_student, load_student, run_on_set
from nbhelpers.errors import BadInput


def oracle(coco, class_names, task="segment"):
    """Answers with the annotations themselves."""
    by_pixels = {coco.image(i).tobytes(): coco.detections(i) for i in coco.image_ids}

    def predict(image, confidence=0.25, iou=0.7, **options):
        found = by_pixels[image.tobytes()]
        found.confidence = np.ones(len(found), np.float32)
        if class_names == ["object"]:
            found.class_id = np.zeros(len(found), int)
        return found

    return SimpleNamespace(class_names=class_names, task=task, predict=predict)


@pytest.mark.parametrize("names", [["disc", "block"], ["object"]])
def test_the_annotations_score_one(shapes, names):
    scores = evaluate_student(oracle(shapes[0], names), shapes[0])
    assert list(scores) == ["bbox", "segm"]
    assert scores["bbox"].ap == pytest.approx(1.0) and scores["segm"].ap50 == pytest.approx(1.0)
    assert list(scores["bbox"].per_class) == names


def test_a_box_student_is_scored_by_boxes(shapes):
    assert list(evaluate_student(oracle(shapes[0], ["disc", "block"], "detect"), shapes[0])) == ["bbox"]


def test_foreign_classes_are_refused(shapes):
    with pytest.raises(BadInput, match="has no category 'cat' that the model knows; it has disc, block"):
        evaluate_student(oracle(shapes[0], ["cat"]), shapes[0])


@pytest.mark.slow
def test_a_trained_student_and_its_interval(trained, shapes):
    answers = run_on_set(load_student(trained[0].best), shapes[1])
    scores, intervals = answers.scores(), answers.intervals(draws=50)
    assert scores["segm"].ap50 > 0.7
    assert intervals["segm"].value == pytest.approx(scores["segm"].ap50)
    assert intervals["segm"].low <= scores["segm"].ap50
