"""Copies are found; different pictures are not: drawn scenes, photographs of like things."""

import io
import itertools
import time

import numpy as np
import pytest
from PIL import Image, ImageOps
from prepare_sets import picture, records

from nbhelpers.data import draw_scenes, load_coco, near_duplicates
from nbhelpers.data.near_duplicates import duplicate_labels, thumbnails
from nbhelpers.errors import BadInput

JPEG = {"format": "JPEG"}


def encoded(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return Image.open(io.BytesIO(buffer.getvalue()))


def resized(image, factor):
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC)


COPIES = {
    "jpeg 30": lambda image: encoded(image, quality=30, **JPEG),
    "jpeg 90": lambda image: encoded(image, quality=90, **JPEG),
    "quarter": lambda image: resized(image, 0.25),
    "double": lambda image: resized(image, 2),
    "half, jpeg 50": lambda image: encoded(resized(image, 0.5), quality=50, **JPEG),
    "left-right": ImageOps.mirror,
    "up-down": ImageOps.flip,
    "both": lambda image: image.rotate(180),
    "mirrored jpeg": lambda image: encoded(ImageOps.mirror(resized(image, 0.5)), quality=60, **JPEG),
}


def groups_of(images, folder):
    """Labels of images after a way through files."""
    paths = []
    for index, image in enumerate(images):
        paths.append(folder / f"{index}.png")
        image.convert("RGB").save(paths[-1])
    return duplicate_labels(thumbnails(paths))


@pytest.fixture(scope="module")
def photographs(shared_data):
    paths = sorted((shared_data / "coco/nuts/images").glob("*.jpg"))
    return [Image.open(path).convert("RGB").resize((400, 300)) for path in paths]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return draw_scenes(tmp_path_factory.mktemp("scenes"), count=40, size=(128, 128), seed=1)


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_of_a_photograph_joins_its_original(photographs, tmp_path, way):
    few = photographs[:6]
    labels = groups_of([*few, *map(COPIES[way], few)], tmp_path)
    assert labels.tolist() == [0, 1, 2, 3, 4, 5] * 2


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_of_a_drawn_scene_joins_its_original(scenes, tmp_path, way):
    few = [Image.fromarray(scenes.image(i)) for i in scenes.image_ids[:8]]
    labels = groups_of([*few, *map(COPIES[way], few)], tmp_path)
    assert labels.tolist() == list(range(8)) * 2


def test_photographs_of_like_things_stay_apart(shared_data):
    assert near_duplicates(load_coco(shared_data / "coco/nuts/trainval.json")) == []


def test_drawn_scenes_stay_apart(scenes):
    assert near_duplicates(scenes) == []


def test_one_moved_object_makes_another_picture(tmp_path):
    image = picture(3, (200, 200))
    other = image.copy()
    other.paste((250, 30, 30), (150, 150, 180, 180))
    assert groups_of([image, other], tmp_path).tolist() == [0, 1]


def test_copies_of_copies_are_one_group(photographs, tmp_path):
    image = photographs[0]
    labels = groups_of([image, ImageOps.mirror(image), ImageOps.flip(ImageOps.mirror(image))], tmp_path)
    assert labels.tolist() == [0, 0, 0]


def test_odd_kinds_are_read_and_blank_ones_are_no_copies(tmp_path):
    Image.new("RGB", (50, 40), "white").save(tmp_path / "1.png")
    Image.new("RGB", (50, 40), "white").save(tmp_path / "2.jpg")
    picture(5).quantize(32).save(tmp_path / "3.png")
    picture(5).convert("CMYK").save(tmp_path / "4.jpg", quality=95)
    turned = Image.Exif()
    turned[0x0112] = 3
    picture(5).rotate(180).save(tmp_path / "5.jpg", quality=95, exif=turned)
    labels = duplicate_labels(
        thumbnails([tmp_path / name for name in ("1.png", "2.jpg", "3.png", "4.jpg", "5.jpg")])
    )
    assert labels.tolist() == [0, 1, 2, 2, 2]


def test_groups_come_as_ids_in_the_order_of_the_file(tmp_path):
    coco = records({9: [1], 4: [1], 7: [2], 2: []})
    for i, seed in ((9, 1), (4, 2), (7, 1), (2, 3)):
        picture(seed).save(tmp_path / f"{i}.png")
    coco.folders = (tmp_path,)
    assert near_duplicates(coco) == [{7, 9}]


def test_an_unreadable_image_is_named(tmp_path):
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(BadInput, match=r"1\.png"):
        thumbnails([tmp_path / "1.png"])


def test_no_and_one_image():
    assert duplicate_labels(np.zeros((0, 32, 32), dtype=np.uint8)).tolist() == []
    assert duplicate_labels(np.zeros((1, 32, 32), dtype=np.uint8)).tolist() == [0]


def test_blocks_find_the_same_pairs_as_a_plain_loop():
    from nbhelpers.data.near_duplicates import HASH_BITS, _candidates

    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 2**12, (2, 70), dtype=np.uint64)  # few bits, so that many pairs are near
    found = {tuple(pair) for pairs in _candidates(left, right, rows=16, most=50) for pair in pairs.tolist()}
    near = {
        (i, j)
        for i, j in itertools.combinations(range(70), 2)
        if (int(left[i]) ^ int(right[j])).bit_count() <= HASH_BITS
    }
    assert found == near


@pytest.mark.slow
def test_twenty_thousand_images_are_compared_in_seconds():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (20000, 8, 8), dtype=np.uint8)
    images = coarse.repeat(4, axis=1).repeat(4, axis=2)
    images[19000] = images[100][:, ::-1]
    start = time.process_time()
    labels = duplicate_labels(images)
    assert time.process_time() - start < 60
    assert labels[19000] == labels[100]
    assert labels.max() == 20000 - 2
