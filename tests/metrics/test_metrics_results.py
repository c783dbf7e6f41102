"""Detections to COCO results and back through the evaluation."""

import json

import numpy as np
import pytest
import supervision as sv

from nbhelpers.errors import BadInput
from nbhelpers.metrics import evaluate_coco, predict_results, to_coco_results


def detections(n=3, masks=True):
    boxes = np.array([[10 * i, 5, 10 * i + 8, 15] for i in range(n)], np.float32)
    stack = np.zeros((n, 40, 60), bool)
    for mask, (x1, y1, x2, y2) in zip(stack, boxes.astype(int), strict=True):
        mask[y1:y2, x1:x2] = True
    confidence = np.linspace(0.2, 0.9, n).astype(np.float32)
    return sv.Detections(
        boxes, mask=stack if masks else None, confidence=confidence, class_id=np.arange(n) % 2
    )


def test_results_are_json_strongest_first_and_score_one_against_themselves():
    results = to_coco_results(4, detections(), [11, 12])
    assert json.loads(json.dumps(results)) == results
    assert [item["score"] for item in results] == sorted((item["score"] for item in results), reverse=True)
    assert results[-1]["bbox"] == [0.0, 5.0, 8.0, 10.0] and results[-1]["category_id"] == 11
    truth = {
        "images": [{"id": 4, "width": 60, "height": 40}],
        "categories": [{"id": 11, "name": "a"}, {"id": 12, "name": "b"}],
        "annotations": [
            {"id": i, "image_id": 4, **{k: r[k] for k in ("category_id", "bbox", "segmentation")}}
            for i, r in enumerate(results)
        ],
    }
    for kind in ("bbox", "segm"):
        assert evaluate_coco(truth, results, kind).ap == pytest.approx(1.0)


def test_limit_and_empty_and_boxes_only():
    assert len(to_coco_results(1, detections(5), [1, 2], limit=2)) == 2
    assert to_coco_results(1, sv.Detections.empty(), [1]) == []
    assert "segmentation" not in to_coco_results(1, detections(masks=False), [1, 2])[0]


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(BadInput, match="class index 1 has no category id"):
        to_coco_results(1, detections(), [1])
    with pytest.raises(BadInput, match="need confidences"):
        to_coco_results(1, sv.Detections(np.zeros((1, 4), np.float32)), [1])


def test_a_predictor_over_images():
    images = [(1, np.zeros((40, 60, 3), np.uint8)), (2, np.zeros((40, 60, 3), np.uint8))]
    results = predict_results(lambda image: detections(2), images, [1, 2])
    assert [item["image_id"] for item in results] == [1, 1, 2, 2]
