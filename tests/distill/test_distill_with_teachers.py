"""What teachers add to people's labels, and that a student trains on it: labels, class scores, features."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_shapes import quick  # type: ignore[import-not-found]
from label_fakes import FakeTeachers, write_pictures  # type: ignore[import-not-found]

from nbhelpers.data import load_coco
from nbhelpers.distill.with_teachers import taught_by, with_folder
from nbhelpers.errors import BadInput

pytestmark = pytest.mark.slow


def quiet(line):
    """Say nothing."""


def settings(**losses):
    from nbhelpers.settings.sections import LossSettings

    return quick(losses=LossSettings(**losses), batch=2, pseudo_weight="score")


@pytest.fixture
def few(tmp_path):
    """Two pictures of ten with people's labels, and the folder of all ten."""
    folder = write_pictures(tmp_path / "photos", 10)
    from nbhelpers.distill import label_images

    everything = label_images(FakeTeachers(), folder, tmp_path / "first", say=quiet).load()
    people = [
        {
            key: entry[key]
            for key in ("id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation")
        }
        for entry in everything.annotations
    ]
    everything = replace(everything, annotations=people)
    return everything.subset(everything.image_ids[:2]), everything, folder


def test_a_folder_joins_a_set_and_no_file_comes_twice(few):
    labelled, _, folder = few
    joined = with_folder(labelled, folder)
    assert len(joined.images) == 10 and joined.annotations == []
    assert len({joined.image_path(number).resolve() for number in joined.image_ids}) == 10
    first = joined.image_ids[2]
    assert np.array_equal(joined.image(first), load_coco(labelled.path, folder).image(3))


@pytest.mark.parametrize("as_folder", [True, False])
def test_peoples_labels_stay_and_the_others_are_the_teachers(few, tmp_path, as_folder):
    labelled, everything, folder = few
    taught = taught_by(
        FakeTeachers(),
        labelled,
        folder if as_folder else everything,
        settings(logit=1.0),
        tmp_path / "t",
        quiet,
    )
    assert taught.run.n_images == 10 and taught.teacher is None
    sources = [entry["source"] for entry in taught.train.annotations]
    assert sources.count("people") == 2 and sources.count("teacher") == 8
    assert {entry["weight"] for entry in taught.train.annotations} == {1.0, 0.75}
    assert all(max(entry["class_scores"]) == 0.75 for entry in taught.train.annotations)


def test_features_of_labelled_and_unlabelled_images_are_there(few, tmp_path):
    labelled, everything, _ = few
    taught = taught_by(FakeTeachers(), labelled, everything, settings(feature=1.0), tmp_path / "t", quiet)
    assert taught.teacher.missing == [] and taught.teacher.channels == {"grounding_dino": 2}


def test_teachers_that_can_add_nothing_are_refused(few, tmp_path):
    with pytest.raises(BadInput, match="nothing to add"):
        taught_by(FakeTeachers(), few[0], None, settings(), tmp_path / "t", quiet)


def test_a_student_learns_from_all_of_it_and_a_second_call_returns_at_once(few, tmp_path):
    from nbhelpers.distill import load_student, train_student

    labelled, everything, _ = few
    chosen = settings(feature=1.0, logit=1.0)
    results = []
    for _ in range(2):
        taught = taught_by(FakeTeachers(), labelled, everything, chosen, tmp_path / "t", quiet)
        results.append(
            train_student(taught.train, labelled, chosen, tmp_path / "run", teacher=taught.teacher, say=quiet)
        )
    first, again = results
    assert again.reused and not first.reused
    row = first.history[0]
    assert row["train_feature"] > 0 and row["train_logit"] > 0 and row["train_bce"] > 0
    assert first.labels["train"].teachers == 8 and first.labels["train"].objects == 10
    names = load_student(first.best).state_dict()
    assert not [name for name in names if "head" in name.split(".")[0]]  # projections are dropped
    alone = train_student(labelled, labelled, settings(), tmp_path / "alone", say=quiet)
    assert names.keys() == load_student(alone.best).state_dict().keys()
