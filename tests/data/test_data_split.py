"""Parts by ratio: what may be written, what must hold for every set, and how even the parts are."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prepare_sets import records

from nbhelpers.data import describe, load_coco, missing_classes, parse_split, split
from nbhelpers.data.stratify import part_sizes
from nbhelpers.errors import BadInput


def ids(parts):
    return {name: set(part.image_ids) for name, part in parts.items()}


def test_ratio_is_read_in_order():
    assert parse_split("train:0.7, val:0.15 ,test:0.15") == pytest.approx(
        {"train": 0.7, "val": 0.15, "test": 0.15}
    )
    assert list(parse_split("b:.5,a:.5")) == ["b", "a"]
    assert parse_split("all:1") == {"all": 1.0}


def test_rounded_thirds_are_scaled_to_one():
    assert sum(parse_split("a:0.33,b:0.33,c:0.33").values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("train:0.7,test:0.2", "in the same proportion: train:0.778,test:0.222"),
        ("train:70,test:30", "train:0.7,test:0.3"),
        ("train", "has no ':'"),
        ("", "has no ':'"),
        ("train:0.7,", "has no ':'"),
        ("train:many,test:0.3", "'many'"),
        ("train:nan,test:0.3", "give more than 0"),
        ("train:inf,test:0.3", "give more than 0"),
        ("train:1,test:0", "leave it out"),
        ("train:1.5,test:-0.5", "leave it out"),
        ("train:0.5,Train:0.5", "named twice"),
        ("../up:0.5,b:0.5", "use letters"),
        (":0.5,b:0.5", "use letters"),
        ("statistics:0.5,b:0.5", "names a file of the output"),
    ],
)
def test_bad_ratio_names_the_mend(text, mend):
    with pytest.raises(BadInput) as caught:
        parse_split(text)
    assert mend in str(caught.value)
    assert repr(text) in str(caught.value)


def test_sizes_by_largest_remainder_none_empty():
    assert part_sizes(18, np.array([0.7, 0.15, 0.15])).tolist() == [12, 3, 3]
    assert part_sizes(18, np.array([0.67, 0.33])).tolist() == [12, 6]
    assert part_sizes(3, np.array([0.9, 0.05, 0.05])).tolist() == [1, 1, 1]
    assert part_sizes(1000, np.array([0.7, 0.15, 0.15])).tolist() == [700, 150, 150]


labels = st.dictionaries(
    st.integers(0, 500), st.lists(st.integers(1, 3), max_size=4), min_size=3, max_size=40
)


@settings(max_examples=60, deadline=None)
@given(labels=labels, seed=st.integers(0, 3), draw=st.data())
def test_every_image_in_one_part_groups_whole_and_lead_has_every_class(labels, seed, draw):
    pairs = st.lists(st.sets(st.sampled_from(sorted(labels)), min_size=2, max_size=3), max_size=2)
    groups = draw.draw(pairs)
    coco = records(labels)
    if len(labels) - sum(len(group) - 1 for group in groups) < 3:
        return
    parts = split(coco, "train:0.6,val:0.2,test:0.2", seed, groups)
    found = ids(parts)
    assert sorted(i for part in parts.values() for i in part.image_ids) == sorted(labels)
    assert all(found.values())
    assert all(any(group <= part for part in found.values()) for group in groups)
    assert sum(len(part.annotations) for part in parts.values()) == len(coco.annotations)
    if not groups:
        sizes = part_sizes(len(labels), np.array([0.6, 0.2, 0.2])).tolist()
        assert [len(part) for part in found.values()] == sizes


def test_same_parts_whatever_the_order_in_the_file():
    rng = np.random.default_rng(0)
    labels = {int(i): rng.integers(1, 4, rng.integers(0, 5)).tolist() for i in rng.permutation(60)}
    coco = records(labels)
    mixed = replace(
        coco,
        images=[coco.images[i] for i in rng.permutation(60)],
        annotations=coco.annotations[::-1],
        categories=coco.categories[::-1],
    )
    spec = "train:0.7,val:0.15,test:0.15"
    assert ids(split(coco, spec, 3)) == ids(split(mixed, spec, 3))
    assert ids(split(coco, spec, 3)) != ids(split(coco, spec, 4))


def test_rare_class_goes_to_train_first_wherever_train_stands():
    labels = {i: [1] for i in range(40)} | {40: [1, 2], 41: [3]}
    for spec in ("train:0.1,test:0.9", "test:0.9,train:0.1"):
        for seed in range(5):
            parts = split(records(labels), spec, seed)
            assert missing_classes(parts)["train"] == []


def test_class_of_two_images_is_reported_as_missing_elsewhere():
    parts = split(records({**{i: [1] for i in range(20)}, 20: [2]}), "train:0.5,test:0.5", 0)
    assert missing_classes(parts) == {"train": [], "test": ["class 2"]}  # class 3 occurs nowhere


def test_parts_are_much_more_even_than_by_chance(shared_data):
    coco = load_coco(shared_data / "coco/nuts/trainval.json")
    shares = np.array([0.67, 0.33])

    def error(parts):
        rows = describe(parts)
        counts = np.array([[row[name] for name in coco.class_names] for row in rows], dtype=float)
        return np.abs(counts / counts.sum(axis=0) - shares[:, None]).mean()

    ours = [error(split(coco, "train:0.67,test:0.33", seed)) for seed in range(10)]
    rng = np.random.default_rng(0)
    chance = []
    for _ in range(50):
        order = rng.permutation(coco.image_ids).tolist()
        chance.append(error({"train": coco.subset(order[:12]), "test": coco.subset(order[12:])}))
    assert np.mean(ours) < 0.015 < np.mean(chance) / 2
    assert [len(part.images) for part in split(coco, "train:0.7,val:0.15,test:0.15", 0).values()] == [
        12,
        3,
        3,
    ]


def test_eighty_classes_reach_train(shared_data):
    coco = load_coco(shared_data / "coco/eval_reference/instances_val2014_100.json", shared_data)
    parts = split(coco, "train:0.7,val:0.15,test:0.15", 0)
    assert missing_classes(parts)["train"] == []
    assert [len(part.images) for part in parts.values()] == [70, 15, 15]


def test_large_group_moves_as_one_and_no_part_stays_empty():
    coco = records({i: [1 + i % 3] for i in range(12)})
    parts = split(coco, "train:0.5,val:0.25,test:0.25", 0, [set(range(10))])
    assert sorted(len(part.images) for part in parts.values()) == [1, 1, 10]


def test_groups_that_share_an_image_become_one():
    parts = split(records({i: [1] for i in range(10)}), "a:0.5,b:0.5", 0, [{1, 2}, {2, 3}, {3, 4}])
    assert any({1, 2, 3, 4} <= part for part in ids(parts).values())


def test_too_few_images_or_groups_say_so():
    with pytest.raises(BadInput, match="2 images cannot fill 3 parts; name 2 at most"):
        split(records({1: [1], 2: [1]}), "a:0.4,b:0.3,c:0.3")
    with pytest.raises(BadInput, match="3 images in 1 group kept whole"):
        split(records({1: [1], 2: [1], 3: [1]}), "a:0.5,b:0.5", 0, [{1, 2, 3}])
    with pytest.raises(BadInput, match="no image to split"):
        split(records({}), "a:1")
    with pytest.raises(BadInput, match="image id 99 is not in the set"):
        split(records({1: [1], 2: [1]}), "a:0.5,b:0.5", 0, [{1, 99}])


def test_fewer_parts_where_that_is_allowed():
    coco = records({1: [1], 2: [1], 3: [2]})
    spec = "test:0.2,train:0.1,val:0.3,more:0.4"
    assert list(split(coco, spec, allow_fewer=True)) == ["train", "val", "more"]
    assert list(split(coco, spec, 0, [{1, 2, 3}], allow_fewer=True)) == ["train"]
    with pytest.raises(BadInput, match="no image to split"):
        split(records({}), spec, allow_fewer=True)


def test_describe_counts_by_name():
    rows = describe(split(records({1: [1, 1], 2: [2]}), "a:0.5,b:0.5"))
    assert sum(row["class 1"] for row in rows) == 2
    assert sum(row["annotations"] for row in rows) == 3
    assert list(rows[0]) == ["part", "images", "annotations", "class 1", "class 2", "class 3"]


@pytest.mark.slow
def test_twenty_thousand_images_take_seconds():
    rng = np.random.default_rng(0)
    coco = records({i: rng.integers(1, 21, rng.integers(0, 12)).tolist() for i in range(20000)}, classes=20)
    start = time.process_time()
    parts = split(coco, "train:0.7,val:0.15,test:0.15", 0)
    assert time.process_time() - start < 20
    assert [len(part.images) for part in parts.values()] == [14000, 3000, 3000]
