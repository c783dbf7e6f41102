import json

import pytest

from nbhelpers.errors import BadInput
from nbhelpers.teach.record import Part, TeachersRecord, needed, read_teachers, write_teachers


@pytest.fixture
def record(tmp_path):
    (tmp_path / "grounding_dino" / "adapter").mkdir(parents=True)
    return TeachersRecord(
        mode="detection_and_segmentation",
        class_names=("box", "pallet jack"),
        thresholds={"box": 0.31, "pallet jack": 1.0},
        nms=0.45,
        detector=Part("tiny/grounding-dino", "sha256:1", "grounding_dino/adapter"),
        segmenter=Part("tiny/sam", "sha256:2"),
    )


def test_round_trip_by_folder_and_by_file(tmp_path, record):
    path = write_teachers(tmp_path, record)
    assert path == tmp_path / "teachers.json"
    assert read_teachers(tmp_path) == record
    assert read_teachers(path) == record


def test_what_a_mode_needs():
    assert needed("detection") == (True, False)
    assert needed("segmentation") == (False, True)
    assert needed("detection_and_segmentation") == (True, True)
    with pytest.raises(BadInput, match=r"mode 'panoptic' is not known; known modes: detection"):
        needed("panoptic")


def test_missing_file_names_the_folder(tmp_path):
    with pytest.raises(BadInput, match=r"has no teachers\.json"):
        read_teachers(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": "other/2", "mode": "detection"}', "3"])
def test_foreign_and_cut_files_are_one_clear_error(tmp_path, content):
    (tmp_path / "teachers.json").write_text(content)
    with pytest.raises(BadInput, match=r"teachers\.json: is (no|not)"):
        read_teachers(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("class_names", "box", "'class_names' is not a list"),
        ("class_names", [], "class_names is empty"),
        ("class_names", ["box", "box"], "names a class twice"),
        ("thresholds", {"box": "high"}, "'thresholds' is not a score"),
        ("thresholds", {"box": 1.5}, "'thresholds' is not a score"),
        ("thresholds", {"box": True}, "'thresholds' is not a score"),
        ("nms", None, "'nms' is not a number"),
        ("stability", 2, "'stability' is not null or a number"),
        ("mode", "boxes", "mode 'boxes' is not known"),
        ("detector", None, "needs a detector, and none is named"),
        ("detector", {"base": 3, "revision": ""}, "'detector' is not null or an object"),
        ("segmenter", "tiny/sam", "'segmenter' is not null or an object"),
        ("detector", {"base": "a", "revision": "", "adapter": "gone"}, "no folder beside the file"),
        ("detector", {"base": "a", "revision": "", "adapter": "../x"}, "no folder beside the file"),
        ("detector", {"base": "a", "revision": "", "adapter": "/tmp"}, "no folder beside the file"),
    ],
)
def test_damage_is_named(tmp_path, record, key, value, said):
    path = write_teachers(tmp_path, record)
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(BadInput, match=said) as caught:
        read_teachers(tmp_path)
    assert "teachers.json" in str(caught.value) or key == "mode"


def test_nothing_is_written_that_could_not_be_read(tmp_path, record):
    lost = TeachersRecord("detection", ("box",), detector=Part("tiny/grounding-dino", adapter="nowhere"))
    with pytest.raises(BadInput, match="no folder beside the file"):
        write_teachers(tmp_path, lost)
    assert not (tmp_path / "teachers.json").exists()


def test_the_segmenter_alone_needs_no_classes(tmp_path):
    record = TeachersRecord("segmentation", (), segmenter=Part("tiny/sam"))
    write_teachers(tmp_path, record)
    assert read_teachers(tmp_path) == record
