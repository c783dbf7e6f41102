"""`nbhelpers evaluate-vlm`: the real twin's answers to drawn videos, scored; copied labels, refused."""

import json

import pytest

from nbhelpers.artifacts import write_json
from nbhelpers.cli.app import run
from nbhelpers.data.clips import build_clips, load_clips, split_clips
from nbhelpers.data.clips.samples import entry_of
from nbhelpers.data.videos import make_videos
from nbhelpers.metrics.predictions import Provenance, predict_to_file, write_predictions
from nbhelpers.metrics.temporal import SCORES
from nbhelpers.video import VideoPredictor, read_answer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Clips of six videos, in parts, as their index on disk says them."""
    folder = tmp_path_factory.mktemp("videos")
    cut = split_clips(build_clips(make_videos(folder, 6, 0)), "train:0.5,test:0.5")
    rows = [entry_of(clip) for clip in cut.clips]
    write_json(folder / "index.json", {"operations": cut.operations, "clips": rows})
    return load_clips(folder / "index.json")


@pytest.fixture(scope="module")
def said(clips):
    """Files of the twin's answers to the test part: as it is, without a picture, with one frame."""
    twin = VideoPredictor.load("tiny/qwen2.5-vl", device="cpu")
    told = twin.describe()
    made = {}
    for view in ("as_is", "grey_frames", "one_frame"):
        who = Provenance(
            model=told["model"], revision=told["revision"], adapter=None,
            settings={"dtype": told["dtype"], "constrained": False}, view=view, trained_on=(),
        )  # fmt: skip
        made[view] = clips.path.parent / f"{view}.json"
        test = clips.part("test").clips
        predict_to_file(twin.predict, test, made[view], who, label_files=[clips.path])
    return made


def test_scores_floors_and_leak_tests_of_a_real_model(call_json, clips, said, tmp_path):
    code, found, _ = call_json(
        "evaluate-vlm", "--clips", clips.path.parent, "--predictions", said["as_is"], "--draws", 200,
        "--text-only", said["grey_frames"], "--single-frame", said["one_frame"], "--output", tmp_path,
    )  # fmt: skip
    assert code == 0
    test = clips.part("test").clips
    rows = {row["clip_id"]: row for row in json.loads(said["as_is"].read_text())["rows"]}
    right = [rows[clip.clip_id]["answer"] for clip in test]
    share = sum(a is not None and a["operation"] == c.operation for a, c in zip(right, test, strict=True))
    assert found["metrics"]["oca"]["value"] == pytest.approx(share / len(test))
    assert all(found["metrics"][name]["n"] == len(test) == found["n"] for name in SCORES)
    assert set(found["floors"]) == {"majority", "bigram", "copy_last"}
    assert set(found["floors"]["bigram"]) == {"aa1"}, "what it borrows from the model is no floor"
    assert set(found["leaks"]) == {"text_only", "single_frame"}
    assert {check["name"] for check in found["checks"]} >= {"aa1_above_bigram", "weighted_above_text_only"}
    assert found["provenance"]["model"] == "tiny/qwen2.5-vl" and found["provenance"]["settings"]
    on_disk = json.loads((tmp_path / "results.json").read_text())
    assert on_disk == {key: value for key, value in found.items() if key != "paths"}
    assert set(found["paths"]) == {"results", "timeline", "confusion"}
    assert all((tmp_path / name).stat().st_size < 150_000 for name in ("timeline.png", "confusion.png"))


def test_a_person_reads_a_table_and_strict_fails_with_the_floors(clips, said):
    told = ("--clips", clips.path, "--predictions", said["as_is"], "--draws", 50)
    arguments = ["evaluate-vlm", *map(str, told)]
    answer = run(arguments)
    failed = [check.name for check in answer.data["checks"] if not check.ok]
    assert answer.exit_code == 0 and failed, "a model that knows another site is not above every floor"
    assert "majority  bigram  copy_last" in answer.text
    assert all(f"[FAIL] {name}" in answer.text for name in failed)
    strict = run([*arguments, "--strict"])
    assert (strict.exit_code, strict.error) == (1, f"not met: {', '.join(failed)}")
    assert strict.text == answer.text


def test_predictions_copied_from_the_index_are_refused(clips, said, tmp_path):
    from nbhelpers.metrics.predictions import load_predictions

    honest = load_predictions(said["as_is"])
    labels = {clip.clip_id: clip for clip in clips.clips}

    def copied(row):
        clip = labels[row.clip_id]
        told = read_answer(clip.clip_id, clip.answer, clip.duration_s)
        fresh = {"text": told.text, "answer": vars(told.answer), "clipped": told.clipped}
        return type(row)(**(row.model_dump() | fresh))

    path = tmp_path / "copied.json"
    write_predictions(path, honest.provenance, [copied(row) for row in honest.rows])
    answer = run(["evaluate-vlm", "--clips", str(clips.path), "--predictions", str(path)])
    assert answer.exit_code == 2 and "predictions made from labels are not scored" in answer.error


def test_files_and_parts_that_do_not_fit_are_refused(clips, said, tmp_path):
    def refusal(*options, predictions=said["as_is"], index=clips.path):
        answer = run(["evaluate-vlm", "--clips", str(index), "--predictions", str(predictions), *options])
        assert answer.exit_code == 2
        return answer.error

    assert "has the parts" in refusal("--part", "val")
    assert "is in the train part and in the scored one" in refusal("--part", "train")
    assert "there is no such file" in refusal(predictions=tmp_path / "none.json")
    assert "made with the view grey_frames" in refusal(predictions=said["grey_frames"])
    assert "text_only: made with the view one_frame" in refusal("--text-only", str(said["one_frame"]))
    assert "is no predictions file" in refusal(predictions=clips.path)
    rows = [entry_of(clip) | {"part": None} for clip in clips.part("test").clips]
    alone = clips.path.parent / "alone.json"
    write_json(alone, {"operations": clips.operations, "clips": rows})
    assert "no part train to learn the floors from" in refusal(index=alone)
    assert "is in the train part and in the scored one" in refusal("--train", str(alone), index=alone)
    given = ["evaluate-vlm", "--clips", str(alone), "--predictions", str(said["as_is"]), "--draws", "20"]
    assert run([*given, "--train", str(clips.path)]).exit_code == 0


def test_a_twin_that_reads_the_index_is_stopped(clips, tmp_path):
    def peeks(inputs):
        answers = {clip.clip_id: clip.answer for clip in load_clips(clips.path).clips}
        return [read_answer(one.clip_id, answers[one.clip_id], one.duration_s) for one in inputs]

    who = Provenance(model="peeker", revision="1", adapter=None, settings={"constrained": False})
    path = tmp_path / "said.json"
    with pytest.raises(Exception, match=r"index\.json: holds the labels and was opened"):
        predict_to_file(peeks, clips.part("test").clips, path, who, label_files=[clips.path])
    assert not path.exists()
