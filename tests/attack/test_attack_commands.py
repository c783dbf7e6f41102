"""`attack` and `attack-eval` from drawn scenes and from photographs to scores and a print sheet."""

import json

import numpy as np
import pytest
from PIL import Image

from nbhelpers.artifacts import plain, read_json
from nbhelpers.cli.app import run

SMALL = [
    "--profile", "cpu", "--set", "attack.batch=4", "--set", "attack.validations=1",
    "--set", "attack.val_pictures=4", "--set", "attack.pictures=24", "--set", "attack.test_pictures=5",
    "--set", "attack.split=train:0.5,val:0.25,test:0.25", "--set", "attack.print_dpi=60",
]  # fmt: skip


def cli(*arguments):
    answer = run([str(one) for one in arguments])
    return {"exit_code": answer.exit_code, "error": answer.error, "text": answer.text, **plain(answer.data)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patch")
    answer = cli(
        "attack", "--model", "tiny/gemma-3", "--target", "blue wheel", "--share", "0.3", "--steps", "4",
        "--output", folder, *SMALL,
    )  # fmt: skip
    return folder, answer


def test_attack_leaves_patch_sheet_and_scores(made):
    folder, answer = made
    assert answer["exit_code"] == 0, answer
    assert answer["steps"] == 4 and answer["target"] == "blue wheel" and answer["model"] == "tiny/gemma-3"
    for name in ("patch.png", "patch.json", "results.json", "print_sheet.png", "print_sheet.pdf"):
        assert (folder / name).is_file(), name
    kept = read_json(folder / "results.json")
    assert [row["sticker"] for row in kept["scores"]][:2] == ["patch", "clean"] and len(kept["scores"]) == 6
    assert kept["net"]["control"] in {row["sticker"] for row in kept["scores"]} - {"patch"}
    assert "net of" in answer["text"] and answer["net"]["n"] == kept["scores"][0]["n"]


def test_a_second_call_takes_the_patch_as_it_is(made, capsys):
    folder, first = made
    before = (folder / "patch.png").read_bytes()
    again = cli(
        "attack", "--model", "tiny/gemma-3", "--target", "blue wheel", "--share", "0.3", "--steps", "4",
        "--output", folder, *SMALL,
    )  # fmt: skip
    assert "taken as it is" in capsys.readouterr().err
    assert (folder / "patch.png").read_bytes() == before
    assert again["scores"] == first["scores"] and again["settings_hash"] == first["settings_hash"]


def test_attack_eval_reads_target_and_settings_beside_the_patch(made, tmp_path):
    folder, first = made
    answer = cli(
        "attack-eval", folder / "patch.png", "--profile", "cpu", "--set", "attack.test_pictures=5",
        "--defences", "--output", tmp_path / "said.json",
    )  # fmt: skip
    assert answer["exit_code"] == 0, answer
    assert answer["scores"] == first["scores"] and answer["net"] == first["net"]
    assert set(answer["defences"]) >= {"none", "JPEG 75", "vote of 5 crops"}
    said = json.loads((tmp_path / "said.json").read_text())
    assert set(said["answers"]) == {row["sticker"] for row in answer["scores"]}
    assert all(len(texts) == len(said["questions"]) for texts in said["answers"].values())


def test_photographs_of_a_folder(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(8):
        pixels = rng.integers(0, 256, (50, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.jpg")
    answer = cli(
        "attack", "--model", "tiny/gemma-3", "--images", tmp_path / "photos", "--steps", "2",
        "--output", tmp_path / "patch", *SMALL,
    )  # fmt: skip
    assert answer["exit_code"] == 0, answer
    assert answer["target"] is None and answer["scores"][1]["success"] == 0  # clean answers are the reference


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["attack-eval", "none.png"], "there is no such file"),
        (["attack", "--output", "o", "--share", "0.9"], "attack.share is 0.9"),
        (["attack", "--output", "o", "--images", "no/such", "--profile", "cpu"], "there is no such folder"),
        (
            ["attack", "--output", "o", "--profile", "cpu", "--set", "attack.tasks=[colour]"],
            "no task 'colour'",
        ),
        (["attack", "--output", "o", "--profile", "cpu", "--model", "tiny/qwen2.5-coder"], "takes text only"),
        (["attack", "--output", "o", "--set", "attack.eot.scale=[1.0,0.5]"], "the smaller first"),
    ],
)
def test_bad_input_is_one_line(arguments, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = cli(*arguments)
    assert answer["exit_code"] in {1, 2} and told in answer["error"], answer
