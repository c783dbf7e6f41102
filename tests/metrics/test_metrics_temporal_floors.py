"""Floors and leak tests: what is guessed, from what, and when a model counts as better."""

import csv
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from nbhelpers.data.operations import Answer, answer_of, draw_clip
from nbhelpers.errors import BadInput
from nbhelpers.metrics.temporal import (
    VIEWS,
    above_floors,
    find_view,
    floors,
    grey_frames,
    leak_checks,
    learn_floors,
    one_frame,
    procedure_share,
    score_answers,
    tiou,
)


def clip(operation, following, start=0.0, end=1.0):
    return Answer(operation, start, end, following)


TRAIN = [clip("a", "b"), clip("a", "b"), clip("a", "c"), clip("b", "c"), clip("c", "a"), clip("b", "b")]


def test_learned_by_counting():
    learned = learn_floors(TRAIN, [2.0] * 6)
    assert (learned.operation, learned.next_operation) == ("a", "b")
    assert {name: learned.follower(name) for name in "abcz"} == {"a": "b", "b": "c", "c": "a", "z": "b"}
    assert learned.segment[0] <= 0.05 and 0.25 <= learned.segment[1] <= 1.0
    assert tiou(learned.seconds(2.0), (0.0, 1.0)) >= 0.5


def test_the_segment_suits_most_clips():
    random = np.random.default_rng(1)
    lengths = random.choice([4.0, 8.0], 150)
    starts = random.uniform(0, 0.5, 150)
    truths = [
        clip("a", "b", start * length, (start + width) * length)
        for start, width, length in zip(starts, random.uniform(0.2, 0.47, 150), lengths, strict=True)
    ]
    learned = learn_floors(truths, lengths.tolist())

    def share(segment):
        pairs = zip(truths, lengths, strict=True)
        return np.mean(
            [
                tiou((segment[0] * length, segment[1] * length), (one.start_s, one.end_s)) >= 0.5
                for one, length in pairs
            ]
        )

    grid = np.linspace(0, 1, 21)
    best = max(share((start, end)) for start in grid for end in grid if end > start)
    assert share(learned.segment) == pytest.approx(best)


def test_each_floor_by_hand():
    test = [clip("a", "b"), clip("b", "c"), clip("c", "c"), clip("b", "a")]
    found = floors(TRAIN, test, ["a", "b", "c", None], draws=10)
    assert set(found) == {"majority", "bigram", "copy_last"}
    assert (found["majority"].oca, found["majority"].aa1) == (0.25, 0.25)
    assert (found["bigram"].aa1, found["copy_last"].aa1) == (0.5, 0.25)
    assert found["bigram"].parse_rate == 0.75
    assert all(one.n == 4 for one in found.values())


def test_the_bigram_follows_the_predicted_operation_not_the_true_one():
    test = [clip("a", "b")] * 20
    right = floors(TRAIN, test, ["a"] * 20, draws=5)
    wrong = floors(TRAIN, test, ["c"] * 20, draws=5)
    assert (right["bigram"].aa1, wrong["bigram"].aa1) == (1.0, 0.0)
    assert procedure_share(learn_floors(TRAIN, [2.0] * 6), test).value == 1.0, (
        "given the true operation the procedure tells it"
    )


def test_nothing_is_learned_from_the_test_part():
    drawn = [draw_clip(9, index) for index in range(120)]
    truths, lengths = [answer_of(one) for one in drawn], [one.duration_s for one in drawn]
    told = {"train_durations_s": lengths[:80], "test_durations_s": lengths[80:], "draws": 5}
    plain = floors(truths[:80], truths[80:], ["Picking"] * 40, **told)
    renamed = [replace(one, next_operation="x") for one in truths[80:]]
    other = floors(truths[:80], renamed, ["Picking"] * 40, **told)
    assert plain["majority"].tiou_05 == other["majority"].tiou_05
    assert all(one.aa1 == 0 for one in other.values())


def test_durations_scale_the_segment():
    train = [clip("a", "b", 0.0, 4.0)] * 5
    test = [clip("a", "b", 0.0, 8.0)] * 3
    short = floors(train, test, ["a"] * 3, draws=5)
    scaled = floors(train, test, ["a"] * 3, train_durations_s=[4.0] * 5, test_durations_s=[8.0] * 3, draws=5)
    assert short["majority"].mean_iou <= 0.5
    assert scaled["majority"].mean_iou >= 0.5 > short["majority"].mean_iou


@pytest.mark.parametrize(
    ("train", "test", "said", "lengths", "message"),
    [
        ([], TRAIN, ["a"] * 6, None, "at least one clip"),
        (TRAIN, TRAIN, ["a"] * 5, None, "6 test clips and 5 predicted"),
        (TRAIN, TRAIN, ["a"] * 6, [1.0] * 5, "6 clips and 5 durations"),
        (TRAIN, TRAIN, ["a"] * 6, [0.0] * 6, "a duration above 0"),
    ],
)
def test_what_floors_cannot_use_is_refused(train, test, said, lengths, message):
    with pytest.raises(BadInput, match=message):
        floors(train, test, said, train_durations_s=lengths)


def test_a_real_session_follows_its_procedure(shared_data):
    with (shared_data / "openpack" / "U0209_S0500_operations.csv").open() as file:
        rows = [row["operation"] for row in csv.DictReader(file)]
    pairs = [clip(now, after) for now, after in pairwise(rows)]
    half = len(pairs) // 2
    found = procedure_share(learn_floors(pairs[:half], [1.0] * half), pairs[half:])
    assert (round(found.value * found.n), found.n) == (93, 96), "what is known of this session"
    known = floors(pairs[:half], pairs[half:], [pair.operation for pair in pairs[half:]], draws=20)
    assert known["bigram"].aa1 == pytest.approx(93 / 96)
    assert known["copy_last"].aa1 < 0.05
    assert known["majority"].aa1 < 0.25


def scored(truths, right):
    """Answers of which the first `right` are the truth and the others wrong in everything."""
    said = [one if number < right else clip("no", "no", 3.0, 4.0) for number, one in enumerate(truths)]
    return score_answers(truths, said)


def test_above_floors_takes_the_interval_of_the_difference():
    truths = [clip(*pair) for pair in (("a", "b"), ("b", "c"), ("c", "a")) * 40]
    floor = {"majority": scored(truths, 40)}
    names = [f"{name}_above_majority" for name in ("oca", "tiou_05", "aa1")]
    clear = above_floors(scored(truths, 60), floor)
    assert [one.name for one in clear] == names and all(one.ok for one in clear)
    assert not any(one.ok for one in above_floors(scored(truths, 41), floor)), "one clip more is no proof"
    assert not any(one.ok for one in above_floors(scored(truths, 20), floor))
    only = above_floors(scored(truths, 60), {"bigram": floor["majority"], "copy_last": floor["majority"]})
    assert [one.name for one in only] == ["aa1_above_bigram", "aa1_above_copy_last"]
    with pytest.raises(BadInput, match="floor 'best' is not known"):
        above_floors(scored(truths, 60), {"best": floor["majority"]})


def test_a_text_that_gives_the_answer_away_is_found():
    truths = [clip(*pair) for pair in (("a", "b"), ("b", "c"), ("c", "a")) * 40]
    whole, majority = scored(truths, 100), scored(truths, 40)
    honest = leak_checks(whole, majority, text_only=scored(truths, 38), single_frame=scored(truths, 70))
    assert len(honest) == 6 and all(one.ok for one in honest)
    leaking = {one.name: one.ok for one in leak_checks(whole, majority, text_only=scored(truths, 80))}
    assert not leaking["text_only_oca_not_above_majority"]
    assert leaking["weighted_above_text_only"]
    still = {one.name: one.ok for one in leak_checks(whole, majority, single_frame=whole)}
    assert still == {"tiou_05_above_single_frame": False, "weighted_above_single_frame": False}
    assert leak_checks(whole, majority) == ()


def test_views_keep_the_shape_and_take_the_picture_or_the_motion_away():
    frames = draw_clip(1, 1).pixels(32)
    before = frames.copy()
    for name in VIEWS:
        seen = find_view(name)(frames)
        assert seen.shape == frames.shape and seen.dtype == np.uint8
    assert np.unique(grey_frames(frames)).tolist() == [128]
    assert all(np.array_equal(one, frames[4]) for one in one_frame(frames))
    assert len(np.unique(frames.reshape(8, -1), axis=0)) > 1
    assert np.array_equal(frames, before) and np.array_equal(find_view("as_is")(frames), frames)
    with pytest.raises(BadInput, match="view 'blurred' is not known; known views: as_is, grey_frames"):
        find_view("blurred")
