"""Temporal IoU: cases by hand, ActivityNet's formula, and a second computation that counts time."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbhelpers.errors import BadInput
from nbhelpers.metrics.temporal import reaches, tiou, tiou_matrix, tiou_pairs


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 2), (1, 3), 1 / 3),
        ((0, 4), (1, 3), 0.5),  # one within the other
        ((1, 2), (1, 2), 1.0),
        ((0, 1), (2, 3), 0.0),  # apart
        ((0, 1), (1, 2), 0.0),  # touching
        ((1, 1), (0, 2), 0.0),  # no length within a segment
        ((1, 1), (1, 1), 0.0),  # no length, the same instant: 0/0
        ((1, 1), (3, 3), 0.0),
        ((-2, 1), (-1, 4), 1 / 3),
    ],
)
def test_by_hand(first, second, expected):
    assert tiou(first, second) == pytest.approx(expected, abs=1e-12)
    assert tiou(second, first) == tiou(first, second)


def activitynet(target, candidates):
    """The formula of the benchmark's evaluation, one candidate after the other, in plain numbers."""
    found = []
    for start, end in candidates:
        shared = min(target[1], end) - max(target[0], start)
        shared = shared if shared > 0 else 0.0
        union = (end - start) + (target[1] - target[0]) - shared
        found.append(shared / union if union else float("nan"))
    return found


def counted(first, second):
    """A second way: hundredths of a second that both, or either, cover."""
    ours, theirs = (set(range(round(start * 100), round(end * 100))) for start, end in (first, second))
    return len(ours & theirs) / len(ours | theirs) if ours | theirs else 0.0


times = st.integers(0, 600).map(lambda value: value / 100)
segments = st.tuples(times, times).map(lambda pair: (min(pair), max(pair)))


@given(segments, st.lists(segments, min_size=1, max_size=6))
def test_equals_activitynet_and_counting(target, candidates):
    ours = tiou_matrix(np.array([target]), np.array(candidates))[0]
    assert ours == pytest.approx(np.nan_to_num(activitynet(target, candidates)), abs=1e-12)
    assert ours == pytest.approx([counted(target, one) for one in candidates], abs=1e-9)
    assert ((ours >= 0) & (ours <= 1 + 1e-12)).all()


def test_pairs_are_the_diagonal_of_the_matrix():
    random = np.random.default_rng(0)
    first, second = (np.sort(random.uniform(0, 9, (50, 2)), axis=1) for _ in range(2))
    assert np.array_equal(np.diag(tiou_matrix(first, second)), tiou_pairs(first, second))


def test_zero_lengths_divide_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tiou_matrix(np.zeros((2, 2)), np.ones((3, 2))).tolist() == [[0.0] * 3] * 2


def test_a_tie_of_halves_counts_whatever_the_last_bit_says():
    overlap = np.array([tiou((0.1, 0.3), (0.1, 0.5))])  # 0.2 of 0.4 s; binary makes it a little less
    assert overlap[0] < 0.5
    assert reaches(overlap, 0.5).all()
    assert not reaches(np.array([0.4999]), 0.5).any()


@pytest.mark.parametrize(
    "bad", [(float("nan"), 1.0), (0.0, float("nan")), (0.0, float("inf")), (2.0, 1.0)], ids=str
)
def test_what_is_no_segment_is_refused(bad):
    for pair in ((bad, (0.0, 1.0)), ((0.0, 1.0), bad)):
        with pytest.raises(BadInput, match="times must be finite, the end not before the start"):
            tiou(*pair)


def test_shapes_are_checked():
    with pytest.raises(BadInput, match=r"shape \(3,\)"):
        tiou_matrix(np.zeros(3), np.zeros((1, 2)))
    with pytest.raises(BadInput, match="2 segments against 1"):
        tiou_pairs(np.zeros((2, 2)), np.zeros((1, 2)))
