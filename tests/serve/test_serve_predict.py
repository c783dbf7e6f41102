"""Answers over HTTP are the model's own, on the clock of the video."""

import numpy as np
import pytest

from nbhelpers.data.operations import parse_answer
from nbhelpers.data.videos import read_frames


def test_the_answer_is_the_models_own(server, predictor, drawn, good):
    got = server.post("/predict", good).json()
    start, told = got["clip"]["start_s"], np.arange(8) * 1.0
    frames = read_frames(drawn.videos[0].path, start + told)
    said = predictor.predict([(frames.pixels, tuple(told), 8.0)])[0]
    assert got["text"] == said.text
    assert got["answer"]["operation"] == said.answer.operation
    assert got["answer"]["start_s"] == pytest.approx(start + said.answer.start_s)
    assert got["answer"]["end_s"] == pytest.approx(start + said.answer.end_s)
    assert got["clip"]["times_s"] == pytest.approx(frames.times_s.tolist(), abs=1e-3)
    assert got["file_name"] == "good.mp4"
    assert (got["model"], got["adapter"]) == ("tiny/qwen2.5-vl", None)


def test_answers_are_right(server, drawn):
    """At the middle of every operation that is long enough to be seen well; the twin is right in .99."""
    right = []
    for video in drawn.videos:
        for segment in video.segments[:-1]:
            middle = (segment.start_s + segment.end_s) / 2
            if segment.duration_s < 1.5 or not 2.2 < middle < video.duration_s - 2.2:
                continue
            fields = {"at_s": f"{middle:.2f}", "spacing_s": "0.5"}
            got = server.post("/predict", (video.file_name, video.path.read_bytes()), fields=fields).json()
            right.append(got["answer"]["operation"] == segment.operation)
    assert len(right) >= 5
    assert np.mean(right) >= 0.75


def test_the_answer_says_what_it_took(server, good):
    got = server.post("/predict", good).json()
    parts = [got["timing"][name] for name in ("upload_s", "wait_s", "decode_s", "answer_s")]
    assert all(part >= 0 for part in parts)
    assert sum(parts) <= got["timing"]["total_s"] + 0.01
    assert got["timing"]["answer_s"] > 0.01
    assert 100 << 20 < got["memory"]["process_bytes"] <= got["memory"]["process_peak_bytes"]
    assert got["memory"]["gpu_peak_bytes"] is None


def test_the_video_is_described(server, drawn, good):
    seen, video = server.post("/predict", good).json()["video"], drawn.videos[0]
    assert seen["frames"] == video.num_frames
    assert seen["duration_s"] == pytest.approx(video.duration_s, abs=0.11)
    assert (seen["width"], seen["height"], seen["fps"]) == (168, 168, 10)


@pytest.mark.parametrize(
    ("fields", "start_s", "frames", "duration_s"),
    [
        ({"at_s": "0"}, 0.0, 8, 8.0),
        ({"at_s": "6", "spacing_s": "0.5"}, 4.0, 8, 4.0),
        ({"spacing_s": "2"}, None, 4, 8.0),
    ],
)
def test_a_stretch_can_be_chosen(server, good, fields, start_s, frames, duration_s):
    clip = server.post("/predict", good, fields=fields).json()["clip"]
    assert (len(clip["times_s"]), clip["duration_s"]) == (frames, duration_s)
    assert start_s is None or clip["start_s"] == pytest.approx(start_s)


def test_a_constrained_answer_is_one(predictor, server, good):
    got = server.post("/predict", good, fields={"constrained": "true"}).json()
    assert parse_answer(got["text"]).operation == got["answer"]["operation"]


def test_a_batch_keeps_its_order_and_answers_as_one_by_one(server, drawn):
    files = [(video.file_name, video.path.read_bytes()) for video in drawn.videos[:3]]
    alone = [server.post("/predict", file).json()["text"] for file in files]
    batch = server.post("/batch_predict", *files, field="videos")
    assert batch.status_code == 200
    results = batch.json()["results"]
    assert [one["file_name"] for one in results] == [name for name, _ in files]
    assert [one["text"] for one in results] == alone


def test_a_bad_video_of_a_batch_leaves_the_others_alone(server, good, bad):
    got = server.post("/batch_predict", good, ("empty.mp4", bad["zero"]), good, field="videos").json()
    first, second, third = got["results"]
    assert first["answer"] == third["answer"] != None  # noqa: E711
    assert second["status"] == 422
    assert "empty.mp4" in second["reason"]


def test_a_batch_of_bad_videos_asks_the_model_nothing(server, bad):
    got = server.post("/batch_predict", ("a.mp4", bad["text"]), ("b.mp4", bad["audio"]), field="videos")
    assert [one["status"] for one in got.json()["results"]] == [415, 422]
    assert server.left() == []
