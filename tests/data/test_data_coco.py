"""A COCO set in memory: lookups, images through the cache, detections, parts, and writing it again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nbhelpers.data.cache import ImageCache
from nbhelpers.data.coco import CocoSet, load_coco
from nbhelpers.data.masks import mask_to_rle
from nbhelpers.errors import BadInput


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index, name in enumerate(("a.png", "b.png")):
        Image.new("RGB", (40, 30), (index * 100, 0, 0)).save(tmp_path / name)
    half = np.zeros((30, 40), dtype=bool)
    half[:, 20:] = True
    document: dict[str, Any] = {
        "info": {"year": 2026},
        "licenses": [],
        "images": [
            {"id": 7, "file_name": "a.png", "width": 40, "height": 30},
            {"id": 3, "file_name": "b.png", "width": 40, "height": 30},
        ],
        "categories": [{"id": 9, "name": "cone"}, {"id": 2, "name": "box"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 9, "bbox": [4, 5, 10, 8], "iscrowd": 0, "area": 80},
            {
                "id": 2,
                "image_id": 7,
                "category_id": 2,
                "segmentation": mask_to_rle(half),
                "iscrowd": 1,
                "area": 600,
            },
            {"id": 3, "image_id": 3, "category_id": 2, "bbox": [0, 0, 2, 2], "iscrowd": 0, "area": 4},
        ],
    }
    (tmp_path / "set.json").write_text(json.dumps(document))
    return tmp_path


@pytest.fixture
def coco(folder: Path) -> CocoSet:
    return load_coco(folder / "set.json")


def test_classes_are_in_the_order_of_their_ids(coco: CocoSet) -> None:
    assert coco.class_names == ["box", "cone"]
    assert coco.class_index == {2: 0, 9: 1}


def test_lookups(coco: CocoSet, folder: Path) -> None:
    assert coco.image_ids == [7, 3]
    assert [entry["id"] for entry in coco.annotations_of(7)] == [1, 2]
    assert coco.annotations_of(99) == []
    assert coco.image_path(3) == folder / "b.png"
    with pytest.raises(BadInput, match="no image with id 99"):
        coco.image(99)


def test_images_are_read_once_and_handed_out_as_copies(coco: CocoSet, folder: Path) -> None:
    first = coco.image(3)
    assert first.shape == (30, 40, 3)
    assert first.dtype == np.uint8
    first[:] = 255
    (folder / "b.png").unlink()
    assert coco.image(3)[0, 0].tolist() == [100, 0, 0]


def test_a_missing_image_names_where_it_was_looked_for(coco: CocoSet, folder: Path) -> None:
    (folder / "b.png").unlink()
    with pytest.raises(BadInput, match=r"image 3: 'b\.png' is missing in"):
        coco.image(3)


def test_the_cache_is_bounded_and_drops_the_oldest() -> None:
    cache = ImageCache(limit_mib=1)
    pixels = np.zeros((400, 300, 3), dtype=np.uint8)  # 0.34 MiB
    for key in (1, 2):
        cache.put(key, pixels)
    assert cache.get(1) is not None
    cache.put(3, pixels)
    assert [cache.get(key) is not None for key in (1, 2, 3)] == [True, False, True]
    assert cache.bytes == 2 * pixels.nbytes
    cache.put(4, np.zeros((1000, 1000, 3), dtype=np.uint8))
    assert cache.get(4) is None


def test_detections(coco: CocoSet) -> None:
    found = coco.detections(7)
    assert found.xyxy.tolist() == [[4, 5, 14, 13], [20, 0, 40, 30]]
    assert found.xyxy.dtype == np.float32
    assert found.class_id.tolist() == [1, 0]
    assert found.data["class_name"].tolist() == ["cone", "box"]
    assert found.data["iscrowd"].tolist() == [False, True]
    assert found.mask.shape == (2, 30, 40)
    assert [int(mask.sum()) for mask in found.mask] == [0, 600]
    assert len(coco.detections(7, crowds=False)) == 1
    assert coco.detections(7, crowds=False).mask is None


def test_an_image_without_annotations_has_no_detections(coco: CocoSet) -> None:
    coco.annotations.clear()
    assert len(coco.detections(3)) == 0


def test_subset_and_round_trip(coco: CocoSet, folder: Path) -> None:
    part = coco.subset([3])
    assert part.image_ids == [3]
    assert [entry["id"] for entry in part.annotations] == [3]
    assert part.categories == coco.categories
    assert part.image(3).shape == (30, 40, 3)
    with pytest.raises(BadInput, match="no image with id 5"):
        coco.subset([5])
    again = load_coco(coco.save(folder / "copy.json"))
    assert again.to_dict() == coco.to_dict() == json.loads((folder / "set.json").read_text())


def test_what_numpy_and_nan_leave_in_records_is_written_as_json(coco: CocoSet, folder: Path) -> None:
    coco.annotations[0]["bbox"] = np.array([1, 2, 3, 4.5])
    coco.annotations[0]["score"] = float("nan")
    written = json.loads(coco.save(folder / "copy.json").read_text())["annotations"][0]
    assert written["bbox"] == [1, 2, 3, 4.5]
    assert written["score"] is None


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("images", {"id": "7"}),
        ("images", {"file_name": None}),
        ("annotations", {"image_id": True}),
        ("annotations", {"category_id": None}),
        ("categories", {"name": 3}),
    ],
)
def test_unsound_records_are_named_with_the_mend(folder: Path, kind: str, change: dict[str, Any]) -> None:
    document = json.loads((folder / "set.json").read_text())
    document[kind][1].update(change)
    (folder / "set.json").write_text(json.dumps(document))
    with pytest.raises(BadInput, match=rf"{kind}\[1\]: '{next(iter(change))}' .*validate-dataset"):
        load_coco(folder / "set.json")


def test_the_folder_of_images_can_be_given(folder: Path) -> None:
    (folder / "pictures" / "deep").mkdir(parents=True)
    (folder / "a.png").rename(folder / "pictures" / "deep" / "a.png")
    coco = load_coco(folder / "set.json", folder / "pictures")
    assert coco.image_path(7) == folder / "pictures" / "deep" / "a.png"
    with pytest.raises(BadInput, match="missing"):
        coco.image_path(3)


def test_real_photographs(shared_data: Path) -> None:
    coco = load_coco(shared_data / "coco/nuts/trainval.json")
    assert coco.class_names == ["date", "fig", "hazelnut"]
    total = 0
    for image_id in coco.image_ids:
        found = coco.detections(image_id)
        total += len(found)
        for box, mask in zip(found.xyxy, found.mask, strict=True):
            ys, xs = np.nonzero(mask)
            np.testing.assert_allclose(box, [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], atol=2)
    assert total == 165
