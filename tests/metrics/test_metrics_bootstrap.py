"""The bootstrap interval: it starts from COCO's number and resamples as evaluating anew would."""

import numpy as np
import pytest

from nbhelpers.metrics import ap_interval, evaluate_coco
from nbhelpers.metrics.bootstrap import _matches, _weighted_ap
from nbhelpers.metrics.documents import read_ground_truth, read_predictions


def files(shared_data, kind="bbox"):
    folder = shared_data / "coco" / "eval_reference"
    return folder / "instances_val2014_100.json", folder / f"instances_val2014_fake{kind}100_results.json"


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_its_value_is_cocos(shared_data, kind):
    scores = evaluate_coco(*files(shared_data, kind), kind)
    at_50 = ap_interval(*files(shared_data, kind), kind, draws=20)
    assert at_50.value == pytest.approx(scores.ap50)
    assert ap_interval(*files(shared_data, kind), kind, iou=None, draws=2).value == pytest.approx(scores.ap)
    assert at_50.low < at_50.high and at_50.n_images == 100


def test_seeded_and_wider_for_a_higher_level(shared_data):
    one, again = (ap_interval(*files(shared_data), draws=50, seed=3) for _ in range(2))
    assert one == again
    other = ap_interval(*files(shared_data), draws=50, seed=4)
    assert (other.low, other.high) != (one.low, one.high)
    narrow = ap_interval(*files(shared_data), draws=50, seed=3, level=0.5)
    assert one.low <= narrow.low <= narrow.high <= one.high


def test_a_draw_equals_evaluating_the_drawn_images(shared_data):
    truth = read_ground_truth(files(shared_data)[0], "bbox")
    results = read_predictions(files(shared_data)[1], truth, "bbox")
    # Within equal scores the order decides, and repeated images interleave: make every score its own.
    results = [item | {"score": item["score"] + 1e-9 * number} for number, item in enumerate(results)]
    matches = list(_matches(truth, results, "bbox", np.array([0.5])))
    order = sorted(image["id"] for image in truth["images"])
    draws = np.random.default_rng(0).multinomial(len(order), np.full(len(order), 1 / len(order)), size=3)
    for counts, value in zip(draws, _weighted_ap(matches, draws.astype(float)), strict=True):
        assert evaluate_coco(*_repeated(truth, results, order, counts)).ap50 == pytest.approx(value, abs=1e-9)


def _repeated(truth, results, order, counts):
    """The set with each image as often as it was drawn, under ids that keep the order."""
    images, annotations, answers = [], [], []
    for image_id, count in zip(order, counts, strict=True):
        for _ in range(count):
            new = len(images) + 1
            images.append(next(i for i in truth["images"] if i["id"] == image_id) | {"id": new})
            annotations += [a | {"image_id": new} for a in truth["annotations"] if a["image_id"] == image_id]
            answers += [r | {"image_id": new} for r in results if r["image_id"] == image_id]
    return truth | {"images": images, "annotations": annotations}, answers


def test_one_image_has_no_width():
    truth = {
        "images": [{"id": 1, "width": 50, "height": 50}],
        "categories": [{"id": 1, "name": "a"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 5, 20, 20], "area": 400}],
    }
    answer = {"image_id": 1, "category_id": 1, "bbox": [5, 5, 20, 20], "score": 0.5}
    interval = ap_interval(truth, [answer], draws=10)
    assert interval.low == interval.high == interval.value == pytest.approx(1.0)
