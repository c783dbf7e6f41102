import json

import numpy as np
import pytest
from label_fakes import write_pictures

from nbhelpers.data import load_coco
from nbhelpers.distill.label_quality import label_quality, worst_figure
from nbhelpers.errors import BadInput

MASK = [[10, 10, 20, 10, 20, 20, 10, 20]]


@pytest.fixture
def folder(tmp_path):
    return write_pictures(tmp_path / "images", 4)


def coco(tmp_path, folder, name, annotations, images=4):
    document = {
        "images": [{"id": n, "file_name": f"{n:05d}.png", "width": 40, "height": 30} for n in range(images)],
        "categories": [{"id": 2, "name": "box"}, {"id": 5, "name": "cone"}],
        "annotations": [{"id": n, "iscrowd": 0, **entry} for n, entry in enumerate(annotations, 1)],
    }
    (tmp_path / f"{name}.json").write_text(json.dumps(document))
    return load_coco(tmp_path / f"{name}.json", folder)


def thing(image, category, box, score=None, mask=None, **more):
    entry = {"image_id": image, "category_id": category, "bbox": box, "area": box[2] * box[3], **more}
    if score is not None:
        entry |= {"score": score, "source": "teacher", "class_scores": [0.5, 0.5]}
    return entry | ({"segmentation": mask} if mask else {})


@pytest.fixture
def truth(tmp_path, folder):
    return coco(
        tmp_path,
        folder,
        "truth",
        [
            thing(0, 2, [0, 0, 10, 10]),
            thing(0, 2, [20, 0, 10, 10]),
            thing(1, 2, [0, 0, 10, 10]),
            thing(2, 5, [10, 10, 10, 10]),
        ],
    )


def test_known_counts(tmp_path, folder, truth):
    pseudo = coco(
        tmp_path,
        folder,
        "pseudo",
        [
            thing(0, 2, [0, 0, 10, 8], 0.9),  # right, IoU 0.8
            thing(0, 2, [30, 20, 5, 5], 0.8),  # invented
            thing(1, 5, [0, 0, 10, 10], 0.7),  # the right place, another class
            thing(2, 5, [10, 10, 10, 10], 0.6),  # right, IoU 1
        ],
    )
    found = label_quality(pseudo, truth)
    box, cone = found.classes
    assert (box.name, box.truths, box.labels, box.right) == ("box", 3, 2, 1)
    assert (box.precision, box.recall) == (0.5, pytest.approx(1 / 3)) and box.mean_iou == pytest.approx(0.8)
    assert (cone.truths, cone.labels, cone.right, cone.mean_iou) == (1, 2, 1, 1.0)
    total = found.total
    assert (total.truths, total.labels, total.right) == (4, 4, 2)
    assert total.mean_iou == pytest.approx(0.9) and total.ap50 == found.scores.ap50
    assert found.kind == "bbox" and found.n_images == 4
    scores = {one.image_id: (one.score, one.right, one.missed, one.invented) for one in found.images}
    assert scores == {
        1: (0.0, 0, 1, 1),
        0: (pytest.approx(0.8 / 2), 1, 1, 1),
        2: (1.0, 1, 0, 0),
    }
    assert [one.image_id for one in found.images] == [1, 0, 2], "worst first; image 3 has nothing on it"


def test_the_table_says_it_all(tmp_path, folder, truth):
    pseudo = coco(tmp_path, folder, "pseudo", [thing(0, 2, [0, 0, 10, 10], 0.9)])
    lines = label_quality(pseudo, truth).table().splitlines()
    assert lines[0].split() == ["class", "objects", "labels", "precision", "recall", "box", "IoU", "AP50"]
    assert lines[2].split()[:6] == ["box", "3", "1", "1.000", "0.333", "1.000"]
    assert lines[3].split() == ["cone", "1", "0", "-", "0.000", "-", "0.000"]
    assert lines[4].split()[:3] == ["all", "4", "1"]


def test_no_label_at_all_is_an_honest_table(tmp_path, folder, truth):
    found = label_quality(coco(tmp_path, folder, "pseudo", []), truth)
    assert (found.total.labels, found.total.recall, found.total.precision) == (0, 0.0, None)
    assert found.scores.ap == 0 and found.total.mean_iou is None
    assert [one.score for one in found.images] == [0.0, 0.0, 0.0]
    assert "-" in found.table()


def test_no_object_at_all(tmp_path, folder):
    nothing = coco(tmp_path, folder, "truth", [])
    pseudo = coco(tmp_path, folder, "pseudo", [thing(0, 2, [0, 0, 10, 10], 0.9)])
    found = label_quality(pseudo, nothing)
    assert found.total.precision == 0.0 and found.total.recall is None and found.total.ap50 is None
    assert found.images[0].invented == 1


def test_masks_are_compared_where_all_have_some(tmp_path, folder):
    box = [10, 10, 10, 10]
    half = [[10, 10, 20, 10, 20, 16, 10, 16]]
    truth = coco(tmp_path, folder, "truth", [thing(0, 2, box, mask=MASK)])
    found = label_quality(coco(tmp_path, folder, "p", [thing(0, 2, box, 0.9, half)]), truth)
    assert found.kind == "segm" and found.total.mean_iou == pytest.approx(0.6)
    assert "mask IoU" in found.table()
    by_box = label_quality(coco(tmp_path, folder, "p", [thing(0, 2, box, 0.9, half)]), truth, kind="bbox")
    assert by_box.kind == "bbox" and by_box.total.mean_iou == pytest.approx(1.0)
    boxes = label_quality(coco(tmp_path, folder, "p", [thing(0, 2, box, 0.9)]), truth)
    assert boxes.kind == "bbox" and boxes.total.mean_iou == pytest.approx(1.0)
    with pytest.raises(BadInput, match="has no segmentation"):
        label_quality(coco(tmp_path, folder, "p", [thing(0, 2, box, 0.9)]), truth, kind="segm")


def test_crowds_count_neither_way(tmp_path, folder):
    truth = coco(
        tmp_path, folder, "truth", [thing(0, 2, [0, 0, 30, 30], iscrowd=1), thing(1, 2, [0, 0, 9, 9])]
    )
    pseudo = coco(tmp_path, folder, "p", [thing(0, 2, [3, 3, 9, 9], 0.9), thing(1, 2, [0, 0, 9, 9], 0.8)])
    total = label_quality(pseudo, truth).total
    assert (total.truths, total.labels, total.right) == (1, 1, 1)


def test_one_class_of_objects_is_compared_with_all(tmp_path, folder, truth):
    pseudo = coco(tmp_path, folder, "p", [thing(2, 5, [10, 10, 10, 10], 0.9)])
    pseudo.categories = [{"id": 5, "name": "object"}]
    found = label_quality(load_like(pseudo, tmp_path, folder), truth)
    assert [one.name for one in found.classes] == ["object"]
    assert (found.total.truths, found.total.right) == (4, 1)


def load_like(changed, tmp_path, folder):
    return load_coco(changed.save(tmp_path / "again.json"), folder)


def test_only_common_images_are_compared(tmp_path, folder, truth):
    pseudo = coco(tmp_path, folder, "p", [thing(0, 2, [0, 0, 10, 10], 0.9)], images=1)
    found = label_quality(pseudo, truth)
    assert found.n_images == 1 and found.total.truths == 2
    with pytest.raises(BadInput, match=r"has no image \(by id\)"):
        label_quality(coco(tmp_path, folder, "none", [], images=0), truth)


def test_the_worst_images_are_shown_truth_above_teachers_below(tmp_path, folder, truth):
    pseudo = coco(tmp_path, folder, "p", [thing(0, 2, [0, 0, 10, 10], 0.9), thing(1, 5, [5, 5, 9, 9], 0.8)])
    quality = label_quality(pseudo, truth)
    figure = worst_figure(quality, pseudo, truth, count=2)
    titles = [axis.get_title(loc="center") for axis in figure.axes]
    assert titles == [
        "image 1: people",
        "image 2: people",
        "teachers: 0.00; 1 missed, 1 invented",
        "teachers: 0.00; 1 missed, 0 invented",
    ]
    drawn = [np.asarray(axis.get_images()[0].get_array()) for axis in figure.axes]
    assert (drawn[0] != drawn[2]).any(), "the pictures above and below must differ"
    nothing = coco(tmp_path, folder, "t0", [])
    with pytest.raises(BadInput, match="there is none to show"):
        worst_figure(label_quality(coco(tmp_path, folder, "p0", []), nothing), pseudo, nothing)
