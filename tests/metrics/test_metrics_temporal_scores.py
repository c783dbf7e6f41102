"""Scores of answers: by hand, per class, with intervals over sources."""

import json
import math

import numpy as np
import pytest

from nbhelpers.artifacts import to_json
from nbhelpers.data.operations import Answer, answer_of, draw_clip
from nbhelpers.errors import BadInput
from nbhelpers.metrics.temporal import SCORES, confusion, difference, score_answers

TRUTHS = [
    Answer("Picking", 0.0, 2.0, "Close Box"),
    Answer("Picking", 1.0, 3.0, "Scan Label"),
    Answer("Close Box", 0.0, 4.0, "Picking"),
    Answer("Scan Label", 0.0, 1.0, "Picking"),
]
SAID = [
    Answer("Picking", 0.0, 2.0, "Close Box"),  # all right
    Answer("Close Box", 2.0, 4.0, "Scan Label"),  # IoU 1/3, next right
    Answer("Close Box", 0.0, 2.4, "Close Box"),  # IoU 0.6
    None,
]


def test_by_hand():
    scores = score_answers(TRUTHS, SAID, draws=50)
    assert scores.n == 4
    assert (scores.oca, scores.aa1, scores.parse_rate) == (0.5, 0.5, 0.75)
    assert (scores.r_03, scores.tiou_05, scores.r_07) == (0.75, 0.5, 0.25)
    assert scores.mean_iou == pytest.approx((1 + 1 / 3 + 0.6 + 0) / 4)
    assert scores.weighted == pytest.approx(0.3 * 0.5 + 0.3 * 0.5 + 0.4 * 0.5)


def test_per_class_by_hand():
    classes = score_answers(TRUTHS, SAID, draws=50).per_class
    assert list(classes) == ["Close Box", "Picking", "Scan Label"]
    picking = classes["Picking"]
    assert (picking.n, picking.oca, picking.aa1, picking.tiou_05) == (2, 0.5, 1.0, 0.5)
    assert picking.mean_iou == pytest.approx(2 / 3)
    assert (picking.predicted, picking.precision) == (1, 1.0)
    assert (classes["Close Box"].predicted, classes["Close Box"].precision) == (2, 0.5)
    assert (classes["Scan Label"].predicted, classes["Scan Label"].precision) == (0, None)


def test_the_weights_are_the_stated_ones():
    only = {
        "oca": Answer("a", 5.0, 6.0, "x"),
        "tiou_05": Answer("x", 0.0, 1.0, "x"),
        "aa1": Answer("x", 5.0, 6.0, "b"),
    }
    truth = Answer("a", 0.0, 1.0, "b")
    found = {name: score_answers([truth], [said], draws=2).weighted for name, said in only.items()}
    assert found == pytest.approx({"oca": 0.3, "tiou_05": 0.3, "aa1": 0.4})
    assert score_answers([truth], [truth], draws=2).weighted == pytest.approx(1.0)


def clips_of(count=200, seed=3):
    """True answers to drawn clips, and answers that are wrong in known shares."""
    truths = [answer_of(draw_clip(seed, index)) for index in range(count)]
    random = np.random.default_rng(seed)
    said = []
    for true in truths:
        shift = float(random.normal(0, 0.4))
        name = true.operation if random.random() < 0.8 else "Picking"
        start = max(true.start_s + shift, 0.0)
        answer = Answer(name, start, max(true.end_s, start), true.next_operation)
        said.append(None if random.random() < 0.05 else answer)
    return truths, said


def plain_scores(truths, said):
    """The definitions once more, in plain Python."""
    totals = dict.fromkeys(SCORES, 0.0)
    for true, one in zip(truths, said, strict=True):
        if one is None:
            continue
        shared = max(0.0, min(true.end_s, one.end_s) - max(true.start_s, one.start_s))
        union = max(true.end_s, one.end_s) - min(true.start_s, one.start_s)
        iou = shared / union if shared else 0.0
        right, after = one.operation == true.operation, one.next_operation == true.next_operation
        values = {"oca": right, "aa1": after, "mean_iou": iou, "parse_rate": 1, "r_03": iou >= 0.3}
        values |= {"tiou_05": iou >= 0.5, "r_07": iou >= 0.7}
        values["weighted"] = 0.3 * right + 0.3 * (iou >= 0.5) + 0.4 * after
        for name, value in values.items():
            totals[name] += value / len(truths)
    return totals


def test_equals_a_plain_computation_on_drawn_clips():
    truths, said = clips_of()
    scores = score_answers(truths, said, draws=10)
    assert {name: getattr(scores, name) for name in SCORES} == pytest.approx(plain_scores(truths, said))
    assert sum(row.n for row in scores.per_class.values()) == scores.n == 200
    weighted = sum(row.n * row.oca for row in scores.per_class.values()) / scores.n
    assert weighted == pytest.approx(scores.oca)


def test_a_draw_of_sources_equals_scoring_the_drawn_clips():
    truths, said = clips_of(60)
    sources = [f"video {number % 7}" for number in range(60)]
    scores = score_answers(truths, said, draws=5, sources=sources, seed=4)
    drawn = np.random.default_rng(4).multinomial(7, np.full(7, 1 / 7), size=5)
    again = []
    for counts in drawn:
        rows = [k for k in range(60) for _ in range(counts[k % 7])]
        again.append(plain_scores([truths[k] for k in rows], [said[k] for k in rows])["weighted"])
    low, high = np.quantile(again, [0.025, 0.975])
    assert scores.intervals["weighted"] == pytest.approx((low, high))


def test_alike_clips_of_a_source_widen_the_interval():
    truths = [Answer("a", 0.0, 1.0, "b")] * 100
    said = [Answer("a" if k // 10 % 2 else "x", 0.0, 1.0, "b") for k in range(100)]
    sources = [str(k // 10) for k in range(100)]
    whole = score_answers(truths, said, sources=sources)
    alone = score_answers(truths, said)
    assert (whole.resampling.unit, alone.resampling.unit) == ("sources", "clips")
    widths = [high - low for low, high in (whole.intervals["oca"], alone.intervals["oca"])]
    assert widths[0] > 2.5 * widths[1]  # 10 sources in place of 100 clips: about sqrt(10)
    assert whole.oca == alone.oca == 0.5


def test_few_sources_fall_to_clips_and_say_so():
    truths, said = clips_of(40)
    scores = score_answers(truths, said, draws=20, sources=["a", "b", "c", "d"] * 10)
    assert scores.resampling.unit == "clips"
    assert "4 sources, fewer than 5" in scores.resampling.why
    assert scores.as_dict()["intervals_over"]["unit"] == "clips"


def test_intervals_cover_as_often_as_they_say():
    random = np.random.default_rng(0)
    truth = Answer("a", 0.0, 1.0, "b")
    hits = 0
    for trial in range(200):
        said = [Answer("a" if right else "x", 0.0, 1.0, "b") for right in random.random(80) < 0.7]
        low, high = score_answers([truth] * 80, said, draws=300, seed=trial).intervals["oca"]
        hits += low <= 0.7 <= high
    assert 0.88 <= hits / 200 <= 0.99


def test_differences_are_paired():
    truths, said = clips_of(150)
    worse = [None if number % 10 == 0 else one for number, one in enumerate(said)]
    one, other = score_answers(truths, said), score_answers(truths, worse)
    gained = difference(one, other, "oca")
    assert gained.value == pytest.approx(one.oca - other.oca)
    assert 0 < gained.low < gained.value < gained.high
    assert one.intervals["oca"][0] < other.intervals["oca"][1], "each alone could not tell them apart"
    nothing = difference(one, one, "aa1")
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0)
    with pytest.raises(BadInput, match="score the same clips"):
        difference(one, score_answers(truths[:20], said[:20]), "oca")


def test_n_and_interval_stand_with_every_score_and_json_takes_all():
    truths, said = clips_of(30)
    scores = score_answers(truths, said, draws=20)
    metrics = scores.metrics("tuned_")
    assert set(metrics) == {"tuned_" + name for name in SCORES}
    assert all(one.n == 30 and one.low <= one.value <= one.high for one in metrics.values())
    again = json.loads(to_json(scores.as_dict()))
    assert again["n"] == 30 and again["per_class"] and "columns" not in again


@pytest.mark.parametrize(
    ("truths", "said", "message"),
    [
        ([], [], "no clips"),
        (TRUTHS, SAID[:3], "3 predictions for 4 clips"),
        (TRUTHS[:1], [Answer("a", math.nan, 1.0, "b")], "prediction 0: from nan"),
        (TRUTHS[:1], [Answer("a", 2.0, 1.0, "b")], "prediction 0: from 2.0 to 1.0"),
        ([Answer("a", 0.0, math.inf, "b")], [None], "truth 0: from 0.0 to inf"),
    ],
)
def test_what_cannot_be_scored_is_refused(truths, said, message):
    with pytest.raises(BadInput, match=message):
        score_answers(truths, said)


def test_draws_level_and_sources_are_checked():
    for arguments in ({"draws": 0}, {"level": 1.0}):
        with pytest.raises(BadInput, match="draws at level"):
            score_answers(TRUTHS, SAID, **arguments)
    with pytest.raises(BadInput, match="1 sources for 4 clips"):
        score_answers(TRUTHS, SAID, sources=["a"])


def test_confusion_puts_every_clip_in_one_cell():
    operations = ["Picking", "Close Box", "Scan Label"]
    said = [*SAID[:2], Answer("Juggling", 0.0, 1.0, "Picking"), None]
    counts, columns = confusion(TRUTHS, said, operations)
    assert columns == [*operations, "other name", "no answer"]
    assert counts.tolist() == [[1, 1, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]]
    with pytest.raises(BadInput, match="'Scan Label' is not known"):
        confusion(TRUTHS, said, operations[:2])
    with pytest.raises(BadInput, match="2 predictions for 4 clips"):
        confusion(TRUTHS, said[:2], operations)
