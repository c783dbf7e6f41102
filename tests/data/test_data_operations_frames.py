"""Frames of drawn videos: same bytes again, any order, what differs between times, operations and worlds."""

import time
from dataclasses import replace

import numpy as np
import pytest

from nbhelpers.data.operations import OPERATIONS, Segment, draw_timeline, find_operation_world, render_frames
from nbhelpers.data.operations.actions import ACTIONS, Box, History, Moment
from nbhelpers.data.operations.camera import Camera
from nbhelpers.data.operations.look import draw_look, rgb, shade
from nbhelpers.data.operations.render import Scene
from nbhelpers.errors import BadInput


def plain(world="base"):
    """A world without noise, light, passers or posts, so that only what is done makes a difference."""
    return replace(
        find_operation_world(world),
        gain=(1.0, 1.0),
        cast=0.0,
        vignette=(0.0, 0.0),
        noise=(0.0, 0.0),
        blocked=0.0,
    )


@pytest.mark.parametrize("world", ["base", "shifted"])
def test_frames_are_the_same_again_and_in_any_order(world):
    timeline = draw_timeline(1, 5, world)
    times = [0.0, 1.3, 2.6, 7.7, 12.0]
    frames = render_frames(timeline, times)
    assert frames.shape == (5, 84, 84, 3) and frames.dtype == np.uint8
    assert (frames == render_frames(timeline, times)).all()
    assert (frames[::-1] == render_frames(timeline, times[::-1])).all()
    assert (frames[3] == render_frames(timeline, [7.7])[0]).all()
    assert (frames[3] == render_frames(draw_timeline(1, 5, world), [7.7])[0]).all()


def test_frames_differ_between_times_videos_and_seeds():
    frames = render_frames(draw_timeline(1, 5), [1.0, 5.0])
    assert (frames[0] != frames[1]).any()
    for other in (draw_timeline(1, 6), draw_timeline(2, 5), draw_timeline(1, 5, "shifted")):
        difference = np.abs(render_frames(other, [1.0])[0].astype(int) - frames[0])
        assert difference.mean() > 5


def test_sizes_show_the_same_picture():
    import cv2

    timeline = draw_timeline(0, 3, plain())
    small, large = render_frames(timeline, [2.0], 84)[0], render_frames(timeline, [2.0], 336)[0]
    shrunk = cv2.resize(large, (84, 84), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(int) - small).mean() < 4


def test_shifted_world_is_darker_and_mirrored():
    base = np.mean([render_frames(draw_timeline(0, k), [3.0]).mean() for k in range(40)])
    shifted = np.mean([render_frames(draw_timeline(0, k, "shifted"), [3.0]).mean() for k in range(40)])
    assert shifted < 0.7 * base
    timeline = draw_timeline(0, 1, plain())
    turned = replace(timeline, world=replace(timeline.world, mirror=True))
    assert (render_frames(turned, [1.0])[:, :, ::-1] == render_frames(timeline, [1.0])).all()


def test_brightness_and_background_of_the_base_world_vary_widely():
    frames = [render_frames(draw_timeline(0, k), [0.0])[0] for k in range(60)]
    low, high = np.quantile([frame.mean() for frame in frames], [0.1, 0.9])
    assert high > 1.7 * low
    assert {draw_look(draw_timeline(0, k)).wall for k in range(60)} == set(find_operation_world("base").walls)
    assert any(draw_look(draw_timeline(0, k)).post for k in range(60))
    assert any(draw_look(draw_timeline(0, k)).passers for k in range(60))
    assert len({round(draw_look(draw_timeline(0, k)).camera.yaw_deg) for k in range(60)}) > 20


def acted(operation, share=0.5):
    """The same video with one operation all the way, at a share of it."""
    timeline = draw_timeline(0, 2, plain())
    alone = replace(timeline, segments=(Segment(operation, 0.0, 4.0),))
    return render_frames(alone, [4.0 * share])[0].astype(int)


def test_each_pair_of_operations_looks_different():
    pictures = {one.name: [acted(one, share) for share in (0.25, 0.5, 0.75)] for one in OPERATIONS}
    for first, ours in pictures.items():
        for second, theirs in pictures.items():
            if first < second:
                nearest = min((np.abs(a - b).max(axis=2) > 40).sum() for a in ours for b in theirs)
                assert nearest >= 20, (first, second)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_something_moves_during_each_operation(operation):
    assert (np.abs(acted(operation, 0.3) - acted(operation, 0.6)).max(axis=2) > 25).sum() > 8


@pytest.mark.parametrize("number", ACTIONS)
def test_hands_stay_within_reach(number):
    box = Box((0.0, 0.34, 0.0), (0.5, 0.36, 0.28))
    for part in np.linspace(0, 1, 21):
        pose = ACTIONS[number](Moment(float(part), 4 * float(part), box))
        for hand in (pose.left, pose.right):
            shoulder = np.array([pose.shift, 0.8, 0.45])
            assert np.linalg.norm(np.array(hand) - shoulder) < 1.0


def test_labels_stay_on_the_box_until_the_next_one():
    history = History()
    states = [history.enter(number) for number in (400, 600, 700, 800, 900, 100, 400)]
    assert [label for label, _ in states] == [False, False, True, True, True, False, False]
    assert [shipping for _, shipping in states] == [False, False, False, False, True, False, False]


def test_hands_glide_from_one_operation_to_the_next():
    scene = Scene(draw_timeline(0, 4))
    boundary = scene.timeline.segments[0].end_s
    before, after = scene.pose(boundary - 1e-4), scene.pose(boundary + 1e-4)
    assert np.allclose(before.left, after.left, atol=0.02) and np.allclose(
        before.right, after.right, atol=0.02
    )


def test_camera_looks_at_its_target_and_keeps_left_and_right():
    camera = Camera(20.0, 30.0, 2.0, (0.1, 0.5, 0.2))
    pixels, scale = camera.project(np.array([(0.1, 0.5, 0.2), (0.3, 0.5, 0.2), (0.1, 0.5, 0.4)]), 100)
    assert pixels[0] == pytest.approx([50, 50]) and scale[0] == pytest.approx(50)
    assert pixels[1][0] > 55 and pixels[2][1] < 45


def test_colours():
    assert rgb("#ff8000") == (255, 128, 0)
    assert shade((100, 200, 250), 1.2) == (120, 240, 255)


@pytest.mark.parametrize(("times", "size"), [([0.0], 8), ([0.0], 4096), ([-0.1], 84), ([99.0], 84)])
def test_bad_input_is_named(times, size):
    with pytest.raises(BadInput):
        render_frames(draw_timeline(0, 0), times, size)


def test_drawing_is_fast_enough_for_training():
    timelines = [draw_timeline(0, index) for index in range(20)]
    best = np.inf
    for _ in range(3):
        began = time.process_time()
        for timeline in timelines:
            render_frames(timeline, np.arange(8) * 0.5)
        best = min(best, (time.process_time() - began) / 160)
    assert best < 0.003  # about 0.5 ms on an idle core
