"""The images of a prepared set: linked, copied, or written again as plain RGB."""

import os
from pathlib import Path

import numpy as np
from PIL import Image
from prepare_sets import edit, picture, written_set

from nbhelpers.data import (
    load_coco,
    prepare,
    read_image,
)

SPLIT = "train:0.5,val:0.25,test:0.25"


def test_images_are_hard_linked_or_copied(tmp_path):
    data = written_set(tmp_path / "in")
    linked = prepare(data, None, tmp_path / "linked", split=SPLIT)
    copied = prepare(data, None, tmp_path / "copied", split=SPLIT, copy=True)
    source = tmp_path / "in/images/001.png"
    assert linked.placed["hard_linked"] == copied.placed["copied"] == 12
    assert (tmp_path / "linked/images/001.png").samefile(source)
    assert not (tmp_path / "copied/images/001.png").samefile(source)
    assert (tmp_path / "copied/images/001.png").read_bytes() == source.read_bytes()


def refuse(*_):
    raise OSError("not here")


def test_other_file_systems_get_symbolic_links_then_copies(tmp_path, monkeypatch):
    data = written_set(tmp_path / "in")
    monkeypatch.setattr(os, "link", refuse)
    done = prepare(data, None, tmp_path / "symbolic", split=SPLIT)
    assert done.placed["symlinked"] == 12
    assert prepare(data, None, tmp_path / "symbolic", split=SPLIT).placed["symlinked"] == 12
    monkeypatch.setattr(os, "symlink", refuse)
    assert prepare(data, None, tmp_path / "copies", split=SPLIT).placed["copied"] == 12
    assert not list((tmp_path / "copies/images").glob(".*"))


def odd_set(folder):
    """Eight ordinary images and one of each odd kind, each labelled with a mask over its left half."""
    path = written_set(folder, 8)
    images = folder / "images"
    base = picture(50, (96, 72))
    turned = Image.Exif()
    turned[0x0112] = 6  # shown after a quarter turn clockwise
    base.save(images / "displayed.jpg", quality=95, exif=turned)
    picture(51, (96, 72)).save(images / "stored.jpg", quality=95, exif=turned)
    picture(52).quantize(16).save(images / "palette.png")
    picture(53).convert("CMYK").save(images / "cmyk.jpg", quality=95)
    deep = np.asarray(picture(54).convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(images / "deep.png")
    with_alpha = picture(55).convert("RGBA")
    with_alpha.putalpha(128)
    with_alpha.save(images / "alpha.png")
    picture(56).save(images / "größe ü.png")
    picture(57).save(images / "scan.tif")
    (images / "deep down").mkdir()
    picture(58).save(images / "deep down/001.png")
    names = ["displayed.jpg", "stored.jpg", "palette.png", "cmyk.jpg", "deep.png", "alpha.png"]
    names += ["größe ü.png", "scan.tif", "deep down/001.png"]

    def add(content):
        for i, name in enumerate(names, start=100):
            width, height = (72, 96) if name == "displayed.jpg" else (96, 72)
            half = [0, 0, width / 2, 0, width / 2, height - 5, 0, height]
            content["images"].append({"id": i, "file_name": name, "width": width, "height": height})
            entry = {"id": i, "image_id": i, "category_id": 1, "segmentation": [half], "iscrowd": 0}
            content["annotations"].append({**entry, "bbox": [0, 0, width / 2, height]})

    edit(path, add)
    return path


def test_odd_images_become_plain_rgb_in_the_frame_of_their_labels(tmp_path):
    done = prepare(odd_set(tmp_path / "in"), None, tmp_path / "out", split=SPLIT)
    records = {image["id"]: image for part in done.parts.values() for image in part.images}
    folder = tmp_path / "out/images"
    for image_id in range(100, 109):
        record = records[image_id]
        with Image.open(folder / record["file_name"]) as image:
            assert (image.mode, image.size) == ("RGB", (record["width"], record["height"]))
            assert image.getexif().get(0x0112, 1) == 1
            assert image.format == ("JPEG" if record["file_name"].endswith(".jpg") else "PNG")
        assert record["file_name"].isascii()
    assert records[108]["file_name"] == "deep down/001.png"
    assert done.placed["rewritten"] == 7
    rewritten = [item for item in done.report.items if item.code in {"image_rewritten", "image_renamed"}]
    assert {item.image_id for item in rewritten} == set(range(100, 108))
    assert done.report.images.repaired == 8
    assert done.report.images.total == 17


def test_rewritten_pixels_are_those_of_the_reader(tmp_path):
    source = load_coco(odd_set(tmp_path / "in"))
    done = prepare(source.path, None, tmp_path / "out", split=SPLIT)
    where = {image_id: part for part in done.parts.values() for image_id in part.image_ids}
    for image_id in range(100, 109):
        wanted, found = source.image(image_id).astype(int), where[image_id].image(image_id).astype(int)
        assert np.abs(wanted - found).mean() < (2 if source.image_path(image_id).suffix == ".jpg" else 1e-9)


def test_the_source_of_a_rewritten_image_is_untouched(tmp_path):
    path = odd_set(tmp_path / "in")
    before = {file: file.read_bytes() for file in sorted((tmp_path / "in").rglob("*")) if file.is_file()}
    prepare(path, None, tmp_path / "out", split=SPLIT)
    prepare(path, None, tmp_path / "out", split=SPLIT)
    assert {file: file.read_bytes() for file in before} == before


def test_names_that_only_differ_in_case_or_suffix_or_are_full_paths(tmp_path):
    data = written_set(tmp_path / "in", 5)
    images = tmp_path / "in/images"
    for name, seed in (("A.png", 61), ("a.png", 62), ("a.jpg", 63)):
        picture(seed).save(images / name)

    def add(content):
        full = str(images / "003.png")
        content["images"][2]["file_name"] = full
        content["images"][3]["file_name"] = r"C:\labels\images\004.png"
        content["images"][4]["file_name"] = "images/005.png"
        for i, name in enumerate(("A.png", "a.png", "a.jpg"), start=10):
            content["images"].append({"id": i, "file_name": name, "width": 96, "height": 72})

    edit(data, add)
    done = prepare(data, None, tmp_path / "out", split=SPLIT)
    records = {image["id"]: image["file_name"] for part in done.parts.values() for image in part.images}
    assert [records[i] for i in (1, 3, 4, 5)] == ["001.png", "003.png", "004.png", "005.png"]
    stems = [Path(records[i]).stem.casefold() for i in (10, 11, 12)]
    assert len(set(stems)) == 3
    for i, seed in ((10, 61), (11, 62)):
        assert np.array_equal(read_image(tmp_path / "out/images" / records[i]), np.asarray(picture(seed)))
