"""Every fault a COCO document can have: what is found, what is done, and that it all adds up."""

# ruff: noqa: E501 - the tables of cases read best with one case a line

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbhelpers.data.validate import Validation, validate
from nbhelpers.errors import BadInput

Document = dict[str, Any]


def good() -> Document:
    """Two images, three annotations with polygons, RLE and a plain box: nothing to find."""
    return {
        "info": {"year": 2026, "mine": [1, 2]},
        "licenses": [{"id": 1, "name": "none"}],
        "images": [
            {"id": 1, "file_name": "a.png", "width": 40, "height": 30, "license": 1},
            {"id": 2, "file_name": "b.png", "width": 40, "height": 30},
        ],
        "categories": [{"id": 1, "name": "box"}, {"id": 3, "name": "cone", "supercategory": "thing"}],
        "annotations": [
            {"id": 10, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [4, 5, 10, 8], "area": 80.0,
             "segmentation": [[4, 5, 14, 5, 14, 13, 4, 13]], "mine": {"kept": True}},
            {"id": 11, "image_id": 1, "category_id": 3, "iscrowd": 1, "bbox": [1, 0, 2, 30],
             "area": 60.0, "segmentation": {"size": [30, 40], "counts": [30, 60, 1110]}},
            {"id": 12, "image_id": 2, "category_id": 3, "iscrowd": 0, "bbox": [20.5, 3.25, 6, 7],
             "area": 42.0, "segmentation": [[20.5, 3, 26, 4, 27, 10, 20, 10]]},
        ],
    }  # fmt: skip


def check(folder: Path, document: Any, **options: Any) -> Validation:
    text = document if isinstance(document, str) else json.dumps(document)
    (folder / "set.json").write_text(text)
    found = validate(folder / "set.json", **{"decode": "none", **options})
    report = found.report.to_dict()
    for kind in ("images", "annotations"):
        counts = report[kind]
        assert counts["in"] == counts["kept"] + counts["repaired"] + counts["dropped"]
        if not isinstance(document, str):
            assert counts["in"] == len(document[kind])
    return found


def tally(found: Validation, kind: str = "annotations") -> tuple[int, int, int]:
    counts = getattr(found.report, kind)
    return counts.kept, counts.repaired, counts.dropped


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
