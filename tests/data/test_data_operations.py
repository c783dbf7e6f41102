"""Timelines and clips: what drawn videos hold, before a frame of them is looked at."""

from itertools import pairwise

import numpy as np
import pytest

from nbhelpers.data.operations import (
    OPERATIONS,
    PACES,
    answer_of,
    ask,
    cut_clip,
    draw_clip,
    draw_timeline,
    find_operation_world,
    parse_answer,
    told_times,
    write_answer,
)
from nbhelpers.data.operations.procedure import find_pace, transitions
from nbhelpers.errors import BadInput

WORLDS = ("base", "shifted")


def test_ids_and_names_are_those_of_openpack(shared_data):
    import csv

    with (shared_data / "openpack" / "U0209_S0500_operations.csv").open() as file:
        real = {(int(row["id"]), row["operation"]) for row in csv.DictReader(file)}
    assert {(one.id, one.name) for one in OPERATIONS} == {pair for pair in real if pair[0] != 8100}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("full", [False, True])
def test_segments_cover_the_video_without_gaps(world, full):
    pace = PACES["full" if full else "twin"]
    for index in range(30):
        timeline = draw_timeline(3, index, world, duration_s=60, pace=pace, full=full)
        ends = [0.0, *(segment.end_s for segment in timeline.segments)]
        assert [segment.start_s for segment in timeline.segments] == ends[:-1]
        assert ends[-1] == timeline.duration_s == 60
        assert all(segment.duration_s >= pace.low_s - 0.02 for segment in timeline.segments)
        inner = timeline.segments[:-2]  # the last takes what is left
        assert all(segment.duration_s <= pace.high_s + 0.02 for segment in inner)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("full", [False, True])
def test_every_operation_occurs_and_never_follows_itself(world, full):
    drawn = [draw_timeline(0, index, world, full=full) for index in range(60)]
    parameters = find_operation_world(world)
    wanted = parameters.all_operations if full else parameters.operations
    assert {segment.operation for timeline in drawn for segment in timeline.segments} == set(wanted)
    for timeline in drawn:
        names = [segment.operation.name for segment in timeline.segments]
        assert all(first != second for first, second in pairwise(names))


def test_order_follows_the_procedure_as_often_as_asked():
    cycle = [one.id for one in find_operation_world("base").operations]
    drawn = [draw_timeline(1, index, duration_s=60) for index in range(60)]
    pairs = [(a.operation.id, b.operation.id) for timeline in drawn for a, b in pairwise(timeline.segments)]
    followed = np.mean([cycle[(cycle.index(a) + 1) % len(cycle)] == b for a, b in pairs])
    assert len(pairs) > 1500 and 0.84 < followed < 0.90


def test_durations_vary_as_the_real_ones_do(shared_data):
    import pandas as pd

    table = pd.read_csv(shared_data / "openpack" / "U0209_S0500_operations.csv")
    table = table[table["id"] != 8100]
    real = (pd.to_datetime(table["end"]) - pd.to_datetime(table["start"])).dt.total_seconds()
    timeline = draw_timeline(0, 0, duration_s=3000, pace="full", full=True)
    drawn = [segment.duration_s for segment in timeline.segments]
    for share in (0.1, 0.5, 0.9):
        assert np.quantile(drawn, share) == pytest.approx(real.quantile(share), rel=0.35)
    assert min(drawn) >= 1.59 and max(drawn) <= 26.01


def test_transitions_are_probabilities():
    table = transitions(8, 0.87)
    assert table.sum(axis=1) == pytest.approx(np.ones(8)) and (table.diagonal() == 0).all()
    assert table[7, 0] == pytest.approx(0.87)


def test_a_timeline_depends_on_seed_index_and_world_alone():
    first = draw_timeline(4, 2, "base")
    assert first == draw_timeline(4, 2, "base")
    assert first.segments != draw_timeline(4, 3, "base").segments
    assert first.segments != draw_timeline(5, 2, "base").segments


def test_position_finds_the_segment():
    timeline = draw_timeline(0, 0)
    for place, segment in enumerate(timeline.segments):
        assert timeline.position(segment.start_s) == place
        assert timeline.position((segment.start_s + segment.end_s) / 2) == place
    assert timeline.position(-1) == 0
    assert timeline.position(1e9) == len(timeline.segments) - 1


def test_shifted_world_has_a_renamed_and_a_new_operation():
    base, shifted = (find_operation_world(name).operations for name in WORLDS)
    renamed = {one.id for one in base} & {one.id for one in shifted if one not in base}
    assert renamed == {500}
    assert {one.id for one in shifted} - {one.id for one in base} == {1000}


def test_clip_asks_for_the_operation_under_way_in_the_middle():
    for index in range(100):
        clip = draw_clip(9, index)
        middle, end_s = clip.offset_s + clip.duration_s / 2, clip.offset_s + clip.duration_s
        (place,) = (k for k, one in enumerate(clip.timeline.segments) if one.start_s <= middle < one.end_s)
        asked, after = clip.timeline.segments[place : place + 2]
        assert (clip.operation, clip.next_operation) == (asked.operation, after.operation)
        assert clip.start_s == pytest.approx(max(asked.start_s - clip.offset_s, 0), abs=0.006)
        assert clip.end_s == pytest.approx(min(asked.end_s, end_s) - clip.offset_s, abs=0.006)
        assert 0 <= clip.start_s < clip.duration_s / 2 < clip.end_s <= clip.duration_s
        shown = {clip.timeline.position(clip.offset_s + time) for time in clip.times_s}
        assert place in shown and clip.next_visible == (place + 1 in shown)


def test_no_clip_where_operations_change_at_its_middle_or_the_next_one_is_unknown():
    timeline = draw_timeline(0, 0)
    change, last = timeline.segments[3].start_s, timeline.segments[-1]
    assert cut_clip(timeline, change - 2.0, 0.5) is None
    assert cut_clip(timeline, change - 2.2, 0.5) is not None
    assert last.start_s < timeline.duration_s - 0.5
    assert cut_clip(timeline, timeline.duration_s - 1.0, 0.25 / 2) is None


def test_clips_are_equal_again_and_neither_place_nor_order_gives_the_answer():
    clips = [draw_clip(2, index) for index in range(400)]
    assert clips[7] == draw_clip(2, 7)
    names = [clip.operation.name for clip in clips]
    assert max(names.count(name) for name in names) / 400 < 0.2
    half = [
        min(clip.end_s, 0.7 * clip.duration_s) - max(clip.start_s, 0.3 * clip.duration_s)
        >= 0.5 * (max(clip.end_s, 0.7 * clip.duration_s) - min(clip.start_s, 0.3 * clip.duration_s))
        for clip in clips
    ]
    assert np.mean(half) < 0.68
    assert 0.7 < np.mean([clip.next_visible for clip in clips]) < 0.92


@pytest.mark.parametrize("spacing", [0.5, 1.0])
def test_told_times_are_the_true_times(spacing):
    clip = next(one for index in range(50) if (one := draw_clip(3, index)).spacing_s == spacing)
    told = told_times(ask(clip.times_s, clip.duration_s))
    assert told == clip.times_s == tuple(number * spacing for number in range(8))


def test_a_time_that_would_be_told_wrong_is_refused():
    with pytest.raises(BadInput, match=r"0\.25 s: the question tells tenths"):
        ask([0.0, 0.25], 2.0)
    with pytest.raises(BadInput, match="does not begin"):
        told_times("What is this?")


def test_answers_survive_writing_and_reading():
    for index in range(30):
        true = answer_of(draw_clip(1, index, "shifted"))
        read = parse_answer(write_answer(true))
        assert (read.operation, read.next_operation) == (true.operation, true.next_operation)
        assert abs(read.start_s - true.start_s) <= 0.051 and abs(read.end_s - true.end_s) <= 0.051


GOOD = '{"operation": "Picking", "start_s": 0.5, "end_s": 2, "next_operation": "Close Box"}'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not JSON"),
        (GOOD + " ok", "is not JSON"),
        (GOOD[:-1], "is not JSON"),
        (f"[{GOOD}]", "must be an object"),
        (GOOD.replace('"end_s": 2, ', ""), "must be an object"),
        (GOOD.replace("}", ', "why": 1}'), "must be an object"),
        (GOOD.replace("}", ', "end_s": 3}'), "a key occurs twice"),
        (GOOD.replace('"Picking"', "100"), "must be a name"),
        (GOOD.replace("0.5", '"0.5"'), "must be a number"),
        (GOOD.replace("0.5", "true"), "must be a number"),
        (GOOD.replace("0.5", "NaN"), "must lie between"),
        (GOOD.replace("0.5", "-1"), "must lie between"),
        (GOOD.replace("0.5", "3"), "must lie between"),
    ],
)
def test_an_answer_is_read_strictly(text, reason):
    assert parse_answer(GOOD).end_s == 2.0
    with pytest.raises(BadInput, match=reason):
        parse_answer(text)


@pytest.mark.parametrize(
    "call",
    [
        lambda: draw_timeline(-1, 0),
        lambda: draw_timeline(0, 0, duration_s=0.1),
        lambda: draw_timeline(0, 0, "mars"),
        lambda: find_pace("slow"),
        lambda: transitions(2),
        lambda: cut_clip(draw_timeline(0, 0), 11.0, 0.5),
    ],
)
def test_bad_input_is_named(call):
    with pytest.raises(BadInput):
        call()
