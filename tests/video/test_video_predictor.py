"""The predictor: what it takes, how it batches, what it says of itself."""

import numpy as np
import pytest

from nbhelpers.data.operations import draw_clip, find_operation_world
from nbhelpers.errors import BadInput
from nbhelpers.video import VideoPredictor, clip_of_video, parse_rate

NAMES = [one.name for one in find_operation_world("base").operations]


@pytest.fixture(scope="module")
def predictor():
    return VideoPredictor.load("tiny/qwen2.5-vl", device="cpu", operations=NAMES)


@pytest.fixture(scope="module")
def clips():
    return [draw_clip(51, index) for index in range(10)]


def test_drawn_clips_and_frames_at_hand_are_answered_alike(predictor, clips):
    drawn = predictor.predict(clips[:3])
    triples = [(clip.pixels(), clip.times_s, clip.duration_s) for clip in clips[:3]]
    assert [one.text for one in predictor.predict(triples)] == [one.text for one in drawn]
    assert predictor.predict(triples[0])[0].text == drawn[0].text
    assert all(one.seconds > 0 for one in drawn) and parse_rate(drawn) == 1.0


def test_answers_do_not_depend_on_the_batch(clips):
    one_by_one = VideoPredictor.load("tiny/qwen2.5-vl", device="cpu", batch=1).predict(clips)
    together = VideoPredictor.load("tiny/qwen2.5-vl", device="cpu", batch=10).predict(clips)
    assert [one.name for one in together] == [one.name for one in one_by_one]
    assert sum(a.text == b.text for a, b in zip(one_by_one, together, strict=True)) >= 9  # float32 in batches


def test_clips_shown_in_different_ways_are_not_mixed(predictor, clips):
    frames = clips[0].pixels()
    uneven = (frames, [0.0, 0.1, 0.2, 0.5, 0.9, 1.4, 2.0, 2.7], 4.0)
    answers = predictor.predict([clips[0], uneven, clips[1]])
    assert len(answers) == 3 and answers[0].answer is not None


def test_constrained_answers_use_the_given_names(predictor, clips):
    predictor.operations = ("One", "Two")
    try:
        answers = predictor.predict(clips[:4], constrained=True)
    finally:
        predictor.operations = tuple(NAMES)
    assert parse_rate(answers) == 1.0
    assert {one.answer.operation for one in answers} <= {"One", "Two"}


def test_what_it_says_of_itself(predictor):
    said = predictor.describe()
    assert said["model"] == "tiny/qwen2.5-vl" and said["device"] == "cpu" and said["adapter"] is None
    assert said["rungs"][-1]["taken"] and said["operations"] == NAMES


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([], "there are no clips"),
        (["a.mp4"], "str: is no clip"),
        ([(np.zeros((8, 84, 84), np.uint8), range(8), 8.0)], r"need \(N, H, W, 3\) uint8"),
        ([(np.zeros((7, 84, 84, 3), np.uint8), range(8), 8.0)], "7 frames, but 8 times"),
        ([(np.zeros((2, 84, 84, 3), np.uint8), [0.0, 0.333], 1.0)], "tenths"),
        ([(np.zeros((2, 84, 84, 3), np.uint8), [1.0, 0.5], 1.0)], "must rise"),
    ],
)
def test_what_is_no_clip_is_refused(predictor, clips, message):
    with pytest.raises(BadInput, match=message):
        predictor.predict(clips)


def test_an_adapter_that_is_none_is_refused_and_the_model_stays(predictor, tmp_path, clips):
    with pytest.raises(BadInput, match="is no adapter"):
        predictor.swap(tmp_path)
    assert predictor.predict(clips[:1])[0].answer is not None


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    from nbhelpers.data.videos import make_videos

    return make_videos(tmp_path_factory.mktemp("videos"), 1, world="base", duration_s=6.0, jobs=1).videos[0]


def test_one_video_is_asked_about_its_middle(predictor, video):
    clip = clip_of_video(video.path)
    spacing = 0.5 if video.duration_s < 8 else 1.0
    assert clip.times_s == tuple(k * spacing for k in range(8)) and clip.half_frame_s == pytest.approx(0.05)
    assert predictor.predict([clip], constrained=True)[0].answer is not None
    early, late = clip_of_video(video.path, 0.0), clip_of_video(video.path, video.duration_s)
    assert (early.frames() != late.frames()).any()
    with pytest.raises(BadInput, match="but it lasts"):
        clip_of_video(video.path, 99.0)
