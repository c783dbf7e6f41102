"""Pictures with questions: drawn, photographs of odd formats, COCO sets; parts fixed by hash."""

import json

import numpy as np
import pytest
import yaml
from PIL import Image

from nbhelpers.data.pictures import (
    coco_pictures,
    drawn_pictures,
    folder_pictures,
    part_of,
    photograph_questions,
    pictures_or_default,
    still_questions,
)
from nbhelpers.data.split import parse_split
from nbhelpers.errors import BadInput
from nbhelpers.settings import AttackSection

SPLIT = "train:0.5,val:0.2,test:0.3"


def photograph(path, seed, size=(60, 40), **options):
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8))
    image = image.convert(options.pop("mode", "RGB"))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


@pytest.fixture
def folder(tmp_path):
    where = tmp_path / "photos"
    photograph(where / "a.jpg", 1)
    photograph(where / "b.png", 2, mode="P")
    photograph(where / "sub" / "c.tif", 3, mode="CMYK")
    photograph(where / "sub" / "d.webp", 4)
    photograph(where / "e.bmp", 5, mode="L")
    (where / "copy of a.jpg").write_bytes((where / "a.jpg").read_bytes())
    (where / "broken.jpg").write_bytes((where / "a.jpg").read_bytes()[:300])
    (where / "notes.txt").write_text("not a picture")
    return where


def questions():
    return photograph_questions("gemma3")


def names(found):
    return {name: [one.name for one in part.pictures] for name, part in found.parts.items()}


def test_the_parts_are_those_of_the_shares():
    shares = parse_split(SPLIT)
    homes = [part_of(f"thing {number}", shares) for number in range(4000)]
    for name, share in shares.items():
        assert homes.count(name) / 4000 == pytest.approx(share, abs=0.03)
    assert homes != [part_of(f"thing {number}", shares, seed=1) for number in range(4000)]


def test_drawn_pictures_have_right_answers_and_stay_in_their_parts():
    few, more = (drawn_pictures(count, SPLIT, ["larger", "count"], seed=3) for count in (30, 60))
    for name, part in few.parts.items():
        assert {one.name for one in part.pictures} <= {one.name for one in more.parts[name].pictures}
    one = few.part("train").pictures[0]
    assert set(one.answers) == {"larger", "count"} and one.answers["count"] in {"one", "two"}
    assert one.pixels(64).shape == (64, 64, 3) and one.pixels(128).shape == (128, 128, 3)
    assert one.pixels(48).shape == (48, 48, 3) and one.legal(64) is None


def test_where_objects_are_to_be_avoided_their_masks_are_blocked():
    from nbhelpers.data.stills import render_still

    found = drawn_pictures(6, "train:1", ["larger"], avoid_objects=True)
    still = render_still(2, 64, 101)
    legal = found.part("train").pictures[2].legal(64)
    assert not legal[np.any([thing.mask for thing in still.objects], axis=0)].any()
    assert legal.mean() > 0.5


def test_held_out_wordings_are_in_no_other_part():
    asked = still_questions(["larger"])
    texts = {part: {one.text for one in some} for part, some in asked.items()}
    assert texts["train"] and texts["val"] and texts["test"]
    assert not texts["train"] & texts["test"] and not texts["train"] & texts["val"]
    with pytest.raises(BadInput, match="no task 'colour'; known: larger"):
        still_questions(["colour"])


def test_folders_of_odd_formats(folder):
    found = folder_pictures(folder, SPLIT, questions())
    everything = sorted(name for some in names(found).values() for name in some)
    assert len(everything) == 5  # the copy counts once, whichever name comes first
    assert len(found.left_out) == 1 and "broken.jpg" in found.left_out[0]
    for part in found.parts.values():
        for one in part.pictures:
            assert one.pixels(32).shape == (32, 32, 3) and one.pixels(32).dtype == np.uint8
            assert one.answers == {}


def test_a_renamed_photograph_stays_in_its_part(folder):
    before = names(folder_pictures(folder, SPLIT, questions()))
    (folder / "e.bmp").rename(folder / "zzz.bmp")
    after = names(folder_pictures(folder, SPLIT, questions()))
    home = next(name for name, some in before.items() if "e.bmp" in some)
    assert "zzz.bmp" in after[home]


def test_most_takes_the_same_ones_again(folder):
    one, two = (folder_pictures(folder, SPLIT, questions(), most=3) for _ in range(2))
    assert names(one) == names(two) and sum(map(len, names(one).values())) == 3


def test_folders_that_cannot_be_used(tmp_path):
    with pytest.raises(BadInput, match="there is no such folder"):
        folder_pictures(tmp_path / "none", SPLIT, questions())
    (tmp_path / "a.jpg").write_text("no")
    with pytest.raises(BadInput, match="holds no picture that can be read"):
        folder_pictures(tmp_path, SPLIT, questions())


def test_an_empty_part_says_what_to_do(folder):
    found = folder_pictures(folder, "train:0.999,test:0.001", questions())
    with pytest.raises(BadInput, match=r"part test holds no picture .* attack\.split"):
        found.part("test")


def coco_set(tmp_path):
    photograph(tmp_path / "images" / "one.png", 1, size=(40, 60))
    photograph(tmp_path / "images" / "two.png", 2, size=(40, 60))
    document = {
        "images": [
            {"id": 1, "file_name": "one.png", "width": 60, "height": 40},
            {"id": 2, "file_name": "two.png", "width": 60, "height": 40},
            {"id": 3, "file_name": "lost.png", "width": 60, "height": 40},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [20, 10, 10, 20], "area": 200, "iscrowd": 0}
        ],
        "categories": [{"id": 1, "name": "box"}],
    }
    (tmp_path / "set.json").write_text(json.dumps(document))
    return tmp_path / "set.json"


def test_coco_sets_with_their_boxes(tmp_path):
    from nbhelpers.data import load_coco

    coco = load_coco(coco_set(tmp_path))
    found = coco_pictures(coco, "train:1", questions(), avoid_objects=True)
    assert sorted(one.name for one in found.part("train").pictures) == ["one.png", "two.png"]
    assert len(found.left_out) == 1 and "image 3" in found.left_out[0]
    one = next(one for one in found.part("train").pictures if one.name == "one.png")
    legal = one.legal(40)  # the middle 40 of 60 columns
    assert not legal[10:30, 10:20].any() and legal[:, 22:].all() and legal[:9].all()


def test_questions_by_family_from_the_package_and_from_a_file(tmp_path):
    assert photograph_questions("gemma3") == photograph_questions("never heard of")
    own = photograph_questions("paligemma")
    assert all(one.text.startswith("answer en") for some in own.values() for one in some)
    for asked in (own, photograph_questions("qwen3_vl")):
        texts = [one.text for some in asked.values() for one in some]
        assert len(texts) == len(set(texts))
    mine = {"default": {"colour": {"train": ["What colour?"], "val": ["Colour?"], "test": ["Which colour?"]}}}
    (tmp_path / "q.yaml").write_text(yaml.safe_dump(mine))
    found = photograph_questions("gemma3", ["colour"], tmp_path / "q.yaml")
    assert [one.text for one in found["test"]] == ["Which colour?"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[1, 2]", "must hold families"),
        ("other: {a: {train: [x], val: [y], test: [z]}}", "has neither 'gemma3' nor 'default'"),
        ("default: {a: {train: [x], val: [y]}}", "task 'a' needs a list of questions under 'test'"),
        ("default: {a: {train: [x], val: [], test: [z]}}", "under 'val'"),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_questions_that_cannot_be_used(tmp_path, content, told):
    (tmp_path / "q.yaml").write_text(content)
    with pytest.raises(BadInput, match=told):
        photograph_questions("gemma3", file=tmp_path / "q.yaml")
    with pytest.raises(BadInput, match="has no task 'weight'"):
        photograph_questions("gemma3", ["weight"])


def test_the_default_is_drawn_and_a_folder_wins(folder):
    settings = AttackSection(pictures=12)
    assert pictures_or_default(None, settings, "gemma3").source.startswith("drawn scenes")
    found = pictures_or_default(folder, settings, "gemma3")
    assert found.source == "folder photos"
    assert {one.task for one in found.parts["train"].prompts} == {"subject"}


def test_a_portrait_shows_its_thing_in_its_colour():
    from nbhelpers.data.pictures import portrait

    blue = portrait("blue wheel", 64)
    assert blue.shape == (64, 64, 3) and blue[0, 0].tolist() == [128, 128, 128]
    painted = np.abs(blue.astype(int) - 128).max(-1) > 20
    assert 0.4 < painted.mean() < 0.8 and blue[painted].mean(0).argmax() == 2
    assert painted.any(1).sum() >= 40 and painted.any(0).sum() >= 60
    with pytest.raises(BadInput, match="the base world has the colours red"):
        portrait("mauve wheel")
