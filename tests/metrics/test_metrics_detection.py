"""COCO scores: the published numbers, known answers, and inputs that must be refused."""

import copy

import numpy as np
import pytest

from nbhelpers.errors import BadInput
from nbhelpers.metrics import evaluate_coco

PUBLISHED = {
    "bbox": [0.505, 0.697, 0.573, 0.586, 0.519, 0.501, 0.387, 0.594, 0.595, 0.640, 0.566, 0.564],
    "segm": [0.320, 0.562, 0.299, 0.387, 0.310, 0.327, 0.268, 0.415, 0.417, 0.469, 0.377, 0.381],
}


def published(shared_data, kind):
    folder = shared_data / "coco" / "eval_reference"
    return folder / "instances_val2014_100.json", folder / f"instances_val2014_fake{kind}100_results.json"


@pytest.mark.parametrize("backend", ["pycocotools", "faster"])
@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_the_published_twelve_numbers(shared_data, kind, backend, capfd):
    scores = evaluate_coco(*published(shared_data, kind), kind, backend=backend)
    assert [round(value, 3) for value in scores.stats] == PUBLISHED[kind]
    assert scores.n_images == 100
    assert scores.ap == scores.named()["AP"] and scores.ap50 == scores.named()["AP50"]
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_both_backends_count_alike(shared_data, kind):
    plain, faster = (
        evaluate_coco(*published(shared_data, kind), kind, name) for name in ("pycocotools", "faster")
    )
    np.testing.assert_allclose(plain.stats, faster.stats, atol=1e-9)
    assert plain.per_class.keys() == faster.per_class.keys()
    for name, row in plain.per_class.items():
        assert row["n"] == faster.per_class[name]["n"]
        assert row["ap"] == pytest.approx(faster.per_class[name]["ap"])
    for name, curve in plain.curves.items():
        np.testing.assert_allclose(curve.precision, faster.curves[name].precision, atol=1e-9)


def test_class_scores_average_to_the_whole(shared_data):
    scores = evaluate_coco(*published(shared_data, "bbox"), "bbox")
    known = [row for row in scores.per_class.values() if row["ap"] is not None]
    assert np.mean([row["ap"] for row in known]) == pytest.approx(scores.ap)
    assert np.mean([row["ap50"] for row in known]) == pytest.approx(scores.ap50)
    assert np.mean([np.mean(curve.precision) for curve in scores.curves.values()]) == pytest.approx(
        scores.ap50
    )
    assert sum(row["n"] for row in scores.per_class.values()) == scores.n_annotations


def truth():
    return {
        "images": [{"id": 1, "width": 100, "height": 80}, {"id": 2, "width": 100, "height": 80}],
        "categories": [{"id": 3, "name": "cup"}, {"id": 7, "name": "fork"}],
        "annotations": [
            {"id": 0, "image_id": 1, "category_id": 3, "bbox": [10, 10, 40, 40], "area": 1600, "iscrowd": 0,
             "segmentation": [[10, 10, 50, 10, 50, 50, 10, 50]]},
            {"id": 5, "image_id": 2, "category_id": 3, "bbox": [20, 20, 40, 40], "area": 1600,
             "segmentation": [[20, 20, 60, 20, 60, 60, 20, 60]]},
        ],
    }  # fmt: skip


def result(image_id=1, box=(10, 10, 40, 40), score=0.9, category_id=3, **more):
    return {"image_id": image_id, "category_id": category_id, "bbox": list(box), "score": score, **more}


def test_perfect_answers_score_one_also_for_annotation_id_zero():
    scores = evaluate_coco(truth(), [result(), result(2, (20, 20, 40, 40))])
    assert scores.ap == pytest.approx(1.0) and scores.ap50 == pytest.approx(1.0)
    assert scores.per_class["cup"] == {"ap": pytest.approx(1.0), "ap50": pytest.approx(1.0), "n": 2}
    assert scores.per_class["fork"] == {"ap": None, "ap50": None, "n": 0}
    assert list(scores.curves) == ["cup"]


def test_half_found_scores_half():
    # One of two found with precision 1: recall levels 0..0.50 are 51 of 101.
    assert evaluate_coco(truth(), [result()]).ap50 == pytest.approx(51 / 101)


@pytest.mark.parametrize("backend", ["pycocotools", "faster"])
def test_no_answers_score_zero(backend):
    scores = evaluate_coco(truth(), [], backend=backend)
    assert scores.ap == 0.0 and scores.per_class["cup"]["ap50"] == 0.0


def test_the_documents_given_are_left_as_they_were():
    document, results = truth(), [result()]
    before = copy.deepcopy((document, results))
    evaluate_coco(document, results)
    assert (document, results) == before


def test_masks_as_polygons_and_both_kinds_of_rle():
    from pycocotools import mask as coco_mask

    drawn = np.zeros((80, 100), np.uint8)
    drawn[10:50, 10:50] = 1
    packed = coco_mask.encode(np.asfortranarray(drawn))
    text = {"size": [80, 100], "counts": packed["counts"].decode()}
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[2], drawn.T.ravel(), [2]]))))
    plain = {"size": [80, 100], "counts": [int(n) for n in runs]}
    for form in ([[10, 10, 50, 10, 50, 50, 10, 50]], text, plain):
        answer = {"image_id": 1, "category_id": 3, "score": 0.5, "segmentation": form}
        assert evaluate_coco(truth(), [answer], "segm").ap50 == pytest.approx(51 / 101)


def test_missing_area_and_box_are_measured():
    document = truth()
    for item in document["annotations"]:
        del item["area"], item["bbox"]
    assert evaluate_coco(document, [result(), result(2, (20, 20, 40, 40))]).ap == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (result(image_id=9), "item 1: image_id 9 is not in the ground truth; known ids: 1, 2"),
        (result(category_id=4), "item 1: category_id 4 is not in the ground truth; known ids: 3, 7"),
        ({k: v for k, v in result().items() if k != "score"}, "item 1: score None"),
        (result(score=float("nan")), "item 1: score nan"),
        (result(score="0.9"), "item 1: score '0.9'"),
        (result(score=True), "item 1: score True"),
        (result(box=(1, 2, 3)), "item 1: bbox .1, 2, 3. is not four finite numbers"),
        (result(box=(1, 2, float("inf"), 3)), "item 1: bbox"),
        (result(box=(1, 2, -3, 3)), "negative side"),
        ("text", "item 1: is str"),
    ],
)
def test_bad_predictions_are_named(bad, words):
    with pytest.raises(BadInput, match=words):
        evaluate_coco(truth(), [result(), bad])


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (result(), "item 0: has no segmentation"),
        (result(segmentation={"size": [8, 10], "counts": "a"}), "size .8, 10. is not the image's .80, 100."),
    ],
)
def test_bad_masks_are_named(bad, words):
    with pytest.raises(BadInput, match=words):
        evaluate_coco(truth(), [bad], "segm")


def test_bad_ground_truth_is_named(tmp_path):
    broken = truth()
    broken["annotations"][1]["category_id"] = 99
    with pytest.raises(BadInput, match="annotation 5: category_id 99"):
        evaluate_coco(broken, [])
    with pytest.raises(BadInput, match="no COCO document"):
        evaluate_coco({"images": []}, [])
    with pytest.raises(BadInput, match="no such file"):
        evaluate_coco(tmp_path / "none.json", [])
    with pytest.raises(BadInput, match="kind 'mask' is not known; known kinds: bbox, segm"):
        evaluate_coco(truth(), [], "mask")
    boxes_only = truth()
    del boxes_only["annotations"][0]["segmentation"]
    with pytest.raises(BadInput, match="annotation 0: has no segmentation; evaluate with kind bbox"):
        evaluate_coco(boxes_only, [], "segm")
