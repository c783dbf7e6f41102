"""Few labels: the same choice each time, every class among them, nothing in both halves."""

import pytest

from nbhelpers.data import draw_scenes, few_labels, labelled_share, load_coco
from nbhelpers.errors import BadInput
from nbhelpers.settings import DataSection


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    draw_scenes(folder, count=40, size=(64, 64), seed=3)
    return load_coco(folder / "scenes.json")


def test_the_halves_are_the_whole_and_share_no_image(scenes):
    few = few_labels(scenes, 0.2, seed=1)
    labelled, rest = set(few.labelled.image_ids), set(few.unlabelled.image_ids)
    assert labelled | rest == set(scenes.image_ids) and not labelled & rest
    assert len(labelled) == 8 and few.share == 0.2
    shown = {item["category_id"] for item in few.labelled.annotations}
    assert shown == {item["category_id"] for item in scenes.annotations}


def test_one_seed_gives_one_choice(scenes):
    again = [few_labels(scenes, 0.2, seed=seed).labelled.image_ids for seed in (1, 1, 2)]
    assert again[0] == again[1] != again[2]


def test_all_labels_leave_nothing_unlabelled(scenes):
    few = few_labels(scenes, 1.0)
    assert few.labelled is scenes and few.unlabelled is None


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan")])
def test_a_share_that_is_none_is_refused(scenes, share):
    with pytest.raises(BadInput, match="labelled share"):
        few_labels(scenes, share)


def test_auto_is_a_tenth_of_drawn_scenes_and_all_of_ones_own(scenes):
    from dataclasses import replace

    assert labelled_share(scenes, DataSection())[0] == 0.1
    assert labelled_share(replace(scenes, info={}), DataSection())[0] == 1.0
    assert labelled_share(scenes, DataSection(labelled=0.5)) == (0.5, "as set")
