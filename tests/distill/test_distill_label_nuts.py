"""Photographs and classes the twins have never seen: an honest account, and no crash."""

import pytest

from nbhelpers.data import load_coco
from nbhelpers.distill.label_quality import label_quality
from nbhelpers.distill.mixing import mix
from nbhelpers.distill.pseudo_labels import label_images
from nbhelpers.teach.grounded_sam import GroundedSam, thresholds_table


@pytest.fixture(scope="module")
def nuts(shared_data):
    return load_coco(shared_data / "coco/nuts/trainval.json")


@pytest.fixture(scope="module")
def teachers(nuts):
    mapping = {str(entry["id"]): entry["name"] for entry in nuts.categories}
    made = GroundedSam.from_pretrained("tiny/grounding-dino", "tiny/sam", class_mapping=mapping, device="cpu")
    made.choose_thresholds(nuts.subset(nuts.image_ids[:6]))
    return made


def test_thresholds_of_classes_nobody_taught(teachers):
    assert [one.name for one in teachers.choices] == ["date", "fig", "hazelnut"]
    for one in teachers.choices:
        assert one.truths > 0 and 0 <= one.threshold <= 1
        assert (one.threshold == 1.0) == (one.f1 == 0.0)
        assert one.f1 < 0.5, "a twin that knows nuts would make this test's premise wrong"
    assert len(thresholds_table(teachers.choices).splitlines()) == 5


def test_the_way_to_the_end_is_a_table_of_little(teachers, nuts, tmp_path):
    unlabelled = nuts.subset(nuts.image_ids[6:12])
    run = label_images(teachers, unlabelled, tmp_path / "out", say=lambda text: None)
    quality = label_quality(run.load(), unlabelled)
    assert (quality.n_images, quality.total.labels) == (6, run.n_annotations)
    assert quality.total.truths > 20 and quality.scores.ap < 0.2
    assert len(quality.table().splitlines()) == 6 and len(quality.images) == 6
    mixed = mix(nuts.subset(nuts.image_ids[:3]), run.load())
    assert len(mixed.images) >= 3 and {e["source"] for e in mixed.annotations} <= {"people", "teacher"}


def test_no_label_at_all_is_an_outcome(teachers, nuts, tmp_path):
    few = nuts.subset(nuts.image_ids[:2])
    silent = dict.fromkeys(teachers.class_names, 1.0)
    run = label_images(teachers, few, tmp_path / "out", thresholds=silent, say=lambda text: None)
    assert (run.n_images, run.n_annotations) == (2, 0)
    quality = label_quality(run.load(), few)
    assert quality.total.recall == 0 and quality.total.precision is None and quality.scores.ap == 0
    mixed = mix(few, run.load())
    assert len(mixed.images) == 2 and {entry["source"] for entry in mixed.annotations} == {"people"}
