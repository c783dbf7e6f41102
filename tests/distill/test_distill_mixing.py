import json

import numpy as np
import pytest
from label_fakes import FakeTeachers, picture, write_pictures

from nbhelpers.data import few_labels, load_coco
from nbhelpers.distill.mixing import mix
from nbhelpers.distill.pseudo_labels import label_images
from nbhelpers.errors import BadInput

# Boxes that no teacher gives: where they turn up, true labels of unlabelled images have leaked.
POISON = [20.5, 20.5, 3.25, 3.25]


@pytest.fixture
def folder(tmp_path):
    return write_pictures(tmp_path / "images", 12)


def true_set(tmp_path, folder, name="truth", categories=("box", "cone")):
    """Pictures 0 to 11 with the true object, and one that no teacher can see."""
    images, annotations = [], []
    for n in range(12):
        rows, columns = np.nonzero(picture(n).min(axis=2) > 200)
        left, top = int(columns.min()), int(rows.min())
        box = [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]
        images.append({"id": 100 + n, "file_name": f"{n:05d}.png", "width": 40, "height": 30})
        for place, own in enumerate((box, POISON)):
            entry = {"id": 2 * n + place, "image_id": 100 + n, "category_id": 3 + 4 * (n % 2), "bbox": own}
            annotations.append(entry | {"area": own[2] * own[3], "iscrowd": 0})
    kinds = [{"id": 3 + 4 * place, "name": name} for place, name in enumerate(categories)]
    document = {"images": images, "annotations": annotations, "categories": kinds}
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps(document))
    return load_coco(path, folder)


def labelled_by(teachers, images, output):
    return label_images(teachers, images, output, say=lambda text: None).load()


def test_nothing_of_the_unlabelled_images_true_labels_enters(tmp_path, folder):
    train = true_set(tmp_path, folder)
    parts = few_labels(train, 0.25, 1)
    assert 0 < len(parts.labelled.images) < 12
    pseudo = labelled_by(FakeTeachers(), parts.unlabelled, tmp_path / "out")
    mixed = mix(parts.labelled, pseudo)
    people = set(parts.labelled.image_ids)
    assert {image["file_name"] for image in mixed.images} == {f"{n:05d}.png" for n in range(12)}
    names = {image["id"]: int(image["file_name"][:5]) + 100 for image in mixed.images}
    for entry in mixed.annotations:
        from_people = names[entry["image_id"]] in people
        assert entry["source"] == ("people" if from_people else "teacher")
        assert from_people or entry["bbox"] != POISON, "a true label of an unlabelled image has leaked"
        assert from_people == ("score" not in entry)
    assert sum(entry["bbox"] == POISON for entry in mixed.annotations) == len(people)
    with pytest.raises(BadInput, match="is no teacher's label"):
        mix(parts.labelled, parts.unlabelled)


def test_people_win_and_take_over_scores_of_matched_answers(tmp_path, folder):
    train = true_set(tmp_path, folder)
    pseudo = labelled_by(FakeTeachers(), train, tmp_path / "out")
    mixed = mix(train.subset([100, 101]), pseudo)
    own = [entry for entry in mixed.annotations if entry["image_id"] in (100, 101)]
    assert [entry["bbox"] == POISON for entry in own] == [False, True, False, True]
    assert [entry.get("class_scores") for entry in own] == [[0.75, 0.125], None, [0.125, 0.75], None]
    assert {entry["weight"] for entry in own} == {1.0} and {entry["source"] for entry in own} == {"people"}
    rest = [entry for entry in mixed.annotations if entry["image_id"] not in (100, 101)]
    assert len(rest) == 10 and {entry["weight"] for entry in rest} == {0.75}
    assert [entry["id"] for entry in mixed.annotations] == list(range(1, 15))
    assert [image["id"] for image in mixed.images] == list(range(100, 112)), "ids name the feature files"


def test_ids_of_a_folder_name_its_features_and_others_are_new(tmp_path, folder):
    """The teachers number a folder from 1; people's image 100 is their image 1, and 111 is not theirs."""
    train = true_set(tmp_path, folder)
    other = write_pictures(tmp_path / "more", 5)
    (other / "00000.png").unlink()
    (other / "link.png").symlink_to(folder / "00000.png")
    pseudo = labelled_by(FakeTeachers(), other, tmp_path / "out")
    mixed = mix(train.subset([100, 111]), pseudo)
    by_id = {image["id"]: image["file_name"] for image in mixed.images}
    assert by_id == {
        5: "images/00000.png",  # link.png, fifth by name
        6: "images/00011.png",
        1: "more/00001.png",
        2: "more/00002.png",
        3: "more/00003.png",
        4: "more/00004.png",
    }
    assert [entry["image_id"] for entry in mixed.annotations] == [5, 5, 6, 6, 1, 2, 3, 4]
    assert (
        mixed.annotations[0]["class_scores"] == [0.75, 0.125] and "class_scores" not in mixed.annotations[2]
    )
    saved = load_coco(mixed.save(tmp_path / "mixed.json"), mixed.folders[0])
    for number, image in ((5, picture(0)), (6, picture(11)), (3, picture(3))):
        assert np.array_equal(mixed.image(number), image) and np.array_equal(saved.image(number), image)


def test_weak_labels_leave_and_empty_images_with_them(tmp_path, folder):
    train = true_set(tmp_path, folder)
    pseudo = labelled_by(FakeTeachers(), train, tmp_path / "out")
    few = train.subset([100])
    assert len(mix(few, pseudo, 0.75).images) == 12
    assert [image["id"] for image in mix(few, pseudo, 0.76).images] == [100]
    kept = mix(few, pseudo, 0.76, keep_empty=True)
    assert len(kept.images) == 12 and len(kept.annotations) == 2
    cones = mix(few, pseudo, {"cone": 0.9})
    assert {entry["category_id"] for entry in cones.annotations} == {3} and len(cones.images) == 6


def test_a_label_may_count_whole(tmp_path, folder):
    train = true_set(tmp_path, folder)
    pseudo = labelled_by(FakeTeachers(), train, tmp_path / "out")
    assert {entry["weight"] for entry in mix(train.subset([100]), pseudo, weight="one").annotations} == {1.0}
    with pytest.raises(BadInput, match="weight 'half'"):
        mix(train, pseudo, weight="half")


def test_classes_are_compared_by_name(tmp_path, folder):
    train = true_set(tmp_path, folder, categories=("cone", "box"))
    pseudo = labelled_by(FakeTeachers(), folder, tmp_path / "out")  # box 1, cone 2
    mixed = mix(train.subset([100]), pseudo)
    assert mixed.class_names == ["cone", "box"]
    wide = next(entry for entry in mixed.annotations if entry["image_id"] == 2)
    assert wide["category_id"] == 3 and wide["class_scores"] == [0.75, 0.125]
    stranger = labelled_by(FakeTeachers(names=("box", "sofa")), folder, tmp_path / "other")
    with pytest.raises(BadInput, match="labels the class 'sofa', which"):
        mix(train, stranger)


def test_a_class_the_teachers_do_not_know_scores_nothing(tmp_path, folder):
    train = true_set(tmp_path, folder, categories=("box", "cone"))
    train = load_coco(train.path, folder)
    train.categories.append({"id": 20, "name": "sofa"})
    pseudo = labelled_by(FakeTeachers(), folder, tmp_path / "out")
    assert mix(train.subset([100]), pseudo).annotations[-1]["class_scores"] == [0.125, 0.75, 0.0]


def test_masks_of_everything_make_all_classes_one(tmp_path, folder):
    train = true_set(tmp_path, folder)
    pseudo = labelled_by(FakeTeachers(names=("object",)), write_tall(tmp_path), tmp_path / "out")
    mixed = mix(train.subset([101]), pseudo)
    assert mixed.categories == [{"id": 1, "name": "object"}]
    assert {entry["category_id"] for entry in mixed.annotations} == {1}
    assert mixed.annotations[-1]["class_scores"] == [0.75]


def write_tall(tmp_path):
    from PIL import Image

    (tmp_path / "tall").mkdir()
    Image.fromarray(picture(2)).save(tmp_path / "tall" / "a.png")
    return tmp_path / "tall"


def test_neither_set_is_changed(tmp_path, folder):
    train = true_set(tmp_path, folder)
    pseudo = labelled_by(FakeTeachers(), train, tmp_path / "out")
    before = json.dumps([train.to_dict(), pseudo.to_dict()])
    mix(train.subset([100, 101]), pseudo)
    assert json.dumps([train.to_dict(), pseudo.to_dict()]) == before


def test_a_missing_image_is_named(tmp_path, folder):
    train = true_set(tmp_path, folder)
    pseudo = labelled_by(FakeTeachers(), train, tmp_path / "out")
    (folder / "00001.png").unlink()
    with pytest.raises(BadInput, match="image 101"):
        mix(load_coco(train.path, folder), pseudo)
