"""The document as a whole: strictness, what is left, text and form of the file, the report, real sets."""

import json
from pathlib import Path

import pytest
from validate_sets import check, good

from nbhelpers.data.validate import validate
from nbhelpers.errors import BadInput


def test_only_crowds_and_partial_masks_are_pointed_out(tmp_path: Path) -> None:
    document = good()
    for entry in document["annotations"]:
        entry["iscrowd"] = 1
    document["annotations"][0]["segmentation"] = []
    severities = {item.code: item.severity for item in check(tmp_path, document).report.items}
    assert severities == {"crowds_only": "warning", "masks_incomplete": "warning"}


def test_strict_makes_warnings_errors_and_leaves_notes(tmp_path: Path) -> None:
    document = good()
    del document["annotations"][0]["area"]
    document["categories"].append({"id": 8, "name": "rare"})
    found = check(tmp_path, document, strict=True)
    severities = {item.code: item.severity for item in found.report.items}
    assert severities == {"area_missing": "error", "category_unused": "info"}
    assert not found.report.ok


def test_boxes_written_as_corners_are_pointed_out(tmp_path: Path) -> None:
    document = good()
    for entry, corners in zip(
        document["annotations"], ([4, 5, 39, 29], [10, 10, 38, 30], [20, 3, 27, 10]), strict=True
    ):
        entry |= {"bbox": corners, "segmentation": []}
    assert "boxes_look_like_corners" in {item.code for item in check(tmp_path, document).report.items}


def test_a_scribble_that_would_exhaust_memory_is_not_drawn(tmp_path: Path) -> None:
    document = good()
    document["annotations"][0]["segmentation"] = [[0, 0, 40, 30] * 100_000]
    found = check(tmp_path, document)
    assert next((item.code, item.severity) for item in found.report.items) == ("polygon_endless", "error")
    assert found.coco.annotations[0]["segmentation"] == []


def test_deeply_nested_values_are_reported(tmp_path: Path) -> None:
    document = json.dumps(good()).replace('"bbox": [4, 5, 10, 8]', '"bbox": ' + "[" * 800 + "]" * 800)
    assert "box_not_numbers" in {item.code for item in check(tmp_path, document).report.items}


@pytest.mark.parametrize("kind", ["images", "annotations"])
def test_nothing_left_is_not_ok(tmp_path: Path, kind: str) -> None:
    document = good()
    document[kind] = []
    report = check(tmp_path, document).report
    assert not report.ok
    assert report.mode is None
    assert "error" in {item.severity for item in report.items}


def test_unknown_keys_and_their_strange_values_survive(tmp_path: Path) -> None:
    document = good()
    document["annotations"][0]["attributes"] = {"score": [None, True, "NaN", 1e300]}
    document["tool"] = {"version": "\ud83d"}
    found = check(tmp_path, document)
    assert found.coco.to_dict() == document
    found.coco.save(tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == document


def test_info_null_and_not_finite_literals_are_noted(tmp_path: Path) -> None:
    document = good()
    document["info"] = None
    document["annotations"][0]["score"] = float("nan")
    found = check(tmp_path, document)
    assert {item.code: item.severity for item in found.report.items} == {
        "not_finite_literal": "info",
        "info_not_an_object": "info",
    }
    found.coco.save(tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["annotations"][0]["score"] is None


def test_a_byte_order_mark_and_utf_16_are_read(tmp_path: Path) -> None:
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-32"):
        (tmp_path / "set.json").write_text(json.dumps(good()), encoding=encoding)
        assert validate(tmp_path / "set.json", decode="none").report.ok


NOT_COCO = {
    "": "is not JSON",
    "[1, 2": "is not JSON",
    "7": "single JSON int",
    "null": "single JSON NoneType",
    "[]": "list without records",
    '[{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.5}]': "list of COCO results",
    '[{"image_id": 1, "category_id": 1}]': "bare list of annotations",
    '[{"image": "a.png", "annotations": []}]': "CreateML",
    '{"shapes": [], "imagePath": "a.png"}': "LabelMe",
    '{"_via_img_metadata": {}}': "VIA",
    '{"type": "FeatureCollection", "features": []}': "GeoJSON",
    '{"images": []}': "'annotations' must be lists",
    '{"images": {}, "annotations": []}': "'images' must be lists",
    '{"images": [{}], "annotations": [{"image_id": 1, "caption": "x"}]}': "caption file",
    '{"images": [{}], "annotations": [{"image_id": 1, "segments_info": []}]}': "panoptic file",
    "[" * 100_000: "nested too deeply",
    f'{{"images": [], "annotations": [{"1" * 5000}]}}': "cannot be read as JSON",
}


@pytest.mark.parametrize("text", NOT_COCO, ids=range(len(NOT_COCO)))
def test_what_is_no_coco_document_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match=NOT_COCO[text]):
        check(tmp_path, text)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x1f\x8b\x08", "gzip"),
        (b"PK\x03\x04", "zip"),
        (b'{"a": "\xe9"}', "is not utf-8 text"),
        (b"\x89PNG", "utf-8"),
    ],
)
def test_bytes_that_are_no_text(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "set.json").write_bytes(content)
    with pytest.raises(BadInput, match=reason):
        validate(tmp_path / "set.json")


def test_files_and_options_that_do_not_exist(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        validate(tmp_path / "none.json")
    with pytest.raises(BadInput, match="is a folder"):
        validate(tmp_path)
    (tmp_path / "set.json").write_text(json.dumps(good()))
    with pytest.raises(BadInput, match="choose one of none, headers, full"):
        validate(tmp_path / "set.json", decode="some")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="no such folder"):
        validate(tmp_path / "set.json", tmp_path / "images")


def test_the_report_in_its_fixed_form(tmp_path: Path) -> None:
    document = good()
    document["annotations"][0] |= {"bbox": [36, 5, 10, 8], "segmentation": [], "area": 40}
    report = check(tmp_path, document).report
    report.write(tmp_path, statistics={"classes": 2})
    written = json.loads((tmp_path / "validation_report.json").read_text())
    assert written["images"] == {"in": 2, "kept": 2, "repaired": 0, "dropped": 0}
    assert written["annotations"] == {"in": 3, "kept": 2, "repaired": 1, "dropped": 0}
    assert written["mode"] == "detection"
    assert written["statistics"] == {"classes": 2}
    keys = {"severity", "code", "file", "image_id", "annotation_id", "message", "action"}
    assert [set(item) for item in written["items"]] == [keys] * 2
    assert [(row["severity"], row["code"], row["action"], row["count"]) for row in report.summary()] == [
        ("warning", "box_clipped", "repaired", 1),
        ("warning", "masks_incomplete", "kept", 1),
    ]


def test_an_annotation_of_many_parts(tmp_path: Path) -> None:
    """pycocotools 2.0.11 cannot measure more than 63 masks at once under numpy 2."""
    document = good()
    squares = [[x, y, x + 1, y, x + 1, y + 1, x, y + 1] for x in range(0, 40, 2) for y in range(0, 30, 2)]
    document["annotations"][0] |= {"segmentation": squares, "bbox": [0, 0, 39, 29], "area": 300}
    assert check(tmp_path, document).report.items == []


def test_real_sets(shared_data: Path) -> None:
    nuts = validate(shared_data / "coco/nuts/trainval.json", decode="full").report
    assert nuts.items == []
    assert (nuts.images.kept, nuts.annotations.kept, nuts.mode) == (18, 165, "detection_and_segmentation")

    odd = validate(shared_data / "coco/odd/mmdet_coco_wrong_format_sample.json", decode="none").report
    codes = {item.code for item in odd.items}
    assert codes == {
        "info_not_an_object",
        "iscrowd_missing",
        "annotation_duplicate_id",
        "annotation_duplicate",
    }
    assert (odd.annotations.repaired, odd.annotations.dropped, odd.ok) == (1, 1, True)
    missing = validate(shared_data / "coco/odd/mmdet_coco_wrong_format_sample.json").report
    assert not missing.ok
    assert "no_image_found" in {item.code for item in missing.items}

    reference = shared_data / "coco/eval_reference"
    found = validate(reference / "instances_val2014_100.json", decode="none").report
    assert (found.images.kept, found.annotations.total, found.annotations.dropped) == (100, 839, 0)
    for kind in ("bbox", "segm"):
        with pytest.raises(BadInput, match="list of COCO results"):
            validate(reference / f"instances_val2014_fake{kind}100_results.json")


def test_names_in_messages_are_whole_and_huge_values_are_cut():
    from nbhelpers.data.validate.draft import shown

    assert shown("images/scene_00000.jpg", 300) == "'images/scene_00000.jpg'"
    assert len(shown("x" * 10_000_000)) == 80
    assert shown([1.5] * 100) == repr([1.5] * 8)
