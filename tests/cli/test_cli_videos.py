"""`make-videos` and `make-samples`: what they write, print and refuse."""

import json

import pytest

from nbhelpers.cli.app import run


def answer(*words):
    return run([str(word) for word in words])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    words = ("--count", 6, "--duration", 16, "--size", 84, "--jobs", 1, "--samples", 4, "--seed", 2)
    return folder, answer("make-videos", "--output", folder, *words)


def test_videos_with_annotations_and_samples(made):
    folder, result = made
    assert result.exit_code == 0, result.error
    document = json.loads((folder / "annotations.json").read_text())
    assert len(document["videos"]) == result.data["videos"] == 6
    assert all((folder / video["file_name"]).is_file() for video in document["videos"])
    assert "6 videos of 4 sessions" in result.text and "4 clips" in result.text
    index = json.loads((folder / "samples" / "index.json").read_text())
    assert len(index["clips"]) == result.data["samples"]["clips"] == 4


def test_samples_from_given_videos(made, tmp_path):
    folder, _ = made
    result = answer("make-samples", "--output", tmp_path, "--samples", 3, "--videos", folder)
    assert result.exit_code == 0 and result.data["clips"] == 3
    assert not (tmp_path / "videos").exists()
    assert len(list(tmp_path.glob("*.mp4"))) == 3


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("make-videos", "--size", 85), "even number"),
        (("make-videos", "--world", "mars"), "known worlds"),
        (("make-videos", "--main", 2), "--main"),
        (("make-samples", "--videos", "nowhere"), "there is no such file"),
        (("make-samples", "--count", 0), "--count"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, words, reason):
    result = answer(*words, "--output", tmp_path)
    assert result.exit_code == 2 and reason in result.error and "\n" not in result.error


@pytest.mark.parametrize("name", ["make-videos", "make-samples"])
def test_help_has_an_example(name, capsys):
    assert answer(name, "--help").exit_code == 0
    assert f"nbhelpers {name} --output" in " ".join(capsys.readouterr().out.split())
