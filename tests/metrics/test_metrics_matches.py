import numpy as np
import pytest

from nbhelpers.metrics.matches import match


def document(*annotations):
    return {
        "images": [{"id": 1, "width": 100, "height": 100}, {"id": 2, "width": 100, "height": 100}],
        "categories": [{"id": 3, "name": "box"}, {"id": 7, "name": "cone"}],
        "annotations": [
            {"id": number, "image_id": image, "category_id": category, "bbox": box, "iscrowd": crowd}
            for number, (image, category, box, crowd) in enumerate(annotations, 1)
        ],
    }


def result(image, category, box, score):
    return {"image_id": image, "category_id": category, "bbox": box, "score": score}


def test_pairs_by_falling_score_each_object_once():
    truth = document((1, 3, [0, 0, 10, 10], 0), (1, 3, [50, 50, 10, 10], 0), (2, 7, [0, 0, 20, 20], 0))
    found = match(
        truth,
        [
            result(1, 3, [0, 0, 10, 9], 0.5),  # a double of the stronger one
            result(1, 3, [0, 0, 10, 10], 0.9),
            result(1, 7, [50, 50, 10, 10], 0.8),  # the right place, another class
            result(2, 7, [0, 0, 20, 15], 0.4),
        ],
    )
    fate = dict(zip(found.number.tolist(), found.iou.tolist(), strict=True))
    assert fate == pytest.approx({0: 0.0, 1: 1.0, 2: 0.0, 3: 0.75})
    assert found.truths == {(1, 3): 2, (2, 7): 1}
    assert found.count(3) == 2 and found.count(7) == 1 and found.count(99) == 0
    assert sorted(found.score.tolist()) == [0.4, 0.5, 0.8, 0.9]


def test_a_threshold_changes_no_pair():
    rng = np.random.default_rng(4)
    boxes = np.column_stack([rng.uniform(0, 60, (40, 2)), rng.uniform(10, 30, (40, 2))]).round(1)
    truth = document(*[(1 + k % 2, 3, box.tolist(), 0) for k, box in enumerate(boxes)])
    moved = boxes + rng.normal(0, 3, boxes.shape)
    scores = rng.uniform(0, 1, 40)
    results = [
        result(1 + k % 2, 3, np.maximum(box, 1).tolist(), float(score))
        for k, (box, score) in enumerate(zip(moved, scores, strict=True))
    ]
    whole = match(truth, results)
    strong = match(truth, [one for one in results if one["score"] >= 0.5])
    assert 3 < strong.right.sum() < whole.right.sum()
    kept = whole.score >= 0.5
    assert sorted(zip(whole.score[kept], whole.iou[kept], strict=True)) == sorted(
        zip(strong.score, strong.iou, strict=True)
    )


def test_crowds_count_neither_way():
    truth = document((1, 3, [0, 0, 50, 50], 1), (1, 3, [60, 60, 10, 10], 0))
    found = match(truth, [result(1, 3, [5, 5, 10, 10], 0.9), result(1, 3, [80, 10, 10, 10], 0.8)])
    assert found.number.tolist() == [1] and not found.right.any()
    assert found.truths == {(1, 3): 1}


def test_no_results_and_no_objects():
    nothing = match(document((1, 3, [0, 0, 10, 10], 0)), [])
    assert len(nothing.score) == 0 and nothing.count(3) == 1
    invented = match(document(), [result(1, 3, [0, 0, 10, 10], 0.9)])
    assert invented.right.tolist() == [False] and invented.truths == {}


def test_masks_are_compared_where_asked():
    from nbhelpers.data.masks import mask_to_rle

    half = np.zeros((100, 100), bool)
    half[:10, :5] = True
    truth = document((1, 3, [0, 0, 10, 10], 0))
    truth["annotations"][0]["segmentation"] = [[0, 0, 10, 0, 10, 10, 0, 10]]
    given = result(1, 3, [0, 0, 10, 10], 0.9) | {"segmentation": mask_to_rle(half)}
    assert match(truth, [given], "segm", iou=0.4).iou.tolist() == pytest.approx([0.5])
    assert not match(truth, [given], "segm", iou=0.6).right.any()
