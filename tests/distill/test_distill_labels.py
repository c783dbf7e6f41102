"""COCO to YOLO labels: links, counts, and what the single polygon of the format keeps."""

import json

import numpy as np
import pytest
from PIL import Image

from nbhelpers.data import load_coco, mask_to_rle
from nbhelpers.distill.contours import filled, single_contour
from nbhelpers.distill.labels import round_trip_iou, write_training_folder
from nbhelpers.errors import BadInput
from nbhelpers.metrics import mask_iou


def ring(hole=True, parts=1):
    mask = np.zeros((120, 160), bool)
    y, x = np.mgrid[:120, :160]
    for part in range(parts):
        distance = np.hypot(x - 40 - 70 * part, y - 60)
        mask |= (distance < 30) & ((distance > 12) | (not hole))
    return mask


@pytest.mark.parametrize(
    ("hole", "parts", "least"), [(False, 1, 1.0), (True, 1, 0.99), (False, 2, 0.99), (True, 2, 0.98)]
)
def test_holes_and_parts_survive(hole, parts, least):
    mask = ring(hole, parts)
    drawn = filled(single_contour(mask), *mask.shape)
    assert mask_iou(mask[None], drawn[None])[0, 0] >= least
    if hole:
        assert not drawn[60, 40]


def test_specks_and_nothing():
    speck = np.zeros((10, 10), bool)
    speck[4, 5] = True
    path = single_contour(speck)
    assert len(path) == 3 and filled(path, 10, 10)[4, 5] and filled(path, 10, 10).sum() == 1
    assert single_contour(np.zeros((10, 10), bool)).shape == (0, 2)


def a_set(tmp_path, annotations, suffix=".png", categories=("a", "b")):
    (tmp_path / "images").mkdir(parents=True)
    Image.new("RGB", (160, 120)).save(tmp_path / "images" / f"x{suffix}")
    document = {
        "images": [{"id": 1, "file_name": f"x{suffix}", "width": 160, "height": 120}],
        "annotations": [{"id": i + 1, "image_id": 1, "iscrowd": 0, **a} for i, a in enumerate(annotations)],
        "categories": [{"id": 10 * i + 5, "name": n} for i, n in enumerate(categories)],
    }
    (tmp_path / "set.json").write_text(json.dumps(document))
    return load_coco(tmp_path / "set.json")


POLYGON = {
    "category_id": 15,
    "segmentation": [[10, 10, 50, 10, 50, 40]],
    "bbox": [10, 10, 40, 30],
    "area": 600,
}


def test_the_folder(tmp_path):
    rle = {"category_id": 5, "segmentation": mask_to_rle(ring()), "bbox": [10, 30, 60, 60], "area": 2000}
    crowd = POLYGON | {"iscrowd": 1}
    coco = a_set(tmp_path, [POLYGON, rle, crowd, {"category_id": 5, "bbox": [80, 30, 40, 60], "area": 2400}])
    data, reports = write_training_folder(
        {"train": coco, "val": coco}, tmp_path / "yolo", "segment", ["a", "b"], False
    )
    report = reports["train"]
    assert (report.images, report.objects, report.crowds, report.boxes_as_masks, report.joined) == (
        1,
        3,
        1,
        1,
        1,
    )
    assert 0.98 < report.least_iou <= report.mean_iou <= 1.0
    image = tmp_path / "yolo" / "images" / "train" / "0000000.png"
    assert image.is_symlink() and image.resolve() == (tmp_path / "images" / "x.png").resolve()
    rows = (tmp_path / "yolo" / "labels" / "train" / "0000000.txt").read_text().splitlines()
    assert [row.split()[0] for row in rows] == ["1", "0", "0"]
    triangle = np.array(rows[0].split()[1:], float).reshape(-1, 2) * [160, 120]
    np.testing.assert_allclose(triangle, [[10, 10], [50, 10], [50, 40]], atol=1e-3)
    import yaml

    assert yaml.safe_load(data.read_text())["names"] == {0: "a", 1: "b"}


def test_boxes_and_class_agnostic(tmp_path):
    coco = a_set(tmp_path, [POLYGON])
    write_training_folder({"train": coco}, tmp_path / "yolo", "detect", ["object"], True)
    row = (tmp_path / "yolo" / "labels" / "train" / "0000000.txt").read_text().split()
    assert row[0] == "0"
    np.testing.assert_allclose(np.array(row[1:], float), [30 / 160, 25 / 120, 40 / 160, 30 / 120], atol=1e-6)


def test_images_it_cannot_train_on_are_refused(tmp_path):
    coco = a_set(tmp_path, [POLYGON], suffix=".gif")
    with pytest.raises(BadInput, match=r"cannot be trained on as \.gif; prepare the set first"):
        write_training_folder({"train": coco}, tmp_path / "yolo", "segment", ["a", "b"], False)


def test_real_polygons_round_trip(shared_data):
    coco = load_coco(shared_data / "coco" / "nuts" / "trainval.json")
    overlaps = [round_trip_iou(item["segmentation"], 600, 800) for item in coco.annotations]
    assert len(overlaps) == 165 and min(overlaps) > 0.99
