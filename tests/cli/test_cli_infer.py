"""A folder as it comes: pictures, and files that only look like some."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import supervision as sv
from PIL import Image

from nbhelpers.cli import images
from nbhelpers.cli.app import run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two pictures, a cut one and a text, and a model that finds one box in every picture."""
    box = sv.Detections(
        np.array([[2.0, 3.0, 12.0, 13.0]]), confidence=np.array([0.5]), class_id=np.array([0])
    )
    engine = SimpleNamespace(predict=lambda image, **options: box, class_names=["box"], name="a model")
    monkeypatch.setattr(images, "open_predictor", lambda *given: (engine, 0.7))
    place = tmp_path / "photos"
    place.mkdir()
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8))
    for name in ("a.png", "c.png"):
        picture.save(place / name)
    (place / "b.png").write_bytes((place / "a.png").read_bytes()[:60])
    (place / "d.jpg").write_text("no picture")
    return place


def test_damaged_files_of_a_folder_are_named_and_left_out(folder, tmp_path, capfd):
    answer = run(["infer", str(folder), "--model", "m.pt", "--output", str(tmp_path / "found")])
    assert answer.exit_code == 0
    document = json.loads((tmp_path / "found" / "predictions.json").read_text())
    assert [image["file_name"] for image in document["images"]] == ["a.png", "c.png"]
    assert [entry["image_id"] for entry in document["annotations"]] == [1, 2]
    assert [one["file"] for one in document["info"]["unreadable"]] == ["b.png", "d.jpg"]
    assert "2 images, 2 objects found, 2 files left out" in answer.text
    said = capfd.readouterr().err
    assert "b.png: cannot be read" in said and "d.jpg: cannot be read" in said


def test_where_nothing_can_be_read_it_is_an_error(folder, tmp_path):
    for name in ("a.png", "c.png"):
        (folder / name).unlink()
    common = ["--model", "m.pt", "--output", str(tmp_path / "found")]
    for source in (folder, folder / "d.jpg"):
        answer = run(["infer", str(source), *common])
        assert answer.exit_code == 2 and "d.jpg: cannot be read as an image" in answer.error
    assert not (tmp_path / "found" / "predictions.json").exists()
