"""Image files under validation: where they lie, whether they are whole, how they are turned and sized."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nbhelpers.data.coco import load_coco
from nbhelpers.data.masks import mask_to_rle, to_mask
from nbhelpers.data.validate import Validation, validate


def write_set(folder: Path, *images: dict[str, Any], **annotation: Any) -> Path:
    """A set of the images given, each with one annotation, by default a box without a mask."""
    entry = {"category_id": 1, "iscrowd": 0, "bbox": [2, 1, 5, 4], "area": 20, **annotation}
    document = {
        "images": [{"id": index + 1, **image} for index, image in enumerate(images)],
        "annotations": [{"id": index + 1, "image_id": index + 1, **entry} for index in range(len(images))],
        "categories": [{"id": 1, "name": "box"}],
    }
    (folder / "set.json").write_text(json.dumps(document))
    return folder / "set.json"


def named(name: str, width: int = 20, height: int = 10) -> dict[str, Any]:
    return {"file_name": name, "width": width, "height": height}


def picture(path: Path, mode: str = "RGB", size: tuple[int, int] = (20, 10), **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).convert(mode).save(path, **options)


def turned(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def codes(found: Validation) -> dict[str, str]:
    return {item.code: f"{item.severity} {item.action}" for item in found.report.items}


@pytest.mark.parametrize(
    ("name", "code", "written"),
    [
        ("a.png", None, "a.png"),
        ("b.png", "image_found_in_sub_folder", "sub/b.png"),
        ("sub\\b.png", "file_name_rewritten", "sub/b.png"),
        ("D:\\data\\sub\\b.png", "image_found_by_base_name", "sub/b.png"),
        ("/srv/someone/b.png", "image_found_by_base_name", "sub/b.png"),
        ("Ä.png", "file_name_not_ascii", "Ä.png"),
        ("A\u0308.png", "image_found_in_sub_folder", "Ä.png"),
    ],
)
def test_found_files_are_named_so_that_they_are_found_at_once(
    tmp_path: Path, name: str, code: str | None, written: str
) -> None:
    for path in ("images/a.png", "images/sub/b.png", "images/Ä.png"):
        picture(tmp_path / path)
    found = validate(write_set(tmp_path, named(name)), tmp_path / "images")
    assert code is None or code in codes(found)
    assert found.coco.images[0]["file_name"] == written
    assert found.coco.image_path(1) == tmp_path / "images" / written
    assert found.report.images.dropped == 0


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("none.png", "image_missing"),
        ("../out.png", "image_outside"),
        ("b.png", "image_ambiguous"),
        ("x", "image_missing"),
    ],
)
def test_lost_files_drop_their_annotations(tmp_path: Path, name: str, code: str) -> None:
    for path in ("out.png", "images/a.png", "images/1/b.png", "images/2/b.png"):
        picture(tmp_path / path)
    found = validate(write_set(tmp_path, named("a.png"), named(name)), tmp_path / "images")
    assert codes(found) == {code: "error dropped", "image_dropped": "error dropped"}
    assert found.report.images.to_dict() == {"in": 2, "kept": 1, "repaired": 0, "dropped": 1}
    assert found.report.annotations.to_dict() == {"in": 2, "kept": 1, "repaired": 0, "dropped": 1}
    assert found.report.ok


def test_full_paths(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    picture(tmp_path / "elsewhere" / "c.png")
    paths = [tmp_path / "images" / "a.png", tmp_path / "elsewhere" / "c.png"]
    found = validate(write_set(tmp_path, *(named(str(path)) for path in paths)), tmp_path / "images")
    actions = [(item.code, item.action) for item in found.report.items]
    assert actions == [("image_path_absolute", "repaired"), ("image_path_absolute", "kept")]
    assert found.coco.image_path(2) == paths[1]


def test_unreadable_and_cut_files(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "cut.jpg", size=(64, 64))
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:-900])
    (tmp_path / "text.png").write_text("no image")
    path = write_set(tmp_path, named("a.png"), named("cut.jpg", 64, 64), named("text.png"))
    for decode in ("headers", "full"):
        found = validate(path, decode=decode)  # type: ignore[arg-type]
        assert [item.file for item in found.report.items if item.code == "image_unreadable"] == [
            "cut.jpg",
            "text.png",
        ]
        assert (found.report.images.kept, found.report.annotations.dropped) == (1, 2)
    assert validate(path, decode="none").report.items == []


def test_damage_inside_is_only_seen_when_decoded(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", size=(64, 64))
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    (tmp_path / "a.png").write_bytes(data)
    path = write_set(tmp_path, named("a.png", 64, 64))
    assert validate(path, decode="headers").report.ok
    assert not validate(path, decode="full").report.ok


def test_an_image_without_its_trailer_that_decodes_is_kept(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes() + b"appended by a camera")
    assert validate(write_set(tmp_path, named("a.jpg"))).report.items == []


@pytest.mark.parametrize(("mode", "suffix"), [("P", "png"), ("CMYK", "jpg"), ("I;16", "png"), ("LA", "png")])
def test_odd_pixels_are_pointed_out(tmp_path: Path, mode: str, suffix: str) -> None:
    name = f"a.{suffix}"
    if mode == "I;16":
        Image.fromarray(np.full((10, 20), 40000, dtype=np.uint16)).save(tmp_path / name)
    else:
        picture(tmp_path / name, mode)
    found = validate(write_set(tmp_path, named(name)), decode="full")
    assert codes(found) == {"image_odd_pixels": "warning kept"}
    assert found.coco.image(1).shape == (10, 20, 3)


@pytest.mark.parametrize(
    ("stated", "code", "frame"),
    [((10, 20), "image_exif_displayed", "displayed"), ((20, 10), "image_exif_stored", "stored")],
)
def test_the_stated_size_says_how_a_turned_image_was_labelled(
    tmp_path: Path, stated: tuple[int, int], code: str, frame: str
) -> None:
    picture(tmp_path / "a.jpg", exif=turned(6))
    path = write_set(tmp_path, named("a.jpg", *stated))
    found = validate(path)
    assert codes(found) == {code: "warning kept"}
    assert found.coco.frames == {1: frame}
    for coco in (found.coco, load_coco(path)):
        assert coco.frame_of(1) == frame
        assert coco.image(1).shape == (stated[1], stated[0], 3)


@pytest.mark.parametrize(("box", "frame"), [([2, 1, 5, 15], "displayed"), ([2, 1, 15, 5], "stored")])
def test_without_a_size_the_boxes_say_it(tmp_path: Path, box: list[int], frame: str) -> None:
    picture(tmp_path / "a.jpg", exif=turned(6))
    found = validate(write_set(tmp_path, {"file_name": "a.jpg"}, bbox=box, area=75))
    assert codes(found) == {"image_exif_ambiguous": "warning kept", "image_size_missing": "warning repaired"}
    assert found.coco.frames == {1: frame}
    assert found.coco.annotations[0]["bbox"] == box
    assert found.coco.image(1).shape[:2] == (found.coco.images[0]["height"], found.coco.images[0]["width"])


@pytest.mark.parametrize("decode", ["none", "headers"])
def test_a_missing_size_is_read_from_the_file(tmp_path: Path, decode: Any) -> None:
    picture(tmp_path / "a.png")
    found = validate(write_set(tmp_path, {"file_name": "a.png", "height": 0}), decode=decode)
    assert codes(found) == {"image_size_missing": "warning repaired"}
    assert found.coco.images[0] | {"width": 20, "height": 10} == found.coco.images[0]


def test_a_wrong_size_is_corrected_and_boxes_in_the_file_stay(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    found = validate(write_set(tmp_path, named("a.png", 640, 480)))
    assert codes(found) == {"image_size_contradicts": "warning repaired"}
    assert (found.coco.images[0]["width"], found.coco.images[0]["height"]) == (20, 10)
    assert found.coco.annotations[0]["bbox"] == [2, 1, 5, 4]
    assert "stated as 640 x 480, the file has 20 x 10" in found.report.items[0].message


def test_labels_of_a_larger_original_are_scaled(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    polygon = [[60, 10, 100, 10, 100, 40, 60, 40]]
    path = write_set(
        tmp_path, named("a.png", 100, 50), bbox=[60, 10, 40, 30], area=1200, segmentation=polygon
    )
    found = validate(path)
    assert found.coco.annotations[0]["bbox"] == pytest.approx([12, 2, 8, 6])
    assert found.coco.annotations[0]["segmentation"][0] == pytest.approx([12, 2, 20, 2, 20, 8, 12, 8])
    assert found.coco.annotations[0]["area"] == 48
    assert {"image_size_contradicts", "annotation_scaled"} <= set(codes(found))


def test_runs_of_another_size_prove_a_resize(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    mask = np.zeros((50, 100), dtype=bool)
    mask[5:25, 10:50] = True
    path = write_set(
        tmp_path, named("a.png", 100, 50), bbox=[10, 5, 40, 20], area=800, segmentation=mask_to_rle(mask)
    )
    found = validate(path)
    resized = to_mask(found.coco.annotations[0]["segmentation"], 10, 20)
    np.testing.assert_array_equal(resized, mask[2::5, 2::5])
    assert found.coco.annotations[0]["bbox"] == pytest.approx([2, 1, 8, 4])
    assert "box_contradicts" not in codes(found)


def test_other_proportions_are_no_resize(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    found = validate(write_set(tmp_path, named("a.png", 100, 100), bbox=[10, 5, 40, 20], area=800))
    assert found.coco.annotations[0]["bbox"] == [10, 5, 10, 5]
    assert {"image_size_contradicts", "box_clipped"} <= set(codes(found))


def test_when_no_image_is_found_the_mend_is_named(tmp_path: Path) -> None:
    found = validate(write_set(tmp_path, named("a.png"), named("b.png")))
    assert not found.report.ok
    message = next(item.message for item in found.report.items if item.code == "no_image_found")
    assert "name the folder that holds them" in message


def test_standard_folders_are_searched(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    picture(tmp_path / "train2017" / "a.png")
    found = validate(write_set(tmp_path / "annotations", named("a.png")))
    assert codes(found) == {"image_found_in_sub_folder": "warning repaired"}
    found.coco.save(tmp_path / "annotations" / "set.json")
    assert validate(tmp_path / "annotations" / "set.json").report.items == []
