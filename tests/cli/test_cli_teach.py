"""Teachers from the command line: tuned, labelling, scored and used; what is refused before work begins."""

import json
from pathlib import Path

import pytest

from nbhelpers.cli.app import run

ROOT = Path(__file__).resolve().parents[2]
QUICK = [
    *("--set", "teach.detector.steps=2", "--set", "teach.segmenter.steps=2"),
    *("--set", "teach.detector.validations=1", "--set", "teach.segmenter.validations=1"),
    *("--set", "teach.tensorboard=false", "--profile", "cpu"),
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    root = tmp_path_factory.mktemp("teach")
    scenes, folder = root / "scenes", root / "prepared"
    run(["draw-scenes", "--output", str(scenes), "--count", "12", "--size", "96"])
    checked = run(
        ["validate-dataset", "--data", str(scenes / "scenes.json"), "--output", str(folder),
         "--generate-configs", "--split", "train:0.5,val:0.25,test:0.25"]
    )  # fmt: skip
    assert checked.exit_code == 0
    return folder


def trained(prepared, output, *options):
    return run(
        ["train-teacher", "--data", str(prepared), "--output", str(output), "--auto-detect",
         "--labelled", "1", *QUICK, *options]
    )  # fmt: skip


@pytest.fixture(scope="module")
def teachers(prepared, tmp_path_factory):
    """(answer of train-teacher, folder)."""
    folder = tmp_path_factory.mktemp("made") / "teachers"
    return trained(prepared, folder), folder


@pytest.mark.slow
def test_train_teacher_from_a_prepared_folder(teachers):
    answer, folder = teachers
    assert answer.exit_code == 0, answer.error
    assert answer.data["mode"] == "detection_and_segmentation"
    assert sorted(answer.data["teachers"]) == ["grounding_dino", "sam"]
    for name, one in answer.data["teachers"].items():
        assert (one["steps"], one["reused"]) == (2, False)
        assert one["base"].startswith("tiny/")
        assert one["helps"] in (True, False)
        assert (folder / name / "adapter" / "adapter_model.safetensors").is_file()
    assert set(answer.data["thresholds"]) == set(answer.data["class_names"])
    assert json.loads((folder / "teachers.json").read_text())["thresholds"] == answer.data["thresholds"]
    assert "tiny/grounding-dino" in answer.text and str(folder) in answer.text


@pytest.mark.slow
def test_a_second_call_returns_at_once(teachers, prepared):
    answer = trained(prepared, teachers[1])
    assert answer.data["reused"] is True
    assert answer.data["thresholds"] == teachers[0].data["thresholds"]


@pytest.mark.slow
def test_from_two_files_with_the_mode_given(prepared, tmp_path):
    answer = run(
        ["train-teacher", "--data", str(prepared / "train.json"), "--val", str(prepared / "val.json"),
         "--mode", "detection", "--output", str(tmp_path / "t"), "--labelled", "0.5", *QUICK]
    )  # fmt: skip
    assert answer.exit_code == 0, answer.error
    assert (answer.data["mode"], list(answer.data["teachers"])) == ("detection", ["grounding_dino"])


@pytest.mark.slow
def test_label_a_folder_and_a_file(teachers, prepared, tmp_path):
    common = ["label", "--teachers", str(teachers[1])]
    by_folder = run([*common, "--images", str(prepared / "images"), "--output", str(tmp_path / "a")])
    assert by_folder.exit_code == 0, by_folder.error
    assert (by_folder.data["images"], by_folder.data["labelled"], by_folder.data["left"]) == (12, 12, 0)
    document = json.loads((tmp_path / "a" / "labels.json").read_text())
    assert len(document["annotations"]) == by_folder.data["annotations"]
    assert all(entry["source"] == "teacher" for entry in document["annotations"])

    by_file = [*common, "--data", str(prepared / "test.json"), "--output", str(tmp_path / "b"), "--features"]
    first, second = run(by_file), run(by_file)
    assert (first.data["labelled"], first.data["resumed"]) == (3, 0)
    assert (second.data["labelled"], second.data["resumed"]) == (0, 3)
    assert len(list((tmp_path / "b" / "features").glob("*.npz"))) == 3


@pytest.mark.slow
def test_other_classes_can_be_asked_for(teachers, prepared, tmp_path):
    mapping = tmp_path / "mapping.json"
    mapping.write_text('{"2": "barrel", "10": "cone"}')
    answer = run(
        ["label", "--teachers", str(teachers[1]), "--data", str(prepared / "test.json"),
         "--output", str(tmp_path / "c"), "--class-mapping", str(mapping)]
    )  # fmt: skip
    assert answer.exit_code == 0, answer.error
    document = json.loads((tmp_path / "c" / "labels.json").read_text())
    names = {entry["id"]: entry["name"] for entry in document["categories"]}
    assert {names[entry["category_id"]] for entry in document["annotations"]} <= {"barrel", "cone"}
    assert all(len(entry["class_scores"]) == 2 for entry in document["annotations"])


@pytest.mark.slow
def test_evaluate_and_infer_with_teachers(teachers, prepared, tmp_path):
    common = ["--teachers", str(teachers[1])]
    scores = run(["evaluate", "--data", str(prepared / "test.json"), "--kind", "segm", *common])
    assert scores.exit_code == 0, scores.error
    assert len(scores.data["stats"]) == 12 and scores.data["n_images"] == 3

    used = ["infer", str(prepared / "images"), *common, "--output"]
    own, strict = run([*used, str(tmp_path / "a")]), run([*used, str(tmp_path / "b"), "--confidence", "0.99"])
    assert len(own.data["images"]) == len(own.data["paths"]["drawn"]) == 12
    assert own.data["info"]["iou"] == 0.5, "what the teachers were tuned with"
    assert own.data["info"]["confidence"] is None, "their thresholds"
    assert strict.data["annotations"] == []
    document = json.loads((tmp_path / "a" / "predictions.json").read_text())
    assert document["annotations"] == own.data["annotations"]


# ---- refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train-teacher", "--data", "none.json", "--val", "none.json", "--output", "o"], "--data none.json"),
        (["train-teacher", "--data", "tests", "--output", "o"], "is no prepared set"),
        (["train-teacher", "--data", "pyproject.toml", "--output", "o"], "give --val"),
        (["train-teacher", "--data", "tests", "--val", "v.json", "--output", "o"], "leave it out"),
        (
            ["train-teacher", "--data", "tests", "--mode", "pose", "--output", "o"],
            "--mode pose: use",
        ),
        (
            ["train-teacher", "--data", "tests", "--mode", "detection", "--auto-detect", "--output", "o"],
            "--auto-detect and --mode detection exclude each other",
        ),
        (
            ["train-teacher", "--data", "tests", "--output", "o", "--set", "teach.detector.rr=3"],
            "unknown key teach.detector.rr (did you mean 'r'?)",
        ),
        (["label", "--teachers", "tests", "--output", "o"], "give --images, a folder, or --data"),
        (["label", "--teachers", "tests", "--images", "none", "--output", "o"], "--images none"),
        (["label", "--teachers", "tests", "--images", "tests", "--output", "o"], "has no teachers.json"),
        (["evaluate", "--data", "pyproject.toml", "--teachers", "tests"], "has no teachers.json"),
        (
            ["evaluate", "--data", "pyproject.toml", "--teachers", "tests", "--model", "m.pt"],
            "either --model or --teachers",
        ),
        (["infer", "tests", "--output", "o"], "give either --model or --teachers"),
        (["infer", "tests", "--output", "o", "--model", "m.pt", "--teachers", "t"], "give either --model"),
    ],
)
def test_what_is_refused(arguments, said, monkeypatch):
    monkeypatch.chdir(ROOT)
    answer = run(arguments)
    assert answer.exit_code == 2
    assert said in answer.error


@pytest.mark.slow
@pytest.mark.parametrize("text", ["[1]", '{"1": 2}', '{"one": "box"}', '{"1": "box", "2": "box"}'])
def test_a_mapping_that_is_none_is_refused(teachers, prepared, tmp_path, text):
    path = tmp_path / "mapping.json"
    path.write_text(text)
    answer = run(
        ["label", "--teachers", str(teachers[1]), "--data", str(prepared / "test.json"),
         "--output", str(tmp_path / "o"), "--class-mapping", str(path)]
    )  # fmt: skip
    assert answer.exit_code == 2
    assert "class" in answer.error or "category ids" in answer.error
    assert not (tmp_path / "o").exists()
