"""Which mode a set has, with every spelling of a mask, and what follows from it."""

import json
from dataclasses import replace

import pytest
from prepare_sets import records

from nbhelpers.data import detect_mode, load_coco, mode_config, write_mode_config
from nbhelpers.distill import student_for
from nbhelpers.errors import BadInput

TRIANGLE = [[1, 1, 9, 1, 1, 9]]
RECTANGLE = [[1, 1, 9, 1, 9, 9, 1, 9]]
RLE = {"size": [48, 64], "counts": "0a0"}


def with_entries(*entries):
    coco = records({1: [1] * len(entries)})
    bare = [{key: entry[key] for key in ("id", "image_id", "category_id")} for entry in coco.annotations]
    return replace(coco, annotations=[{**one, **more} for one, more in zip(bare, entries, strict=True)])


BOX = {"bbox": [1, 1, 8, 8]}


@pytest.mark.parametrize(
    ("entries", "mode"),
    [
        ([BOX], "detection"),
        ([BOX | {"segmentation": []}], "detection"),
        ([BOX | {"segmentation": [[1, 2, 3, 4]]}], "detection"),
        ([BOX | {"segmentation": RECTANGLE}], "detection"),
        ([BOX | {"segmentation": TRIANGLE}], "detection_and_segmentation"),
        ([BOX | {"segmentation": RLE}], "detection_and_segmentation"),
        ([{"segmentation": TRIANGLE}], "segmentation"),
        ([{"segmentation": RLE}], "segmentation"),
        ([{"segmentation": RLE, "bbox": [0, 0, 0, 0]}], "segmentation"),
        ([{"segmentation": RLE, "bbox": []}], "segmentation"),
        ([BOX | {"segmentation": TRIANGLE}] * 9 + [BOX], "detection_and_segmentation"),
        ([BOX | {"segmentation": TRIANGLE}] * 8 + [BOX] * 2, "detection"),
        ([{"segmentation": TRIANGLE}] * 6 + [BOX | {"segmentation": TRIANGLE}] * 4, "segmentation"),
        (
            [BOX | {"segmentation": RECTANGLE}] * 5 + [BOX | {"segmentation": TRIANGLE}],
            "detection_and_segmentation",
        ),
        ([BOX | {"segmentation": RECTANGLE}] * 40 + [BOX | {"segmentation": TRIANGLE}], "detection"),
        ([BOX, {"segmentation": RLE, "iscrowd": 1}], "detection"),
        ([{"segmentation": RLE, "iscrowd": 1}], "segmentation"),
    ],
)
def test_mode_by_shares(entries, mode):
    assert detect_mode(with_entries(*entries)) == mode


def test_recorded_mode_wins_and_nonsense_does_not():
    coco = with_entries(BOX | {"segmentation": TRIANGLE})
    assert detect_mode(replace(coco, info={"annotation_mode": "segmentation"})) == "segmentation"
    assert detect_mode(replace(coco, info={"annotation_mode": "video"})) == "detection_and_segmentation"


def test_no_annotation_is_an_error():
    with pytest.raises(BadInput, match="holds no annotation"):
        detect_mode(records({1: []}))


def test_real_sets(shared_data):
    nuts = load_coco(shared_data / "coco/nuts/trainval.json")
    odd = load_coco(shared_data / "coco/odd/mmdet_coco_wrong_format_sample.json")
    assert detect_mode(nuts) == "detection_and_segmentation"
    assert detect_mode(odd) == "detection"
    assert mode_config(nuts)["class_mapping"] == {"1": "date", "2": "fig", "3": "hazelnut"}


@pytest.mark.parametrize(
    ("entry", "student", "teachers"),
    [
        (BOX, "yolov8", ["grounding_dino"]),
        ({"segmentation": TRIANGLE}, "fastsam", ["sam"]),
        (BOX | {"segmentation": TRIANGLE}, "yolov8_seg", ["grounding_dino", "sam"]),
    ],
)
def test_recommendation(entry, student, teachers):
    config = mode_config(with_entries(entry))
    assert (config["recommended_student"], config["recommended_teachers"]) == (student, teachers)
    assert student_for(config["annotation_mode"]) == student


def test_config_keys_and_order_of_classes(tmp_path):
    coco = replace(with_entries(BOX), categories=[{"id": 10, "name": "b"}, {"id": 9, "name": "a"}])
    config = mode_config(replace(coco, annotations=[{**coco.annotations[0], "category_id": 9}]))
    assert list(config) == [
        "annotation_mode",
        "num_classes",
        "class_mapping",
        "recommended_teachers",
        "recommended_student",
        "distillation_config",
    ]
    assert list(config["class_mapping"].items()) == [("9", "a"), ("10", "b")]
    path = write_mode_config(tmp_path, config)
    assert path.name == ".mode_config.json"
    assert json.loads(path.read_text()) == config
