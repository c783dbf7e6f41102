"""`tune-vlm`, `predict-video` and `evaluate-vlm` from drawn videos to scores."""

import pytest

from nbhelpers.artifacts import plain
from nbhelpers.cli.app import run

SMALL = [
    "--set", "video.roles=[text]", "--set", "video.steps=3", "--set", "video.batch=2",
    "--set", "video.validations=1", "--set", "video.val_clips=2", "--set", "video.stride_s=null",
    "--set", "video.split=train:0.4,val:0.3,test:0.3",
]  # fmt: skip


def cli(*arguments):
    answer = run([str(one) for one in arguments])
    return {"exit_code": answer.exit_code, "error": answer.error, **plain(answer.data)}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    from nbhelpers.data.videos import make_videos

    return make_videos(tmp_path_factory.mktemp("videos"), 6, duration_s=14.0, size_px=84, cameras=1, jobs=1)


@pytest.fixture(scope="module")
def tuned(videos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    answer = cli("tune-vlm", "--clips", videos.path, "--output", folder, "--profile", "cpu", *SMALL)
    return folder, answer


def test_tune_leaves_an_adapter_and_an_account(tuned):
    folder, answer = tuned
    assert answer["exit_code"] == 0, answer
    assert answer["steps"] == 3 and answer["roles"] == ["text.attention", "text.mlp"]
    assert (folder / "adapter" / "video.json").is_file() and (folder / "training.json").is_file()
    assert {"oca", "tiou_05", "aa1"} <= answer["after"].keys() and answer["sources"]


def test_predictions_are_scored(tuned, videos, tmp_path):
    from nbhelpers.metrics.predictions import load_predictions

    folder, _ = tuned
    said = tmp_path / "said.json"
    answer = cli(
        "predict-video", "--clips", videos.path, "--adapter", folder / "adapter", "--output", said,
        "--constrained", "--profile", "cpu", *SMALL,
    )  # fmt: skip
    assert answer["exit_code"] == 0 and answer["parse_rate"] == 1.0
    made = load_predictions(said)
    assert made.provenance.adapter.startswith("adapter@sha256:") and made.provenance.trained_on
    assert made.provenance.settings["constrained"] is True and made.provenance.model == "tiny/qwen2.5-vl"


def test_one_video_is_asked_about(tuned, videos):
    folder, _ = tuned
    answer = cli(
        "predict-video", "--video", videos.videos[0].path, "--at", "3", "--adapter", folder / "adapter",
        "--constrained", "--profile", "cpu",
    )  # fmt: skip
    assert answer["exit_code"] == 0
    assert set(answer["answer"]) == {"operation", "start_s", "end_s", "next_operation"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either --clips or --video"),
        (["--clips", "x", "--video", "y"], "give either --clips or --video"),
        (["--video", "missing.mp4"], "missing.mp4"),
    ],
)
def test_what_cannot_be_asked_is_refused(arguments, message):
    answer = cli("predict-video", *arguments, "--profile", "cpu")
    assert answer["exit_code"] == 2 and message in answer["error"]
