"""Whatever a document is mutated into: BadInput or a sound set, with every record accounted for."""

import copy
import json
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from nbhelpers.data.coco import load_coco
from nbhelpers.data.validate import Validation, validate
from nbhelpers.errors import BadInput

GOOD = {
    "info": {"year": 2026},
    "images": [
        {"id": 1, "file_name": "a.png", "width": 20, "height": 10},
        {"id": 2, "file_name": "sub/b.png", "width": 12, "height": 16},
        {"id": 3, "file_name": "c.png", "width": 20, "height": 10},
    ],
    "categories": [{"id": 1, "name": "box"}, {"id": 4, "name": "cone"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": 30.0, "bbox": [2, 1, 5, 6],
         "segmentation": [[2, 1, 7, 1, 7, 7, 2, 7]]},
        {"id": 2, "image_id": 1, "category_id": 4, "iscrowd": 0, "area": 12.0, "bbox": [10.5, 2.5, 3, 4]},
        {"id": 3, "image_id": 2, "category_id": 4, "iscrowd": 1, "area": 20.0, "bbox": [1, 2, 2, 10],
         "segmentation": {"size": [16, 12], "counts": [18, 10, 6, 10, 148]}},
        {"id": 4, "image_id": 3, "category_id": 1, "iscrowd": 0, "area": 12.0, "bbox": [0, 0, 4, 3],
         "segmentation": {"size": [10, 20], "counts": "03700000_5"}},
        {"id": 5, "image_id": 3, "category_id": 1, "iscrowd": 0, "area": 24.0, "bbox": [5, 2, 12, 6],
         "segmentation": [[5, 2, 9, 2, 9, 5, 5, 5], [13, 5, 17, 5, 17, 8, 13, 8]]},
    ],
}  # fmt: skip

NUMBERS = (
    st.integers(-3, 30)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.sampled_from([10**30, -(10**400), 2**53, 2**63, 1e300, 0.5, -0.0, 0.25])
)
WORDS = st.text(max_size=6) | st.sampled_from(
    ["1", " 2 ", "nan", "-inf", "a.png", "../a.png", "C:\\x\\a.png", "/a.png"]
)
SCALARS = st.none() | st.booleans() | NUMBERS | WORDS
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=7) | st.dictionaries(st.sampled_from(["counts", "size", "id"]), inner)
    ),
    max_leaves=12,
)


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Every place in a document, as the keys that lead there."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for key, item in inner for place in places(item, (*path, key))]


@st.composite
def documents(draw: st.DrawFn) -> object:
    """The good document with some values replaced, removed or copied."""
    document = copy.deepcopy(GOOD)
    for _ in range(draw(st.integers(1, 6))):
        path = draw(st.sampled_from(places(document)))
        parent: object = document
        for key in path[:-1]:
            parent = parent[key]  # type: ignore[index]
        action = draw(st.sampled_from(["replace", "replace", "number", "remove", "copy"]))
        if action == "replace":
            parent[path[-1]] = draw(VALUES)  # type: ignore[index]
        elif action == "number":
            parent[path[-1]] = draw(NUMBERS)  # type: ignore[index]
        elif action == "remove":
            del parent[path[-1]]  # type: ignore[attr-defined]
        elif isinstance(parent, list):
            parent.append(copy.deepcopy(parent[path[-1]]))
        if not document:
            break
    return document


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "sub").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # c.png is stored upright and shown lying, as its record says
    for image in GOOD["images"][:2]:
        Image.new("RGB", (image["width"], image["height"])).save(folder / image["file_name"])
    Image.new("RGB", (10, 20)).save(folder / "c.png", exif=exif)
    return folder


def require_sound(found: Validation) -> None:
    """What every outcome of a validation promises."""
    report, coco = found.report, found.coco
    assert report.images.usable == len(coco.images)
    assert report.annotations.usable == len(coco.annotations)
    sizes = {image["id"]: (image["width"], image["height"]) for image in coco.images}
    classes = {category["id"] for category in coco.categories}
    assert len(sizes) == len(coco.images)
    assert len({entry["id"] for entry in coco.annotations}) == len(coco.annotations)
    for entry in coco.annotations:
        width, height = sizes[entry["image_id"]]
        assert entry["category_id"] in classes
        assert entry["iscrowd"] in (0, 1)
        assert 0 < entry["area"] < math.inf
        if "bbox" in entry:
            x, y, w, h = entry["bbox"]
            assert w > 0
            assert h > 0
            assert min(x, y) >= -1e-3
            assert x + w <= width + 1e-3
            assert y + h <= height + 1e-3
        assert entry.get("bbox") or entry.get("segmentation")


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents(), st.sampled_from(["none", "headers"]))
def test_any_mutation_gives_a_sound_set_or_bad_input(folder: Path, document: object, decode: str) -> None:
    source, target = folder / "in.json", folder / "out.json"
    source.write_text(json.dumps(document))
    n_images = len(document["images"]) if isinstance(document.get("images"), list) else None
    try:
        found = validate(source, folder, decode=decode)
    except BadInput:
        return
    require_sound(found)
    assert found.report.images.total == n_images
    assert found.report.annotations.total == len(document["annotations"])
    json.dumps(found.report.to_dict(), allow_nan=False).encode()

    found.coco.save(target)
    load_coco(target, folder)
    reference = COCO(str(target))
    for entry in reference.loadAnns(reference.getAnnIds()):
        image = reference.imgs[entry["image_id"]]
        if entry.get("segmentation") and image["width"] * image["height"] < 10**7:
            mask = reference.annToMask(entry)
            assert mask.shape == (image["height"], image["width"])
            assert mask.any()

    again = validate(target, folder, decode=decode).report
    assert [item for item in again.items if item.action != "kept"] == []
    assert (again.images.kept, again.annotations.kept) == (
        len(found.coco.images),
        len(found.coco.annotations),
    )
