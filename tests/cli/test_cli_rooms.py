"""Each command on real or drawn data, as a script calls it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nbhelpers.cli.app import run

BBOX = [.505, .697, .573, .586, .519, .501, .387, .594, .595, .640, .566, .564]  # fmt: skip
SEGM = [.320, .562, .299, .387, .310, .327, .268, .415, .417, .469, .377, .381]  # fmt: skip


@pytest.mark.parametrize(("kind", "expected"), [("bbox", BBOX), ("segm", SEGM)])
def test_evaluate_gives_the_published_numbers(shared_data, call_json, kind, expected):
    folder = shared_data / "coco" / "eval_reference"
    code, scores, _ = call_json(
        "evaluate", "--data", folder / "instances_val2014_100.json", "--kind", kind,
        "--predictions", folder / f"instances_val2014_fake{kind}100_results.json",
    )  # fmt: skip
    assert code == 0
    assert np.round(scores["stats"], 3).tolist() == expected
    assert scores["per_class"]["person"]["n"] == 250


def test_evaluate_wants_either_a_model_or_predictions(tmp_path):
    data = tmp_path / "a.json"
    data.write_text("{}")
    for arguments in ([], ["--model", "a.pt", "--predictions", "b.json"]):
        answer = run(["evaluate", "--data", str(data), *arguments])
        assert answer.exit_code == 2
        assert "either --model or --teachers" in answer.error
    assert run(["evaluate", "--data", str(data), "--model", "a.pt"]).exit_code == 2


def test_validate_dataset_on_photographs(shared_data, call_json, tmp_path):
    nuts, output = shared_data / "coco" / "nuts", tmp_path / "prepared"
    code, report, _ = call_json(
        "validate-dataset", "--data", nuts / "trainval.json", "--images", nuts / "images", "--output", output,
        "--split", "train:0.7,val:0.15,test:0.15", "--generate-configs",
    )  # fmt: skip
    assert code == 0
    for records, count in (("images", 18), ("annotations", 165)):
        counts = report[records]
        assert counts["in"] == count == counts["kept"] + counts["repaired"] + counts["dropped"]
    assert report["mode"] == "detection_and_segmentation"
    assert set(report["statistics"])
    on_disk = json.loads((output / "validation_report.json").read_text())
    assert {key: report[key] for key in on_disk} == on_disk
    parts = [json.loads((output / f"{name}.json").read_text())["images"] for name in ("train", "val", "test")]
    assert sum(map(len, parts)) == 18
    assert json.loads((output / ".mode_config.json").read_text())["num_classes"] == 3


@pytest.mark.parametrize(
    ("text", "code"),
    [("not json", 2), ("[]", 2), ('{"a": 1}', 2), ('{"images": [], "annotations": [], "categories": []}', 1)],
)
def test_what_is_no_data_set_is_refused(tmp_path, text, code):
    data = tmp_path / "a.json"
    data.write_text(text)
    answer = run(["validate-dataset", "--data", str(data), "--output", str(tmp_path / "out")])
    assert answer.exit_code == code
    assert "a.json" in answer.error


def test_strict_makes_warnings_fail(tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "1.png")
    annotation = {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "bbox": [30, 5, 20, 10],
        "area": 200,
        "iscrowd": 0,
    }
    image = {"id": 1, "file_name": "1.png", "width": 40, "height": 30}
    document = {"images": [image], "annotations": [annotation], "categories": [{"id": 1, "name": "box"}]}
    (tmp_path / "a.json").write_text(json.dumps(document))
    common = ["validate-dataset", "--data", str(tmp_path / "a.json"), "--split", "train:1"]
    lenient = run([*common, "--output", str(tmp_path / "lenient")])
    assert (lenient.exit_code, lenient.data["annotations"]["repaired"]) == (0, 1)
    strict = run([*common, "--output", str(tmp_path / "strict"), "--strict"])
    assert strict.exit_code == 1
    assert strict.data["ok"] is False
    assert (tmp_path / "strict" / "validation_report.json").is_file()


def test_draw_scenes(tmp_path):
    answer = run(["draw-scenes", "--output", str(tmp_path / "s"), "--count", "3", "--size", "64"])
    assert answer.data["images"] == 3
    assert len(list((tmp_path / "s" / "images").iterdir())) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train-student", "--data", "none.json", "--val", "none.json", "--output", "o"], "--data none.json"),
        (["infer", "none", "--model", "m.pt", "--output", "o"], "no such image or folder"),
        (["infer", "tests/chain", "--model", "none.pt", "--output", "o"], "holds no image"),
        (["optimize-model", "--model", "none.pt", "--output", "o"], "--model none.pt"),
    ],
)
def test_missing_files_are_bad_input(arguments, said):
    answer = run(arguments)
    assert answer.exit_code == 2
    assert said in answer.error


def test_int8_without_images_says_what_to_give(tmp_path):
    (tmp_path / "best.pt").write_bytes(b"x")
    answer = run(
        ["optimize-model", "--model", str(tmp_path / "best.pt"), "--quantize", "int8", "--output", "o"]
    )
    assert answer.exit_code == 2
    assert "--calibration" in answer.error


@pytest.mark.slow
def test_the_chain_of_commands(call_json, tmp_path):
    """Scenes, check and split, train, export to INT8, score and use: every arrow is a file."""
    scenes, prepared, student = tmp_path / "scenes", tmp_path / "prepared", tmp_path / "student"
    run(["draw-scenes", "--output", str(scenes), "--count", "16", "--size", "96"])
    checked = ["validate-dataset", "--data", str(scenes / "scenes.json"), "--output", str(prepared)]
    assert run([*checked, "--generate-configs", "--split", "train:0.5,val:0.25,test:0.25"]).exit_code == 0

    code, trained, _ = call_json(
        "train-student", "--data", prepared / "train.json", "--val", prepared / "val.json", "--auto-detect",
        "--output", student, "--epochs", 1, "--image-size", 64, "--profile", "cpu",
    )  # fmt: skip
    assert code == 0
    assert (trained["student"], trained["task"], trained["epochs"]) == ("yolov8_seg", "segment", 1)
    assert trained["licence"] == "AGPL-3.0"

    code, made, _ = call_json(
        "optimize-model", "--model", trained["paths"]["best"], "--format", "onnx", "--quantize", "int8",
        "--output", tmp_path / "engines",
    )  # fmt: skip
    assert code == 0
    assert "8 training images beside best.pt" in made["calibration"]
    assert made["int8"]["images"] == 8
    assert max(made["onnx"]["max_difference"].values()) < 1e-2

    code, planned, said = call_json(
        "optimize-model", "--model", trained["paths"]["best"], "--format", "tensorrt", "--quantize", "int8",
        "--output", tmp_path / "tensorrt",
    )  # fmt: skip
    if code:  # no TensorRT or no GPU here: the plan says how to build it elsewhere
        assert code == 1
        assert "not built" in said
        assert "trtexec" in planned["plan"]["trtexec_command"]
    else:
        assert Path(planned["paths"]["engine"]).is_file()

    model = made["paths"]["model"]
    code, scores, _ = call_json(
        "evaluate", "--data", prepared / "test.json", "--model", model, "--kind", "segm"
    )
    assert code == 0
    assert len(scores["stats"]) == 12
    assert set(scores["per_class"]) <= set(trained["class_names"])

    code, found, _ = call_json("infer", prepared / "images", "--model", model, "--output", tmp_path / "found")
    assert code == 0
    assert len(found["images"]) == len(found["paths"]["drawn"]) == 16
    assert json.loads((tmp_path / "found" / "predictions.json").read_text())["images"] == found["images"]
