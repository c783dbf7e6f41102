import pytest
from PIL import Image

from nbhelpers.artifacts import read_json
from nbhelpers.cli.app import run
from nbhelpers.data import draw_scenes


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return draw_scenes(tmp_path_factory.mktemp("scenes"), count=3, size=(96, 96), seed=1).path


def test_without_an_output_the_pipeline_is_listed(scenes):
    answer = run(["augment", "--data", str(scenes), "--lighting", "poor", "--camera", "shaky"])
    assert answer.exit_code == 0
    assert [row["transform"] for row in answer.data["pipeline"]][:3] == ["shift", "tilt", "perspective"]
    assert "lighting: poor" in answer.text and "distance: fixed: asks for nothing" in answer.text
    assert "nothing is asked for" in run(["augment", "--data", str(scenes)]).text


@pytest.mark.parametrize("name", ["seen.png", "seen.jpg"])
def test_the_preview_is_a_picture(scenes, tmp_path, name):
    chosen = [
        "--characteristics",
        "partially_hidden, multiple_objects",
        "--intensity",
        "high",
        "--draws",
        "2",
    ]
    answer = run(["augment", "--data", str(scenes), *chosen, "--preview", str(tmp_path / name)])
    assert answer.exit_code == 0 and answer.data["paths"] == {"preview": str(tmp_path / name)}
    with Image.open(tmp_path / name) as picture:
        assert picture.width > 600


def test_the_set_is_written_and_a_second_call_makes_nothing(scenes, tmp_path):
    common = [
        "augment",
        "--data",
        str(scenes),
        "--lighting",
        "poor",
        "--output",
        str(tmp_path),
        "--copies",
        "2",
    ]
    answer = run(common)
    assert answer.data["written"]["made"] == 6
    assert len(read_json(tmp_path / "annotations.json")["images"]) == 9
    assert run(common).data["written"]["made"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--characteristics", "shiny"], "'shiny': is unknown"),
        (["--lighting", "dark"], "known: stable, variable, poor"),
        (["--lighting", "poor", "--preview", "seen.txt"], "ends in .png or .jpg"),
        (["--output", "o"], "ask for no augmentation"),
    ],
)
def test_bad_input_is_one_line(scenes, arguments, said):
    answer = run(["augment", "--data", str(scenes), *arguments])
    assert answer.exit_code == 2 and said in answer.error


@pytest.mark.slow
def test_a_training_applies_what_was_seen(scenes, tmp_path, capfd):
    """The same student with and without the site's words: two trainings, each known again."""
    common = ["train-student", "--data", str(scenes), "--val", str(scenes), "--output", str(tmp_path)]
    common += ["--epochs", "1", "--image-size", "64", "--profile", "cpu"]
    poor = ["--set", "data.augment.lighting=poor"]
    plain, augmented, again = run(common), run([*common, *poor]), run([*common, *poor])
    assert [one.exit_code for one in (plain, augmented, again)] == [0, 0, 0]
    assert [one.data["reused"] for one in (plain, augmented, again)] == [False, False, True]
    said = capfd.readouterr().err
    assert said.count("augmentation, medium: ") == 2 and "darken (lighting: poor)" in said
