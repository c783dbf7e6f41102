"""Answers are read strictly, and constrained decoding lets nothing else be written."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from video_models import tokenizer

from nbhelpers.data.operations import Answer, parse_answer, write_answer
from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.video import AnswerMask, answer_pattern, as_seen, clipped, parse_rate, read_answer

NAMES = ("Picking", "Close Box (again)", "Scan Label")
GOOD = '{"operation": "Picking", "start_s": 0.5, "end_s": 3.0, "next_operation": "Scan Label"}'


def test_an_answer_is_read():
    found = read_answer("a", GOOD, 4.0)
    assert found.answer == Answer("Picking", 0.5, 3.0, "Scan Label") and not found.clipped and not found.fault


@pytest.mark.parametrize("end", [" ", " I hope this helps", "}", "\n```"])
def test_text_around_an_answer_is_none(end):
    found = read_answer("a", GOOD + end, 4.0)
    assert (found.answer is None) == bool(end.strip())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"start_s": 0.5', '"start_s": "0.5"'),
        ("3.0", "0.1"),
        ("0.5", "-0.5"),
        ("3.0", "NaN"),
        ("3.0", "1e999"),
        ('"operation"', '"Operation"'),
        ("Picking", 'Picking", "operation": "Scan'),
        ('"end_s"', '"start_s"'),
    ],
)
def test_a_broken_answer_counts_as_none(old, new):
    found = read_answer("a", GOOD.replace(old, new), 4.0)
    assert found.answer is None and found.fault


def test_times_outside_the_clip_are_cut_and_counted():
    inside, rounded, outside = (read_answer("a", GOOD, seconds) for seconds in (4.0, 2.96, 2.0))
    assert inside.answer.end_s == 3.0 and rounded.answer.end_s == 2.96 and outside.answer.end_s == 2.0
    assert [one.clipped for one in (inside, rounded, outside)] == [False, False, True]
    both = read_answer("a", GOOD, 0.2)
    assert (both.answer.start_s, both.answer.end_s) == (0.2, 0.2)
    assert clipped([inside, rounded, outside, both]) == 2
    assert parse_rate([inside, read_answer("b", "no", 4.0)]) == 0.5
    with pytest.raises(BadInput):
        parse_rate([])


def test_a_change_is_seen_midway_between_two_frames():
    times = [k / 2 for k in range(8)]
    assert as_seen(Answer("a", 1.1, 2.6, "b"), times, 4.0) == Answer("a", 1.25, 2.75, "b")
    assert as_seen(Answer("a", 0.0, 4.0, "b"), times, 4.0) == Answer("a", 0.0, 4.0, "b")
    assert as_seen(Answer("a", 1.0, 1.5, "b"), times, 4.0) == Answer("a", 0.75, 1.25, "b")
    assert as_seen(Answer("a", 1.1, 1.2, "b"), times, 4.0) == Answer("a", 1.1, 1.2, "b")  # no frame shows it


def test_training_targets_are_those_the_twin_was_trained_on():
    from nbhelpers.data.operations import answer_of, draw_clip
    from nbhelpers.twins.qwen2_5_vl.batches import seen_answer

    for index in range(60):
        clip = draw_clip(11, index, "shifted")
        mine = as_seen(answer_of(clip), clip.times_s, clip.duration_s)
        assert mine == seen_answer(clip), index


@given(st.floats(0, 8), st.floats(0, 8), st.sampled_from(NAMES), st.sampled_from(NAMES))
@settings(deadline=None, max_examples=60)
def test_every_answer_within_the_clip_fits_the_pattern(start, end, name, follows):
    import re

    text = write_answer(Answer(name, min(start, end), max(start, end), follows))
    assert re.fullmatch(answer_pattern(NAMES, 8.0), text)


@pytest.mark.parametrize("duration", [0.0, -1.0, 500.0])
def test_a_clip_no_answer_fits_in_is_refused(duration):
    with pytest.raises(BadInput, match=f"a clip of {duration} s"):
        answer_pattern(NAMES, duration)


def test_a_name_json_would_escape_is_refused():
    with pytest.raises(BadInput, match="quotes or backslashes"):
        answer_pattern(('a "b"',), 4.0)


def write(patterns, seed, greedy_for=""):
    """What a model with random logits writes under constraint, token by token, as `generate` would."""
    words, rng = tokenizer(), np.random.default_rng(seed)
    wanted = words.encode(greedy_for, add_special_tokens=False)
    mask = AnswerMask(words, len(words) + 8, patterns)  # a head wider than the tokenizer, as real ones are
    ids = torch.zeros(len(patterns), 3, dtype=torch.long)
    for step in range(120):
        scores = torch.from_numpy(rng.normal(size=(len(patterns), len(words) + 8))).float()
        if step < len(wanted):
            scores[:, wanted[step]] += 50
        chosen = mask(ids, scores).argmax(dim=1, keepdim=True)
        ids = torch.cat([ids, chosen], dim=1)
        if (chosen == words.eos_token_id).all():
            break
    return words.batch_decode(ids[:, 3:], skip_special_tokens=True)


@pytest.mark.parametrize("seed", range(5))
def test_a_random_model_writes_answers_only(seed):
    durations = (4.0, 8.0, 0.3)
    for text, duration in zip(
        write([answer_pattern(NAMES, d) for d in durations], seed), durations, strict=True
    ):
        said = parse_answer(text)
        assert {said.operation, said.next_operation} <= set(NAMES)
        assert 0 <= said.start_s <= said.end_s <= duration


def test_what_the_model_would_say_stays_where_it_may():
    (text,) = write([answer_pattern(NAMES, 4.0)], 1, GOOD)
    assert text == GOOD


def test_without_names_any_name_may_be_said():
    (text,) = write([answer_pattern((), 4.0)], 2, GOOD.replace("Picking", "Repack"))
    assert parse_answer(text).operation.startswith("Repack")


def test_logits_that_are_not_finite_are_an_error():
    mask = AnswerMask(tokenizer(), len(tokenizer()), [answer_pattern(NAMES, 4.0)])
    with pytest.raises(CheckFailed, match="not finite"):
        mask(torch.zeros(1, 2, dtype=torch.long), torch.full((1, len(tokenizer())), torch.nan))
