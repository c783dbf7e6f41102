"""Maps of teachers from disk to a batch: right image, right place, bounded memory, broken files."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from nbhelpers.data import load_coco
from nbhelpers.distill.alignment import map_of_input
from nbhelpers.distill.batches import student_batches
from nbhelpers.distill.outputs import Placement
from nbhelpers.distill.teacher_targets import TeacherTargets
from nbhelpers.errors import BadInput
from nbhelpers.teach.grounded_sam import FeatureMap, save_features

WHOLE = (0.0, 0.0, 1.0, 1.0)


@pytest.fixture
def coco(tmp_path):
    """Four images of 64x48, each of one gray, with one object."""
    images, annotations = [], []
    (tmp_path / "images").mkdir()
    for number in range(1, 5):
        name = f"{number}.png"
        Image.fromarray(np.full((48, 64, 3), number * 50, np.uint8)).save(tmp_path / "images" / name)
        images.append({"id": number, "file_name": name, "width": 64, "height": 48})
        annotations.append(
            {"id": number, "image_id": number, "category_id": 1, "bbox": [8, 8, 20, 20], "area": 400,
             "iscrowd": 0}
        )  # fmt: skip
    path = tmp_path / "set.json"
    categories = [{"id": 1, "name": "thing"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return load_coco(path, tmp_path / "images")


def write(folder, numbers=(1, 2, 3, 4), channels=2, extra=()):
    for number in numbers:
        values = np.full((channels, 4, 4), float(number), np.float32)
        maps = {"sam": FeatureMap(values, (0.0, 0.0, 1.0, 0.75)), **dict(extra)}
        save_features(folder / f"{number}.npz", maps)
    return folder


def test_each_place_of_a_batch_has_the_map_of_the_image_seen_there(tmp_path, coco):
    teacher = TeacherTargets(write(tmp_path / "f"), coco, stride_px=4)
    assert teacher.channels == {"sam": 2}
    assert teacher.missing == []
    batches = student_batches(coco, 64, 4, seed=0, epochs=4, masks=False, teacher=teacher, close_mosaic=0.25)
    for number in (0, 1, 3):
        batch = batches(number)
        values, valid = batch.teacher_maps["sam"]
        assert values.shape == (4, 2, 16, 16)
        assert valid.shape == (4, 1, 16, 16)
        seen = 0
        for row, placements in enumerate(batch.placements):
            for place in placements:
                left, top, right, bottom = (np.array(place.region) / 4).round(6)
                own = values[row, :, int(np.ceil(top)) : int(bottom), int(np.ceil(left)) : int(right)]
                assert (own - place.image_id).abs().max() < 1e-3 if own.numel() else True
                seen += own.numel()
        assert seen > 4 * 2 * 16 * 16 * 0.2
        assert valid[..., 0, 0].max() <= 1
        again = batches(number).teacher_maps["sam"]
        assert torch.equal(again[0], values)
        assert torch.equal(again[1], valid)


def test_images_no_teacher_looked_at_count_as_not_seen(tmp_path, coco):
    teacher = TeacherTargets(write(tmp_path / "f", (1, 3)), coco)
    assert teacher.missing == [2, 4]
    assert teacher.maps_of(2) == {}
    batch = student_batches(coco, 64, 8, seed=0, epochs=1, masks=False, teacher=teacher, close_mosaic=1.0)(0)
    _, valid = batch.teacher_maps["sam"]
    for row, placements in enumerate(batch.placements):
        ids = {place.image_id for place in placements}
        assert bool(valid[row].any()) == bool(ids & {1, 3})


def test_no_features_at_all_is_an_error(tmp_path, coco):
    with pytest.raises(BadInput, match="holds no features of the images"):
        TeacherTargets(tmp_path / "nowhere", coco)


def test_files_of_other_teachers_or_damaged_ones_are_named(tmp_path, coco):
    folder = write(tmp_path / "f", (1, 2))
    write(folder, (3,), channels=5)
    (folder / "4.npz").write_bytes(b"half a file")
    teacher = TeacherTargets(folder, coco)
    with pytest.raises(BadInput, match=r"3\.npz: has maps of {'sam': 5}, other files of {'sam': 2}"):
        teacher.maps_of(3)
    with pytest.raises(BadInput, match=r"4\.npz"):
        teacher.maps_of(4)


def test_memory_is_bounded_and_changes_nothing(tmp_path, coco):
    folder = write(tmp_path / "f")
    one = 2 * 4 * 4 * 2  # bytes of a map in half precision
    small = TeacherTargets(folder, coco, cache_mib=2.5 * one / 2**20)
    large = TeacherTargets(folder, coco)
    for number in (1, 2, 3, 4, 1, 3):
        assert torch.equal(small.maps_of(number)["sam"].values, large.maps_of(number)["sam"].values)
        assert small._bytes <= 2.5 * one
        assert len(small._held) <= 2
    assert small.maps_of(3)["sam"].values is small.maps_of(3)["sam"].values
    none = TeacherTargets(folder, coco, cache_mib=0)
    assert none.maps_of(2)["sam"].values[0, 0, 0] == 2
    assert not none._held


def test_the_fingerprint_follows_what_the_files_hold(tmp_path, coco):
    folder = write(tmp_path / "f")
    before = TeacherTargets(folder, coco).fingerprint
    assert TeacherTargets(folder, coco).fingerprint == before
    assert TeacherTargets(folder, coco, stride_px=8).fingerprint != before
    values = np.full((2, 4, 4), 9.0, np.float32)
    save_features(folder / "2.npz", {"sam": FeatureMap(values, WHOLE)})
    assert TeacherTargets(folder, coco).fingerprint != before


def test_several_teachers_each_have_their_grid(tmp_path, coco):
    dino = FeatureMap(np.arange(3 * 6 * 8, dtype=np.float32).reshape(3, 6, 8), WHOLE)
    teacher = TeacherTargets(write(tmp_path / "f", extra=[("grounding_dino", dino)]), coco)
    assert teacher.channels == {"sam": 2, "grounding_dino": 3}
    found = teacher.maps_of(1)["grounding_dino"]
    assert found.image_size == (64, 48)
    place = Placement(1, np.array([[1.0, 0, 0], [0, 1.0, 0]]), (0.0, 0.0, 64.0, 48.0))
    values, _ = map_of_input([(found, place)], 3, 64, (8, 8))
    assert torch.allclose(values[:, :6], torch.from_numpy(dino.map), atol=1e-4)
