"""Every fault a record of a COCO document can have: what is found and what is done."""

# ruff: noqa: E501 - the tables of cases read best with one case a line

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from validate_sets import Document, check, good, tally


def test_a_good_set_is_left_as_it_is(tmp_path: Path) -> None:
    found = check(tmp_path, good())
    assert found.report.items == []
    assert found.report.ok
    assert found.report.mode == "detection_and_segmentation"
    assert found.coco.to_dict() == good()
    assert check(tmp_path, good(), strict=True).report.ok


def edit(**changes: Any) -> Callable[[Document], None]:
    """Change keys of the first annotation; `...` removes one."""

    def apply(document: Document) -> None:
        for key, value in changes.items():
            document["annotations"][0][key] = value
            if value is ...:
                del document["annotations"][0][key]

    return apply


BOX_ONLY = {"segmentation": ...}
RLE = {"size": [30, 40], "counts": [125, 10, 1065]}
ANNOTATION_CASES: list[tuple[str, Callable[[Document], None], str, str, str, dict[str, Any]]] = [
    # name, change to annotation 10, code, severity, action, what the record then holds
    ("string id", edit(id="10"), "annotation_id_rewritten", "warning", "repaired", {"id": 10}),
    ("label id", edit(id="first"), "annotation_id_rewritten", "warning", "repaired", {"id": 13}),
    ("no id", edit(id=...), "annotation_id_missing", "warning", "repaired", {"id": 13}),
    ("bool id", edit(id=True), "annotation_id_rewritten", "warning", "repaired", {"id": 13}),
    ("huge id", edit(id=10**40), "annotation_id_rewritten", "warning", "repaired", {"id": 13}),
    ("double id", edit(id=11), "annotation_duplicate_id", "warning", "repaired", {}),
    ("string image id", edit(image_id="1"), "annotation_image_id_rewritten", "warning", "repaired", {"image_id": 1}),
    ("float image id", edit(image_id=1.0), "annotation_image_id_rewritten", "warning", "repaired", {"image_id": 1}),
    ("orphan", edit(image_id=7), "annotation_orphan", "error", "dropped", {}),
    ("no image id", edit(image_id=None), "annotation_orphan", "error", "dropped", {}),
    ("bool image id", edit(image_id=True), "annotation_orphan", "error", "dropped", {}),
    ("unknown class", edit(category_id=9), "category_unknown", "error", "dropped", {}),
    ("class by name", edit(category_id="cone"), "category_by_name", "warning", "repaired", {"category_id": 3}),
    ("string class", edit(category_id="3"), "category_id_rewritten", "warning", "repaired", {"category_id": 3}),
    ("no iscrowd", edit(iscrowd=...), "iscrowd_missing", "warning", "repaired", {"iscrowd": 0}),
    ("bool iscrowd", edit(iscrowd=True), "iscrowd_rewritten", "warning", "repaired", {"iscrowd": 1}),
    ("odd iscrowd", edit(iscrowd="maybe"), "iscrowd_rewritten", "warning", "repaired", {"iscrowd": 0}),
    ("no area", edit(area=...), "area_missing", "warning", "repaired", {"area": 80.0}),
    ("negative area", edit(area=-3), "area_not_positive", "warning", "repaired", {"area": 80.0}),
    ("infinite area", edit(area=float("inf")), "area_not_positive", "warning", "repaired", {"area": 80.0}),
    ("text area", edit(area="80"), "area_text", "warning", "repaired", {"area": 80.0}),
    ("wrong area", edit(area=200), "area_contradicts", "warning", "kept", {"area": 200}),
    ("text box", edit(bbox=["4", "5.0", 10, 8]), "box_text", "warning", "repaired", {"bbox": [4, 5, 10, 8]}),
    ("words for a box", edit(bbox=["a", 5, 10, 8]), "box_not_numbers", "warning", "repaired", {"bbox": [4, 5, 10, 8]}),
    ("infinite box", edit(bbox=[4, 5, float("inf"), 8]), "box_not_numbers", "warning", "repaired",
     {"bbox": [4, 5, 10, 8]}),
    ("NaN box, no mask", edit(bbox=[4, 5, float("nan"), 8], **BOX_ONLY), "box_not_numbers", "error", "dropped", {}),
    ("bool box", edit(bbox=[True, 5, 10, 8], **BOX_ONLY), "box_not_numbers", "error", "dropped", {}),
    ("three numbers", edit(bbox=[4, 5, 10], **BOX_ONLY), "box_not_numbers", "error", "dropped", {}),
    ("huge box", edit(bbox=[4, 5, 10**400, 8], **BOX_ONLY), "box_not_numbers", "error", "dropped", {}),
    ("zero width", edit(bbox=[4, 5, 0, 8], **BOX_ONLY), "box_no_area", "error", "dropped", {}),
    ("negative height", edit(bbox=[4, 5, 10, -8], **BOX_ONLY), "box_no_area", "error", "dropped", {}),
    ("zero box with a mask", edit(bbox=[0, 0, 0, 0]), "box_no_area", "warning", "repaired", {"bbox": [4, 5, 10, 8]}),
    ("box outside", edit(bbox=[50, 5, 10, 8], **BOX_ONLY), "box_outside", "error", "dropped", {}),
    ("box beyond", edit(bbox=[36, 5, 10, 8], **BOX_ONLY, area=40), "box_clipped", "warning", "repaired",
     {"bbox": [36, 5, 4, 8]}),
    ("box before", edit(bbox=[-2.5, -1, 10, 8], **BOX_ONLY, area=50), "box_clipped", "warning", "repaired",
     {"bbox": [0, 0, 7.5, 7]}),
    ("no box but a mask", edit(bbox=...), "boxes_missing", "info", "kept", {}),
    ("empty box", edit(bbox=[]), "box_empty", "warning", "repaired", {}),
    ("box against its mask", edit(bbox=[14, 5, 10, 8]), "box_contradicts", "warning", "kept", {"bbox": [14, 5, 10, 8]}),
    ("tiny box", edit(bbox=[4, 5, 0.5, 8], area=4, **BOX_ONLY), "box_tiny", "warning", "kept", {}),
    ("neither box nor mask", edit(bbox=..., **BOX_ONLY), "annotation_empty", "error", "dropped", {}),
    ("null mask", edit(segmentation=None), "mask_empty", "warning", "repaired", {"segmentation": []}),
    ("empty object for a mask", edit(segmentation={}), "mask_empty", "warning", "repaired", {"segmentation": []}),
    ("list of nothing", edit(segmentation=[[]]), "mask_empty", "warning", "repaired", {"segmentation": []}),
    ("text for a mask", edit(segmentation="abc"), "mask_empty", "error", "repaired", {"segmentation": []}),
    ("two points", edit(segmentation=[[4, 5, 14, 13]]), "polygon_degenerate", "error", "repaired", {"segmentation": []}),
    ("odd coordinates", edit(segmentation=[[4, 5, 14, 5, 14, 13, 4]]), "polygon_degenerate", "error", "repaired",
     {"segmentation": []}),
    ("words in a polygon", edit(segmentation=[[4, 5, 14, 5, 14, "x"]]), "polygon_degenerate", "error", "repaired", {}),
    ("NaN in a polygon", edit(segmentation=[[4, 5, 14, 5, 14, float("nan")]]), "polygon_degenerate", "error",
     "repaired", {}),
    ("a line", edit(segmentation=[[4, 5, 14, 5, 4, 5]]), "polygon_degenerate", "warning", "repaired", {}),
    ("one bad part", edit(segmentation=[[4, 5, 14, 5, 14, 13, 4, 13], [1, 2]]), "polygon_degenerate", "warning",
     "repaired", {"segmentation": [[4, 5, 14, 5, 14, 13, 4, 13]]}),
    ("one empty part", edit(segmentation=[[4, 5, 14, 5, 14, 13, 4, 13], [1, 2, 1, 2, 1, 2]]), "polygon_degenerate",
     "warning", "repaired", {"segmentation": [[4, 5, 14, 5, 14, 13, 4, 13]]}),
    ("a flat polygon", edit(segmentation=[4, 5, 14, 5, 14, 13, 4, 13]), "polygon_rewritten", "warning", "repaired",
     {"segmentation": [[4, 5, 14, 5, 14, 13, 4, 13]]}),
    ("a polygon of pairs", edit(segmentation=[[[4, 5], [14, 5], [14, 13], [4, 13]]]), "polygon_rewritten", "warning",
     "repaired", {"segmentation": [[4, 5, 14, 5, 14, 13, 4, 13]]}),
    ("a polygon of text", edit(segmentation=[["4", 5, 14, 5, 14, 13, 4, 13]]), "polygon_rewritten", "warning",
     "repaired", {"segmentation": [[4, 5, 14, 5, 14, 13, 4, 13]]}),
    ("a polygon beyond", edit(segmentation=[[34, 5, 50, 5, 50, 13, 34, 13]], bbox=[34, 5, 6, 8], area=48),
     "polygon_clipped", "warning", "repaired", {"segmentation": [[34, 5, 40, 5, 40, 13, 34, 13]]}),
    ("a polygon outside", edit(segmentation=[[50, 5, 60, 5, 60, 13]]), "polygon_outside", "error", "repaired",
     {"segmentation": []}),
    ("short counts", edit(segmentation={**RLE, "counts": [125, 10]}), "rle_counts", "error", "repaired",
     {"segmentation": []}),
    ("negative counts", edit(segmentation={**RLE, "counts": [-5, 1205]}), "rle_counts", "error", "repaired", {}),
    ("counts of text", edit(segmentation={**RLE, "counts": ["x"]}), "rle_counts", "error", "repaired", {}),
    ("huge counts", edit(segmentation={**RLE, "counts": [10**30]}), "rle_counts", "error", "repaired", {}),
    ("no counts", edit(segmentation={"size": [30, 40]}), "rle_counts", "error", "repaired", {}),
    ("broken string", edit(segmentation={**RLE, "counts": "ooo"}), "rle_counts", "error", "repaired", {}),
    ("other size", edit(segmentation={**RLE, "size": [40, 30]}), "rle_size", "error", "repaired", {}),
    ("no size", edit(segmentation={"counts": [1200]}), "rle_size", "error", "repaired", {}),
    ("empty RLE", edit(segmentation={**RLE, "counts": [1200]}), "mask_empty", "warning", "repaired", {}),
    ("an RLE in a list", edit(segmentation=[RLE], bbox=[4, 5, 1, 10], area=10), "rle_rewritten", "warning", "repaired", {"segmentation": RLE}),
    ("Python's bytes", edit(segmentation={"size": [30, 40], "counts": r"b'Q31m000000TO6d0J\\O6d0J\\O6f00kk0'"}, bbox=[3, 7, 7, 9], area=34), "rle_rewritten", "warning", "repaired", {"segmentation": {"size": [30, 40], "counts": r"Q31m000000TO6d0J\O6d0J\O6f00kk0"}}),
    ("float counts", edit(segmentation={**RLE, "counts": [125.0, 10, 1065]}, bbox=[4, 5, 1, 10], area=10),
     "rle_rewritten", "warning", "repaired", {"segmentation": RLE}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code", "severity", "action", "holds"),
    [case[1:] for case in ANNOTATION_CASES],
    ids=[case[0] for case in ANNOTATION_CASES],
)
def test_faults_of_annotations(
    tmp_path: Path,
    change: Callable[[Document], None],
    code: str,
    severity: str,
    action: str,
    holds: dict[str, Any],
) -> None:
    document = good()
    change(document)
    found = check(tmp_path, copy.deepcopy(document))
    items = [item for item in found.report.items if item.code == code]
    assert [(item.severity, item.action) for item in items] == [(severity, action)]
    assert tally(found) == {"kept": (3, 0, 0), "repaired": (2, 1, 0), "dropped": (2, 0, 1)}[action]
    if action != "dropped":
        record = next(entry for entry in found.coco.annotations if entry.get("mine"))
        assert {key: record[key] for key in holds} == holds
    clean_strict = check(tmp_path, document, strict=True).report.ok
    assert clean_strict == (severity == "info")


def test_a_double_id_is_renumbered_on_the_later_record(tmp_path: Path) -> None:
    document = good()
    document["annotations"][2]["id"] = 10
    assert [entry["id"] for entry in check(tmp_path, document).coco.annotations] == [10, 11, 12]


def test_messages_name_the_known_classes_and_what_was_clipped(tmp_path: Path) -> None:
    document = good()
    document["annotations"][0]["category_id"] = 9
    document["annotations"][2] |= {"bbox": [20.5, 3.25, 39, 7], "segmentation": []}
    messages = {item.code: item for item in check(tmp_path, document).report.items}
    assert messages["category_unknown"].message == "category_id 9 is not in categories; known ids: 1, 3"
    assert (
        "reaches 19.5 px beyond the image of 40 x 30; 50.0% of it clipped away"
        in messages["box_clipped"].message
    )
    item = messages["box_clipped"]
    assert (item.file, item.image_id, item.annotation_id) == ("b.png", 2, 12)


def test_exact_copies_are_dropped_and_other_masks_kept(tmp_path: Path) -> None:
    document = good()
    copied = {**document["annotations"][0], "id": 20}
    other = {**copied, "id": 21, "segmentation": [[4, 5, 14, 5, 14, 12, 4, 13]]}
    document["annotations"] += [copied, other, {**copied, "id": 22, "category_id": 3}]
    found = check(tmp_path, document)
    codes = {item.annotation_id: (item.code, item.severity, item.action) for item in found.report.items}
    assert codes == {
        20: ("annotation_duplicate", "warning", "dropped"),
        21: ("box_duplicate", "warning", "kept"),
    }
    assert [entry["id"] for entry in found.coco.annotations] == [10, 11, 12, 21, 22]


def test_normalised_boxes_and_polygons_are_scaled(tmp_path: Path) -> None:
    document = good()
    del document["annotations"][1]
    for entry in document["annotations"]:
        x, y, w, h = entry["bbox"]
        entry["bbox"] = [x / 40, y / 30, w / 40, h / 30]
        entry["segmentation"] = [
            [value / (30 if place % 2 else 40) for place, value in enumerate(entry["segmentation"][0])]
        ]
        entry["area"] /= 1200
    found = check(tmp_path, document)
    assert {"boxes_normalised", "polygons_normalised"} <= {item.code for item in found.report.items}
    assert tally(found) == (0, 2, 0)
    assert found.coco.annotations[0]["bbox"] == pytest.approx([4, 5, 10, 8])
    assert found.coco.annotations[0]["segmentation"][0] == pytest.approx([4, 5, 14, 5, 14, 13, 4, 13])
    assert found.coco.annotations[0]["area"] == 80


def test_small_boxes_among_others_are_not_normalised(tmp_path: Path) -> None:
    document = good()
    document["annotations"][0] |= {"bbox": [0.1, 0.1, 0.8, 0.8], "segmentation": [], "area": 0.64}
    assert "boxes_normalised" not in {item.code for item in check(tmp_path, document).report.items}


IMAGE_CASES: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("string id", {"id": "1"}, "image_id_rewritten", "warning", "repaired"),
    ("not an object", {}, "image_not_an_object", "error", "dropped"),
    ("no name", {"file_name": None}, "file_name_missing", "error", "dropped"),
    ("number for a name", {"file_name": 7}, "file_name_missing", "error", "dropped"),
    ("name in a URL", {"file_name": None, "coco_url": "http://x/y/a%20b.png?z"}, "file_name_from_url", "warning",
     "repaired"),
    ("text size", {"width": "40"}, "image_size_text", "warning", "repaired"),
    ("no size", {"width": None}, "image_size_missing", "warning", "repaired"),
    ("absurd size", {"width": 10**9}, "image_size_missing", "warning", "repaired"),
    ("same file", {"file_name": "b.png"}, "file_name_duplicate", "warning", "kept"),
    ("not ASCII", {"file_name": "Käse.png"}, "file_name_not_ascii", "info", "kept"),
    ("half a surrogate", {"file_name": "\ud83d.png"}, "file_name_not_ascii", "info", "kept"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code", "severity", "action"),
    [case[1:] for case in IMAGE_CASES],
    ids=[case[0] for case in IMAGE_CASES],
)
def test_faults_of_image_records(
    tmp_path: Path, change: dict[str, Any], code: str, severity: str, action: str
) -> None:
    document = good()
    document["images"][0].update(change)
    if not change:
        document["images"][0] = "a.png"  # type: ignore[call-overload]
    found = check(tmp_path, document)
    items = [item for item in found.report.items if item.code == code]
    assert [(item.severity, item.action) for item in items] == [(severity, action)]
    assert tally(found, "images") == {"kept": (2, 0, 0), "repaired": (1, 1, 0), "dropped": (1, 0, 1)}[action]
    assert tally(found) == ((1, 0, 2) if action == "dropped" else (3, 0, 0))
    found.report.write(tmp_path / "report.json")


def test_without_size_file_or_rle_an_image_is_dropped(tmp_path: Path) -> None:
    document = good()
    document["images"][1]["width"] = 0
    found = check(tmp_path, document)
    assert tally(found, "images") == (1, 0, 1)
    assert tally(found) == (2, 0, 1)


def test_double_image_ids(tmp_path: Path) -> None:
    document = good()
    document["images"] += [dict(document["images"][0]), {**document["images"][0], "file_name": "c.png"}]
    found = check(tmp_path, document)
    severities = {item.code: item.severity for item in found.report.items}
    assert severities == {"image_duplicate": "warning", "image_duplicate_id": "error"}
    assert tally(found, "images") == (2, 0, 2)
    assert tally(found) == (3, 0, 0)


def test_labels_for_ids_are_numbered_alike_everywhere(tmp_path: Path) -> None:
    document = good()
    document["images"][0]["id"] = "left"
    document["categories"][0]["id"] = "kind a"
    document["annotations"][0] |= {"image_id": "left", "category_id": "kind a"}
    document["annotations"][1]["image_id"] = "left"
    found = check(tmp_path, document)
    assert found.coco.image_ids == [3, 2]
    assert [entry["image_id"] for entry in found.coco.annotations] == [3, 3, 2]
    assert [entry["category_id"] for entry in found.coco.annotations] == [4, 3, 3]


def test_an_orphan_does_not_fall_to_an_image_that_was_just_numbered(tmp_path: Path) -> None:
    document = good()
    document["images"].append({"file_name": "c.png", "width": 40, "height": 30})
    document["annotations"][0]["image_id"] = 3
    found = check(tmp_path, document)
    assert found.coco.image_ids == [1, 2, 3]
    assert "annotation_orphan" in {item.code for item in found.report.items}
    assert found.coco.annotations_of(3) == []


def test_double_categories(tmp_path: Path) -> None:
    document = good()
    document["categories"] += [
        {"id": 3, "name": "cone"},
        {"id": 1, "name": "crate"},
        {"id": 5, "name": " box "},
        {"id": 6},
        {"name": "lost"},
        "pallet",
    ]
    document["annotations"][2]["category_id"] = 5
    found = check(tmp_path, document)
    assert [(entry["id"], entry["name"]) for entry in found.coco.categories] == [
        (1, "box"),
        (3, "cone"),
        (6, "class_6"),
    ]
    assert found.coco.annotations[2]["category_id"] == 1
    severities = {item.code: item.severity for item in found.report.items}
    assert severities == {
        "category_duplicate": "warning",
        "category_duplicate_id": "error",
        "category_duplicate_name": "warning",
        "category_name": "warning",
        "category_without_id": "error",
        "category_not_an_object": "error",
        "category_merged": "warning",
        "category_unused": "info",
    }


@pytest.mark.parametrize("categories", [..., [], None, {"1": "box"}])
def test_without_categories_classes_are_named_after_their_ids(tmp_path: Path, categories: Any) -> None:
    document = good()
    document["categories"] = categories
    if categories is ...:
        del document["categories"]
    found = check(tmp_path, document)
    assert found.coco.class_names == ["class_1", "class_3"]
    assert tally(found) == (3, 0, 0)
    assert "categories_missing" in {item.code for item in found.report.items}
