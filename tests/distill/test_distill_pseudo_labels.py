import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from label_fakes import FakeTeachers, picture, write_pictures

from nbhelpers.data import load_coco
from nbhelpers.distill.pseudo_labels import label_images
from nbhelpers.errors import BadInput

HERE = Path(__file__).parent


@pytest.fixture
def folder(tmp_path):
    return write_pictures(tmp_path / "images", 10)


def quiet(text):
    pass


def test_a_folder_becomes_a_coco_set(tmp_path, folder):
    said = []
    run = label_images(FakeTeachers(), folder, tmp_path / "out", batch=3, say=said.append)
    assert (run.n_images, run.n_annotations, run.labelled, run.resumed, run.left) == (10, 10, 10, 0, 0)
    assert run.path == tmp_path / "out" / "labels.json" and run.features is None and run.unreadable == ()
    assert run.peak_bytes > 10 * 2**20 and run.images_per_second > 0
    assert said[0].startswith("10 labels on 10 images: 10 images labelled now in")
    coco = run.load()
    assert coco.class_names == ["box", "cone"] and coco.image_ids == list(range(1, 11))
    assert [entry["id"] for entry in coco.annotations] == list(range(1, 11))
    first = coco.annotations_of(2)[0]  # picture 1: wide
    assert first["category_id"] == 2 and first["bbox"] == [3.0, 4.0, 7.0, 4.0] and first["area"] == 28
    assert first["score"] == 0.75 and first["class_scores"] == [0.125, 0.75]
    assert first["source"] == "teacher" and first["mask_quality"] == 0.5 and first["iscrowd"] == 0
    assert np.array_equal(coco.detections(2).mask[0], picture(1).min(axis=2) > 200)
    assert np.array_equal(coco.image(2), picture(1))
    assert json.loads(run.path.read_text())["info"]["thresholds"] == {"box": 0.25, "cone": 0.25}


def test_the_file_is_one_other_tools_read(tmp_path, folder):
    from pycocotools.coco import COCO

    run = label_images(FakeTeachers(), folder, tmp_path / "out", say=quiet)
    read = COCO(str(run.path))
    assert len(read.getAnnIds()) == 10 and read.annToMask(read.loadAnns([1])[0]).sum() == 28


def test_a_batch_is_all_that_is_looked_at_together(tmp_path, folder):
    teachers = FakeTeachers()
    label_images(teachers, folder, tmp_path / "out", batch=4, say=quiet)
    assert teachers.largest_batch == 4


def test_sub_folders_odd_sizes_and_nothing_found(tmp_path):
    from PIL import Image

    write_pictures(tmp_path / "images" / "b", 2, (64, 21))
    Image.fromarray(np.zeros((5, 9, 3), np.uint8)).save(tmp_path / "images" / "dark.png")
    (tmp_path / "images" / ".hidden.png").write_bytes(b"x")
    (tmp_path / "images" / "notes.txt").write_text("x")
    coco = label_images(FakeTeachers(), tmp_path / "images", tmp_path / "out", say=quiet).load()
    assert [image["file_name"] for image in coco.images] == ["b/00000.png", "b/00001.png", "dark.png"]
    assert (coco.images[2]["width"], coco.images[2]["height"]) == (9, 5)
    assert coco.annotations_of(3) == [] and len(coco.annotations) == 2


def test_without_masks_there_is_no_segmentation(tmp_path, folder):
    coco = label_images(FakeTeachers(masks=False), folder, tmp_path / "out", say=quiet).load()
    assert all("segmentation" not in entry and "mask_quality" not in entry for entry in coco.annotations)
    assert coco.annotations[0]["area"] == 28.0


def test_a_second_call_labels_only_what_is_new(tmp_path, folder):
    log = tmp_path / "log"
    label_images(FakeTeachers(log), folder, tmp_path / "out", say=quiet)
    first = (tmp_path / "out" / "labels.json").read_bytes()
    again = label_images(FakeTeachers(log), folder, tmp_path / "out", say=quiet)
    assert (again.labelled, again.resumed, again.n_annotations) == (0, 10, 10)
    assert (tmp_path / "out" / "labels.json").read_bytes() == first
    from PIL import Image

    Image.fromarray(picture(50)).save(folder / "00000a.png")  # comes second by name
    Image.fromarray(picture(51)).save(folder / "00003.png")  # has changed
    (folder / "00009.png").unlink()
    third = label_images(FakeTeachers(log), folder, tmp_path / "out", say=quiet)
    assert (third.labelled, third.resumed, third.n_images) == (2, 8, 10)
    ids = {image["file_name"]: image["id"] for image in third.load().images}
    assert ids["00000a.png"] == 11 and ids["00003.png"] == 4 and "00009.png" not in ids
    assert third.load().annotations_of(4)[0]["bbox"][2:] == [7.0, 4.0]
    assert len(log.read_text().split()) == 12


def test_other_teachers_or_thresholds_begin_anew(tmp_path, folder):
    said = []
    label_images(FakeTeachers(), folder, tmp_path / "out", features=True, say=quiet)
    other = label_images(FakeTeachers(mark="b"), folder, tmp_path / "out", say=said.append)
    assert other.labelled == 10 and "labels of other teachers" in said[0]
    assert not (tmp_path / "out" / "features").exists()
    strict = label_images(
        FakeTeachers(mark="b"), folder, tmp_path / "out", thresholds={"cone": 0.9}, say=quiet
    )
    assert strict.labelled == 10 and strict.n_annotations == 5
    assert {entry["category_id"] for entry in strict.load().annotations} == {1}


def test_features_lie_beside_by_image_id(tmp_path, folder):
    from nbhelpers.teach.grounded_sam import load_features

    label_images(FakeTeachers(), folder, tmp_path / "out", say=quiet)
    run = label_images(FakeTeachers(), folder, tmp_path / "out", features=True, say=quiet)
    assert run.labelled == 10, "labels without features are made again where features are wanted"
    assert sorted(path.name for path in run.features.iterdir()) == sorted(f"{n}.npz" for n in range(1, 11))
    bright = (picture(4).min(axis=2) > 200).mean()
    assert load_features(run.features / "5.npz")["grounding_dino"].map[0, 0, 0] == pytest.approx(bright, 1e-2)
    (run.features / "5.npz").unlink()
    assert label_images(FakeTeachers(), folder, tmp_path / "out", features=True, say=quiet).labelled == 1
    assert (run.features / "5.npz").is_file()


def test_unreadable_images_are_named_and_left_out(tmp_path, folder):
    (folder / "00002.png").write_bytes(b"no image")
    (folder / "00007.png").write_bytes((folder / "00006.png").read_bytes()[:60])
    said = []
    run = label_images(FakeTeachers(), folder, tmp_path / "out", say=said.append)
    assert [name for name, _ in run.unreadable] == ["00002.png", "00007.png"]
    assert run.n_images == 8 and run.labelled == 10
    assert "2 images could not be read and are left out: 00002.png" in said[1]
    coco = run.load()
    assert len(coco.images) == 8 and coco.info["unreadable"] == ["00002.png", "00007.png"]
    shutil.copy(folder / "00003.png", folder / "00002.png")
    mended = label_images(FakeTeachers(), folder, tmp_path / "out", say=quiet)
    assert (mended.labelled, mended.n_images, len(mended.unreadable)) == (1, 9, 1)


def test_a_set_keeps_its_ids_categories_and_frames(tmp_path, folder):
    """Of a set only the images count: its annotations must not be read at all."""
    document = {
        "images": [{"id": 70 + n, "file_name": f"{n:05d}.png", "width": 40, "height": 30} for n in (4, 1, 3)],
        "categories": [{"id": 9, "name": "box"}, {"id": 5, "name": "cone"}, {"id": 6, "name": "sack"}],
        "annotations": [{"id": 1, "image_id": 74, "category_id": 6, "bbox": [1, 1, 3, 3]}],
    }
    (tmp_path / "set.json").write_text(json.dumps(document))
    coco = load_coco(tmp_path / "set.json", folder)
    coco.annotations = Forbidden()
    run = label_images(FakeTeachers(), coco, tmp_path / "out", say=quiet)
    made = run.load()
    assert made.image_ids == [74, 71, 73]
    assert made.categories == [{"id": 5, "name": "cone"}, {"id": 9, "name": "box"}]
    assert [entry["category_id"] for entry in made.annotations] == [9, 5, 5]
    # The scores follow the categories by id: cone, then box.
    assert made.annotations[0]["class_scores"] == [0.125, 0.75]
    assert made.annotations[1]["class_scores"] == [0.75, 0.125]
    assert np.array_equal(made.image(71), picture(1))


class Forbidden(list):
    """Annotations that nobody may look at."""

    def __iter__(self):
        raise AssertionError("true labels of unlabelled images were read")

    __len__ = __getitem__ = __contains__ = __iter__


def test_missing_images_of_a_set_are_left_out(tmp_path, folder):
    document = {
        "images": [{"id": 1, "file_name": "00000.png"}, {"id": 2, "file_name": "gone.png"}],
        "categories": [],
        "annotations": [],
    }
    (tmp_path / "set.json").write_text(json.dumps(document))
    run = label_images(FakeTeachers(), load_coco(tmp_path / "set.json", folder), tmp_path / "out", say=quiet)
    assert run.unreadable[0][0] == "gone.png" and "missing" in run.unreadable[0][1]
    assert run.load().class_names == ["box", "cone"]


def test_a_deadline_leaves_the_rest_for_the_next_call(tmp_path, folder):
    log = tmp_path / "log"
    slow = FakeTeachers(log, sleep_s=0.05)
    run = label_images(slow, folder, tmp_path / "out", batch=2, max_minutes=0.15 / 60, say=quiet)
    assert 0 < run.labelled < 10 and run.left == 10 - run.labelled
    assert len(run.load().images) == run.labelled
    rest = label_images(FakeTeachers(log), folder, tmp_path / "out", say=quiet)
    assert (rest.labelled, rest.resumed) == (run.left, run.labelled)
    assert set(Counter(log.read_text().split()).values()) == {1}


@pytest.mark.parametrize("place", ["images/out", "images"])
def test_the_output_must_not_lie_in_the_images(tmp_path, folder, place):
    with pytest.raises(BadInput, match="lies in the folder of the images"):
        label_images(FakeTeachers(), folder, tmp_path / place, say=quiet)


def test_bad_input_is_named(tmp_path, folder):
    with pytest.raises(BadInput, match="there is no such folder"):
        label_images(FakeTeachers(), tmp_path / "nowhere", tmp_path / "out", say=quiet)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no images"):
        label_images(FakeTeachers(), tmp_path / "empty", tmp_path / "out", say=quiet)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is a file"):
        label_images(FakeTeachers(), folder, tmp_path / "file", say=quiet)


def test_two_processes_do_not_share_a_folder(tmp_path, folder):
    from filelock import FileLock

    (tmp_path / "out").mkdir()
    busy = pytest.raises(BadInput, match="another process labels into this folder")
    with FileLock(tmp_path / "out" / ".labels.lock"), busy:
        label_images(FakeTeachers(), folder, tmp_path / "out", say=quiet)
    assert label_images(FakeTeachers(), folder, tmp_path / "out", say=quiet).n_images == 10


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from label_fakes import FakeTeachers
from nbhelpers.distill.pseudo_labels import label_images
root = Path(sys.argv[2])
teachers = FakeTeachers(root / "log", sleep_s=float(sys.argv[3]))
label_images(teachers, root / "images", root / "out", batch=4, features=True)
"""


def test_a_killed_run_goes_on_and_labels_no_image_twice(tmp_path):
    write_pictures(tmp_path / "images", 40)
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(HERE), str(tmp_path), "0.05"])
    journal = tmp_path / "out" / ".labels.jsonl"
    end = time.monotonic() + 120
    while time.monotonic() < end and (not journal.exists() or journal.read_bytes().count(b"\n") < 9):
        assert child.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    recorded = journal.read_bytes().count(b"\n") - 1
    assert 8 <= recorded < 40 and not (tmp_path / "out" / "labels.json").exists()
    journal.write_bytes(journal.read_bytes() + b'{"key": "00039.png", "id": 4')  # a line cut short
    run = label_images(
        FakeTeachers(tmp_path / "log"),
        tmp_path / "images",
        tmp_path / "out",
        batch=4,
        features=True,
        say=quiet,
    )
    assert (run.resumed, run.labelled, run.n_images, run.n_annotations) == (recorded, 40 - recorded, 40, 40)
    whole = tmp_path / "whole"
    label_images(FakeTeachers(), tmp_path / "images", whole, features=True, say=quiet)
    assert run.path.read_bytes() == (whole / "labels.json").read_bytes()
    asked = Counter((tmp_path / "log").read_text().split())
    # At most the batch that the kill met was looked at again.
    assert len(asked) == 40 and sum(count - 1 for count in asked.values()) <= 4


MEASURE = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from label_fakes import FakeTeachers
from nbhelpers.distill.pseudo_labels import label_images
label_images(FakeTeachers(), Path(sys.argv[2]), Path(sys.argv[3]), features=True, say=lambda text: None)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_images(tmp_path):
    """Thirty times the images; `benchmarks/label_memory.py` does it with the twins."""
    peaks = {}
    for count in (40, 1200):
        images = write_pictures(tmp_path / f"images{count}", count, (160, 160))
        arguments = [sys.executable, "-c", MEASURE, str(HERE), str(images), str(tmp_path / f"out{count}")]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
        peaks[count] = int(done.stdout)
    assert peaks[1200] <= 1.1 * peaks[40], peaks
