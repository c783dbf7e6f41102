"""Drawn scenes: masks are what was painted, sets are reproducible, labels are honest."""

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nbhelpers.artifacts import read_json, sha256_file
from nbhelpers.data.masks import to_mask
from nbhelpers.data.scenes import BASE_CLASSES, WORLDS, draw_scenes, find_world
from nbhelpers.data.scenes.annotate import annotations_of, segmentation_of
from nbhelpers.data.scenes.mesh import cuboid, may_hide, paint_order, turned
from nbhelpers.data.scenes.raster import MIN_AREA_PX, MIN_VISIBLE, downsample_ids
from nbhelpers.data.scenes.render import render_scene
from nbhelpers.errors import BadInput

COUNT = 12


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    draw_scenes(folder, COUNT, (96, 80), seed=3)
    return folder


@pytest.fixture(scope="module")
def document(drawn: Path) -> dict:
    return read_json(drawn / "scenes.json")


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in sorted(folder.glob("images/*"))}


def test_masks_of_the_file_are_the_id_map(document: dict) -> None:
    for image in document["images"][:6]:
        scene = render_scene(image["id"] - 1, (96, 80), seed=3)
        found = [a for a in document["annotations"] if a["image_id"] == image["id"]]
        assert [document["categories"][a["category_id"] - 1]["name"] for a in found] == list(scene.names)
        for index, annotation in enumerate(found, start=1):
            assert np.array_equal(to_mask(annotation["segmentation"], 80, 96), scene.ids == index)


def test_box_and_area_are_exact(document: dict) -> None:
    for annotation in document["annotations"]:
        rows, columns = np.nonzero(to_mask(annotation["segmentation"], 80, 96))
        left, top, width, height = annotation["bbox"]
        assert (left, top) == (columns.min(), rows.min())
        assert (left + width, top + height) == (columns.max() + 1, rows.max() + 1)
        assert annotation["area"] == len(rows) >= MIN_AREA_PX
        assert annotation["iscrowd"] == 0


def test_masks_do_not_overlap_and_both_spellings_occur(document: dict) -> None:
    for image in document["images"]:
        masks = [
            to_mask(a["segmentation"], 80, 96)
            for a in document["annotations"]
            if a["image_id"] == image["id"]
        ]
        assert np.sum(masks, axis=0).max() == 1
    kinds = {type(a["segmentation"]) for a in document["annotations"]}
    assert kinds == {list, dict}


def test_images_match_their_records(drawn: Path, document: dict) -> None:
    assert [c["name"] for c in document["categories"]] == list(BASE_CLASSES)
    assert [c["id"] for c in document["categories"]] == [1, 2, 3, 4, 5, 6]
    assert len(document["images"]) == len(list(drawn.glob("images/*.jpg"))) == COUNT
    for image in document["images"]:
        with Image.open(drawn / "images" / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"]) == (96, 80)
            assert picture.mode == "RGB"


def test_the_set_loads_and_is_valid(drawn: Path) -> None:
    from nbhelpers.data.coco import load_coco

    coco = load_coco(drawn / "scenes.json")
    assert coco.class_names == list(BASE_CLASSES)
    detections = coco.detections(coco.image_ids[0])
    assert coco.image(coco.image_ids[0]).shape == (80, 96, 3)
    assert detections.mask is not None and len(detections.mask) == len(detections) > 0


def test_two_runs_write_the_same_bytes_and_a_prefix(drawn: Path, tmp_path: Path, document: dict) -> None:
    draw_scenes(tmp_path, 5, (96, 80), seed=3)
    few = read_json(tmp_path / "scenes.json")
    assert few["annotations"] == document["annotations"][: len(few["annotations"])]
    assert few["images"] == document["images"][:5]
    assert hashes(tmp_path) == {k: v for k, v in hashes(drawn).items() if k in hashes(tmp_path)}
    draw_scenes(tmp_path, COUNT, (96, 80), seed=3)
    assert (tmp_path / "scenes.json").read_bytes() == (drawn / "scenes.json").read_bytes()
    assert hashes(tmp_path) == hashes(drawn)


def test_only_missing_or_harmed_scenes_are_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbhelpers.data.scenes import render

    draw_scenes(tmp_path, 4, (64, 64))
    before = hashes(tmp_path)
    (tmp_path / "images" / "scene_00001.jpg").unlink()
    (tmp_path / "images" / "scene_00002.jpg").write_bytes(b"cut short")
    calls: list[int] = []
    original = render.render_scene
    monkeypatch.setattr(
        render, "render_scene", lambda index, *rest: calls.append(index) or original(index, *rest)
    )
    draw_scenes(tmp_path, 5, (64, 64))
    assert calls == [1, 2, 4]
    assert {k: v for k, v in hashes(tmp_path).items() if k in before} == before


def test_other_seed_size_or_world_is_another_set(tmp_path: Path) -> None:
    draw_scenes(tmp_path, 2, (64, 64), seed=0)
    first = hashes(tmp_path)
    draw_scenes(tmp_path, 2, (64, 64), seed=1)
    assert all(first[name] != value for name, value in hashes(tmp_path).items())
    coco = draw_scenes(tmp_path, 2, (64, 64), seed=0, world="shifted")
    assert coco.class_names == [*BASE_CLASSES, "ladder", "pallet_jack"]


@pytest.mark.parametrize("world", ["base", "shifted"])
def test_everything_visible_is_labelled_and_nothing_else(world: str) -> None:
    for index in range(8):
        scene = render_scene(index, (128, 128), seed=5, world=world)
        areas = np.bincount(scene.ids.ravel(), minlength=len(scene.names) + 1)[1:]
        assert scene.ids.max() <= len(scene.names) == len(scene.visible)
        assert 2 <= len(scene.names) <= 8
        assert (areas >= MIN_AREA_PX).all()
        assert min(scene.visible) >= MIN_VISIBLE


def test_objects_have_the_promised_size() -> None:
    for index in range(10):
        scene = render_scene(index, (160, 160), seed=9)
        for number, share in enumerate(scene.visible, start=1):
            rows, columns = np.nonzero(scene.ids == number)
            side = max(np.ptp(rows), np.ptp(columns)) + 1
            assert side <= 0.46 * 160
            assert share < 0.99 or side >= 0.05 * 160


@pytest.mark.slow
def test_classes_are_dealt_evenly_and_light_varies() -> None:
    scenes = [render_scene(index, (96, 96), seed=11) for index in range(120)]
    names, counts = np.unique([name for scene in scenes for name in scene.names], return_counts=True)
    assert list(names) == sorted(BASE_CLASSES)
    assert counts.min() > 0.7 * counts.max()
    brightness = [scene.image.mean() for scene in scenes]
    assert np.ptp(brightness) > 60
    assert all(scene.image.std() > 8 for scene in scenes)


def test_scenes_are_drawn_in_time() -> None:
    render_scene(0, (160, 160))
    start = time.process_time()
    for index in range(1, 6):
        render_scene(index, (160, 160))
    # About 0.04 s each on one idle core; the bound leaves room for slow and busy machines.
    assert (time.process_time() - start) / 5 < 0.4


def test_line_widths_and_layout_scale_with_the_size() -> None:
    small, large = render_scene(2, (64, 64), seed=1), render_scene(2, (256, 256), seed=1)
    assert small.image.shape == (64, 64, 3) and large.image.shape == (256, 256, 3)
    shared = [name for name in small.names if name in large.names]
    assert len(shared) >= min(len(small.names), len(large.names)) - 1
    foreground = [(scene.ids > 0).mean() for scene in (small, large)]
    assert foreground[0] == pytest.approx(foreground[1], abs=0.04)


def test_shifted_world_is_darker_and_mirrored() -> None:
    base = np.mean([render_scene(i, (64, 64)).image.mean() for i in range(8)])
    shifted = np.mean([render_scene(i, (64, 64), world="shifted").image.mean() for i in range(8)])
    assert shifted < 0.7 * base
    plain = dataclasses.replace(WORLDS["shifted"], mirror=False)
    mirrored, straight = render_scene(0, (64, 64), world="shifted"), render_scene(0, (64, 64), world=plain)
    assert np.array_equal(mirrored.ids, straight.ids[:, ::-1])
    assert np.array_equal(mirrored.image, straight.image[:, ::-1])


def test_a_mask_with_a_hole_is_stored_as_rle_and_a_plain_one_as_polygon() -> None:
    mask = np.zeros((20, 24), bool)
    mask[3:15, 4:18] = True
    assert isinstance(segmentation_of(mask), list)
    mask[7:9, 8:10] = False
    assert isinstance(segmentation_of(mask), dict)
    assert np.array_equal(to_mask(segmentation_of(mask), 20, 24), mask)


def test_annotations_of_a_known_map() -> None:
    ids = np.zeros((10, 12), np.uint8)
    ids[2:5, 3:9] = 1
    ids[8, 0] = 2
    ids[6, 4] = 2
    first, second = annotations_of(ids, [4, 1])
    assert (first["category_id"], first["bbox"], first["area"]) == (4, [3, 2, 6, 3], 18)
    assert (second["category_id"], second["bbox"], second["area"]) == (1, [0, 6, 5, 3], 2)
    assert np.array_equal(to_mask(second["segmentation"], 10, 12), ids == 2)


def test_final_pixels_belong_to_what_covers_most_of_them() -> None:
    ids = np.zeros((6, 6), np.uint8)
    ids[0:3, 0:2] = 1  # six of the nine samples of the first pixel
    ids[0:3, 3] = 2  # three of nine: background keeps it
    assert downsample_ids(ids, 3, 2).tolist() == [[1, 0], [0, 0]]


def test_painting_order_puts_what_is_behind_first() -> None:
    low = np.array([[0.0, 0, 2], [0, 0, 5], [0, 1, 2]])
    high = np.array([[1.0, 1, 3], [1, 1, 6], [1, 2, 3]])
    eye = np.array([0.5, 5.0, 0.0])
    hides = may_hide(low, high, eye)
    assert hides[0, 1] and not hides[1, 0]
    assert hides[2, 0] and not hides[0, 2]
    distance = np.linalg.norm((low + high) / 2 - eye, axis=1)
    assert paint_order(hides, distance) == [1, 0, 2]


def test_bodies_are_closed_and_face_outwards() -> None:
    bodies = [cuboid((0, 0, 0), (1, 2, 3), (9, 9, 9), edge_m=0.1)]
    bodies += [turned([(0, 1), (2, 1)], [(9, 9, 9)], [(1, (9, 9, 9))], axis=axis) for axis in (0, 1, 2)]
    for body in bodies:
        middle = (body.low + body.high) / 2
        for polygon in body.polygons:
            normal = np.cross(polygon[1] - polygon[0], polygon[2] - polygon[0])
            assert normal @ (polygon.mean(axis=0) - middle) > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"count": 0}, "count is 0"),
        ({"size": (32, 160)}, "64 to 2048"),
        ({"seed": -1}, "seed is -1"),
        ({"world": "moon"}, "known worlds: base, shifted"),
    ],
)
def test_bad_requests_are_refused(tmp_path: Path, arguments: dict, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        draw_scenes(tmp_path, **arguments)
    assert not list(tmp_path.iterdir())


def test_find_world_takes_a_world_of_ones_own() -> None:
    own = dataclasses.replace(WORLDS["base"], name="mine", exposure=(1.0, 1.0))
    assert find_world(own) is own
    assert not np.array_equal(render_scene(0, (64, 64), world=own).image, render_scene(0, (64, 64)).image)
