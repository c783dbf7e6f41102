import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from nbhelpers.artifacts import read_json
from nbhelpers.data import draw_scenes, load_coco, validate
from nbhelpers.data.augment import Conditions, build_augmenter, preview, write_augmented
from nbhelpers.data.augment.augmented_set import DOCUMENT
from nbhelpers.errors import BadInput

POOR = Conditions(("partially_hidden",), lighting="poor", distance="variable", intensity="high")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return draw_scenes(tmp_path_factory.mktemp("scenes"), count=6, size=(96, 80), seed=2)


def everything(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name[0] != "."
    }


def test_the_written_set_is_sound_and_holds_originals_and_copies(scenes, tmp_path):
    done = write_augmented(scenes, POOR, tmp_path / "out", copies=2)
    assert (done.originals, done.copies, done.made) == (6, 12, 12)
    checked = validate(done.path, decode="full", strict=True)
    assert checked.report.ok and not checked.report.items
    found = load_coco(done.path)
    assert len(found.images) == 18 and len(found.annotations) == done.annotations
    assert found.info["world"] == "base" and found.info["augmented"]["lighting"] == "poor"
    sources = {entry["id"]: entry for entry in scenes.annotations}
    copies = [image for image in found.images if "source_image" in image]
    objects = {id_: {entry["id"] for entry in scenes.annotations_of(id_)} for id_ in scenes.image_ids}
    for image in copies:
        assert not np.array_equal(found.image(image["id"]), scenes.image(image["source_image"]))
        labels = found.annotations_of(image["id"])
        assert {entry["source_annotation"] for entry in labels} <= objects[image["source_image"]]
        for entry in labels:
            assert entry["category_id"] == sources[entry["source_annotation"]]["category_id"]
            mask = found.detections(image["id"]).mask
            assert mask.any()
    lost = sum(
        len(
            objects[image["source_image"]]
            - {e["source_annotation"] for e in found.annotations_of(image["id"])}
        )
        for image in copies
    )
    assert lost == done.lost


def test_written_again_nothing_is_made_again(scenes, tmp_path):
    first = write_augmented(scenes, POOR, tmp_path, copies=1)
    before = everything(tmp_path)
    again = write_augmented(scenes, POOR, tmp_path, copies=1)
    assert again.made == 0 and again.annotations == first.annotations and everything(tmp_path) == before
    more = write_augmented(scenes, POOR, tmp_path, copies=2)
    assert (more.made, more.copies) == (6, 12)
    harmed = tmp_path / "images/augmented/1_1.jpg"
    harmed.write_bytes(b"x")
    assert write_augmented(scenes, POOR, tmp_path, copies=2).made == 1
    other = write_augmented(scenes, Conditions(camera="moving"), tmp_path, copies=1)
    assert other.made == 6
    write_augmented(scenes, POOR, tmp_path / "fresh", copies=1)
    assert everything(tmp_path / "fresh") == before


KILLED = """
import os, signal, sys
from pathlib import Path
from nbhelpers.data import load_coco
from nbhelpers.data.augment import Conditions, augmented_set
name, calls = sys.argv[3], []
whole = getattr(augmented_set, name)
def once_more(*given):
    calls.append(1)
    if len(calls) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*given)
setattr(augmented_set, name, once_more)
augmented_set.write_augmented(load_coco(Path(sys.argv[1])), Conditions(lighting="poor"), Path(sys.argv[2]), 2)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize(("before", "there"), [("_make", 3), ("append_record", 4)])
def test_killed_in_the_middle_it_ends_in_the_same_bytes(scenes, tmp_path, before, there):
    """Once before the fourth picture is drawn, once between the picture and its record."""
    conditions = Conditions(lighting="poor")
    out = tmp_path / "killed"
    child = subprocess.run([sys.executable, "-c", KILLED, str(scenes.path), str(out), before], check=False)
    assert child.returncode == -signal.SIGKILL
    assert len([*(out / "images/augmented").glob("*.jpg")]) == there and not (out / DOCUMENT).exists()
    assert write_augmented(scenes, conditions, out, 2).made == 12 - 3
    write_augmented(scenes, conditions, tmp_path / "whole", 2)
    assert everything(out) == everything(tmp_path / "whole")


def test_boxes_key_points_and_own_keys_are_written(tmp_path, scenes):
    document = scenes.to_dict() | {"annotations": []}
    for number, image in enumerate(scenes.images):
        document["annotations"].append(
            {
                **{"id": number + 10, "image_id": image["id"], "category_id": 2, "bbox": [20, 20, 40, 30]},
                **{"area": 1200, "iscrowd": 0, "weight": 0.5, "keypoints": [30, 30, 2, 0, 0, 0]},
            }
        )
    from nbhelpers.artifacts import write_json

    coco = load_coco(write_json(tmp_path / "boxes.json", document), scenes.folders[-1])
    done = write_augmented(coco, Conditions(camera="moving", intensity="high"), tmp_path / "out", 1)
    for entry in read_json(done.path)["annotations"][6:]:
        assert "segmentation" not in entry and entry["weight"] == 0.5 and entry["iscrowd"] == 0
        assert len(entry["keypoints"]) == 6 and entry["num_keypoints"] in (0, 1)
        assert entry["area"] == pytest.approx(entry["bbox"][2] * entry["bbox"][3])


@pytest.mark.parametrize(
    ("conditions", "copies", "where", "said"),
    [
        (POOR, 0, "out", "copies 0"),
        (Conditions(), 1, "out", "ask for no augmentation"),
        (POOR, 1, ".", "holds the set itself"),
    ],
)
def test_bad_input_is_named(scenes, conditions, copies, where, said):
    with pytest.raises(BadInput, match=said):
        write_augmented(scenes, conditions, scenes.path.parent / where, copies)


def test_the_preview_shows_originals_beside_results(scenes):
    figure = preview(scenes, build_augmenter(POOR), draws=2)
    axes = figure.axes
    assert len(axes) == 12
    assert [axis.get_title().split(",")[0] for axis in axes[:3]] == ["original", "augmented", "augmented"]
    with pytest.raises(BadInput, match="at least one"):
        preview(scenes, build_augmenter(POOR), image_ids=[])


def test_menus_start_from_the_parameters_and_follow_the_clicks(monkeypatch):
    from nbhelpers.data.augment import pick, picker

    monkeypatch.setenv("NBHELPERS_PROGRESS", "off")
    assert pick(POOR).conditions == POOR and pick(POOR).box is None
    monkeypatch.delenv("NBHELPERS_PROGRESS")
    monkeypatch.setattr(picker, "headless", lambda: False)
    seen = []
    chosen = pick(POOR, seen.append)
    objects, menus = chosen.box.children
    assert objects.value == POOR.characteristics
    assert {menu.description: menu.value for menu in menus.children} == {
        **POOR.environment,
        "intensity": "high",
    }
    objects.value = ("low_contrast", "partially_hidden")
    menus.children[0].value = "stable"
    wanted = Conditions(("low_contrast", "partially_hidden"), distance="variable", intensity="high")
    assert chosen.conditions == wanted == seen[-1]
