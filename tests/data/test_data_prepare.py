"""The whole preparation: what the folder holds, the same bytes twice, odd images, kills, copies."""

import shutil

import numpy as np
import pytest
from PIL import Image, ImageOps
from prepare_sets import document, edit, picture, texts, written_set

from nbhelpers.data import (
    default_set,
    load_coco,
    load_prepared,
    parse_split,
    prepare,
    prepared_or_default,
)
from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.settings import DataSection, load_settings

SPLIT = "train:0.5,val:0.25,test:0.25"


def test_the_folder_holds_everything(tmp_path):
    done = prepare(written_set(tmp_path / "in"), None, tmp_path / "out", split=SPLIT)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        *("train.json", "val.json", "test.json", "images", "statistics.json", "validation_report.json"),
        *(".mode_config.json", "settings.generated.yaml", ".prepared.json"),
    }
    assert [row["images"] for row in done.counts] == [6, 3, 3]
    assert (done.mode, done.held_out) == ("detection_and_segmentation", "val")
    report = document(tmp_path / "out/validation_report.json")
    for kind, count in (("images", 12), ("annotations", 24)):
        numbers = report[kind]
        assert numbers["in"] == count == numbers["kept"] + numbers["repaired"] + numbers["dropped"]
    assert set(report["statistics"]["classes"]) == {"box", "cone", "barrel"}
    assert document(tmp_path / "out/.mode_config.json") == done.mode_config


def test_it_can_be_moved_and_loaded(tmp_path):
    done = prepare(written_set(tmp_path / "in"), None, tmp_path / "out", split=SPLIT)
    before = {name: part.image(part.image_ids[0]) for name, part in done.parts.items()}
    shutil.move(tmp_path / "out", tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "in")
    again = load_prepared(tmp_path / "elsewhere")
    assert (again.counts, again.mode, again.mode_config) == (done.counts, done.mode, done.mode_config)
    assert (again.groups, again.placed, again.inputs) == (done.groups, done.placed, done.inputs)
    assert again.report.summary() == done.report.summary()
    assert again.report.images == done.report.images
    for name, part in again.parts.items():
        assert np.array_equal(part.image(part.image_ids[0]), before[name])


def test_twice_the_same_bytes_in_place_and_elsewhere(tmp_path):
    data = written_set(tmp_path / "in")
    prepare(data, None, tmp_path / "out", split=SPLIT)
    first = texts(tmp_path / "out")
    prepare(data, None, tmp_path / "out", split=SPLIT)
    prepare(data, None, tmp_path / "other", split=SPLIT)
    assert texts(tmp_path / "out") == first == texts(tmp_path / "other")


def test_another_seed_splits_otherwise_and_old_parts_do_not_count(tmp_path):
    data = written_set(tmp_path / "in", 24)
    one = prepare(data, None, tmp_path / "out", split=SPLIT)
    two = prepare(data, None, tmp_path / "out", split="train:0.5,test:0.5", seed=5)
    assert set(one.parts["train"].image_ids) != set(two.parts["train"].image_ids)
    assert list(load_prepared(tmp_path / "out").parts) == ["train", "test"]
    assert load_prepared(tmp_path / "out").part("train").image_ids
    with pytest.raises(BadInput, match="no part 'val' among train, test; prepare the set again"):
        load_prepared(tmp_path / "out").part("val")
    assert not (tmp_path / "out/val.json").exists()
    assert two.held_out == "test"


def test_segmentation_only_gets_boxes_and_stays_segmentation(tmp_path):
    done = prepare(written_set(tmp_path / "in", boxes=False), None, tmp_path / "out", split=SPLIT)
    assert done.mode == "segmentation"
    assert done.mode_config["recommended_student"] == "fastsam"
    entries = [entry for part in done.parts.values() for entry in part.annotations]
    assert all(entry["bbox"] == [5 + 8 * k, 6 + 4 * k, 20, 10] for entry, k in places(entries))
    assert all(0 < entry["area"] < 200 for entry in entries)
    train = load_coco(tmp_path / "out/train.json")
    assert train.info["annotation_mode"] == "segmentation"


def places(entries):
    """Each annotation with its place among those of its image, as `written_set` laid them out."""
    seen = {}
    for entry in sorted(entries, key=lambda entry: entry["id"]):
        k = seen[entry["image_id"]] = seen.get(entry["image_id"], -1) + 1
        yield entry, k


def test_boxes_alone_are_detection(tmp_path):
    done = prepare(written_set(tmp_path / "in", masks=False), None, tmp_path / "out", split=SPLIT)
    assert (done.mode, done.mode_config["recommended_student"]) == ("detection", "yolov8")


def test_copies_stay_in_one_part(tmp_path):
    data = written_set(tmp_path / "in", 10)
    images = tmp_path / "in/images"
    original = Image.open(images / "001.png")
    original.save(images / "copy.jpg", quality=60)
    ImageOps.mirror(original).resize((192, 144)).save(images / "mirrored.png")

    def add(content):
        sizes = {"copy.jpg": (96, 72), "mirrored.png": (192, 144)}
        for i, (name, (width, height)) in enumerate(sizes.items(), start=90):
            content["images"].append({"id": i, "file_name": name, "width": width, "height": height})

    edit(data, add)
    for seed in range(4):
        done = prepare(data, None, tmp_path / f"out{seed}", split=SPLIT, seed=seed)
        assert done.groups == [[1, 90, 91]]
        assert any({1, 90, 91} <= set(part.image_ids) for part in done.parts.values())
    assert [item.code for item in done.report.items if item.image_id == 1] == ["near_duplicates"]


def test_given_groups_are_kept_too(tmp_path):
    done = prepare(written_set(tmp_path / "in"), None, tmp_path / "out", split=SPLIT, groups=[{2, 5, 7}])
    assert any({2, 5, 7} <= set(part.image_ids) for part in done.parts.values())


def test_generated_settings_load_and_lie_over_a_profile(tmp_path):
    prepare(written_set(tmp_path / "in"), None, tmp_path / "out", split=SPLIT, seed=3)
    file = tmp_path / "out/settings.generated.yaml"
    plain, laid = load_settings("t4"), load_settings("t4", file=file)
    assert (laid.data.split, laid.data.seed) == (SPLIT, 3)
    assert laid.distill.student == "yolov8_seg"
    assert laid.export.calibration_images == 6
    assert laid.distill.size == plain.distill.size
    assert load_settings(str(file)).distill.student == "yolov8_seg"


def test_without_configurations(tmp_path):
    done = prepare(written_set(tmp_path / "in"), None, tmp_path / "out", split=SPLIT, generate_configs=False)
    assert not (tmp_path / "out/.mode_config.json").exists()
    assert not (tmp_path / "out/settings.generated.yaml").exists()
    assert load_prepared(tmp_path / "out").mode_config == done.mode_config == {}


def test_a_kill_leaves_nothing_that_passes_for_finished(tmp_path, monkeypatch):
    from nbhelpers.data.coco import CocoSet

    data = written_set(tmp_path / "in")
    prepare(data, None, tmp_path / "whole", split=SPLIT, seed=1)
    prepare(data, None, tmp_path / "out", split=SPLIT)
    save, calls = CocoSet.save, []

    def save_once(self, path):
        if calls:
            raise KeyboardInterrupt
        calls.append(path)
        return save(self, path)

    monkeypatch.setattr(CocoSet, "save", save_once)
    with pytest.raises(KeyboardInterrupt):
        prepare(data, None, tmp_path / "out", split="train:0.5,val:0.25,tried:0.25", seed=1)
    with pytest.raises(BadInput, match="was not finished; prepare it again"):
        load_prepared(tmp_path / "out")
    monkeypatch.undo()
    for remains in (f".{'0a' * 8}.tmp", f"images/.{'0a' * 16}.part"):
        (tmp_path / "out" / remains).write_text("cut short")
    prepare(data, None, tmp_path / "out", split=SPLIT, seed=1)
    assert texts(tmp_path / "out") == texts(tmp_path / "whole")
    assert len(list((tmp_path / "out/images").iterdir())) == 12


def test_an_impossible_split_leaves_the_old_set_alone(tmp_path):
    data = written_set(tmp_path / "in")
    done = prepare(data, None, tmp_path / "out", split=SPLIT)
    with pytest.raises(BadInput, match="image id 99 is not in the set"):
        prepare(data, None, tmp_path / "out", split=SPLIT, groups=[[1, 99]])
    assert load_prepared(tmp_path / "out").counts == done.counts


def test_images_that_left_the_set_leave_the_folder(tmp_path):
    data = written_set(tmp_path / "in")
    prepare(data, None, tmp_path / "out", split=SPLIT)
    (tmp_path / "out/images/mine.txt").write_text("not made by prepare")

    def drop(content):
        content["images"] = [image for image in content["images"] if image["id"] != 4]
        content["annotations"] = [entry for entry in content["annotations"] if entry["image_id"] != 4]

    edit(data, drop)
    prepare(data, None, tmp_path / "out", split=SPLIT)
    left = {path.name for path in (tmp_path / "out/images").iterdir()}
    assert "004.png" not in left
    assert {"001.png", "mine.txt"} <= left
    assert (tmp_path / "in/images/004.png").is_file()


def test_broken_images_are_dropped_and_the_sum_holds(tmp_path):
    data = written_set(tmp_path / "in")
    whole = (tmp_path / "in/images/003.png").read_bytes()
    (tmp_path / "in/images/003.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in/images/005.png").unlink()
    done = prepare(data, None, tmp_path / "out", split=SPLIT)
    assert (done.report.images.dropped, done.report.images.total) == (2, 12)
    assert done.report.annotations.dropped == 1 + 3
    assert sum(row["images"] for row in done.counts) == 10


def test_strict_stops_with_the_report_on_disk(tmp_path):
    data = written_set(tmp_path / "in")
    (tmp_path / "in/images/005.png").unlink()
    with pytest.raises(CheckFailed, match="--strict"):
        prepare(data, None, tmp_path / "out", split=SPLIT, strict=True)
    assert document(tmp_path / "out/validation_report.json")["ok"] is False
    assert not (tmp_path / "out/train.json").exists()


def test_strict_passes_a_clean_set(tmp_path):
    done = prepare(written_set(tmp_path / "in"), None, tmp_path / "out", split=SPLIT, strict=True)
    assert done.report.ok


def test_nothing_left_to_use(tmp_path):
    data = written_set(tmp_path / "in")
    shutil.rmtree(tmp_path / "in/images")
    with pytest.raises(CheckFailed, match="left to use"):
        prepare(data, None, tmp_path / "out", split=SPLIT)
    assert document(tmp_path / "out/validation_report.json")["images"]["kept"] == 0


def test_the_set_itself_is_not_written_over(tmp_path):
    data = written_set(tmp_path / "in")
    for output in (tmp_path / "in", tmp_path, tmp_path / "in/images"):
        with pytest.raises(BadInput, match=r"name another output folder|holds the input"):
            prepare(data, tmp_path / "in/images", output, split=SPLIT)
    assert not list((tmp_path / "in/images").glob("*.json"))


def given_parts(folder):
    """Two files whose ids and image names are the same, and whose pictures are not."""
    files = {name: written_set(folder / name, 4) for name in ("train", "valid")}
    for i in range(1, 5):
        picture(70 + i).save(folder / f"valid/images/{i:03d}.png")
    return files


def test_a_set_that_comes_split_keeps_its_parts(tmp_path):
    files = given_parts(tmp_path / "in")
    done = prepare(files, None, tmp_path / "out")
    assert [(row["part"], row["images"]) for row in done.counts] == [("train", 4), ("valid", 4)]
    assert done.report.images.kept == 8
    assert done.report.annotations.kept == 2 * len(document(files["train"])["annotations"])
    valid = load_prepared(tmp_path / "out").parts["valid"]
    assert [image["file_name"] for image in valid.images] == [f"valid/{i:03d}.png" for i in range(1, 5)]
    assert np.array_equal(valid.image(valid.image_ids[0]), np.asarray(picture(71)))
    assert load_settings("cpu", file=tmp_path / "out/settings.generated.yaml").distill.student == "yolov8_seg"
    first = texts(tmp_path / "out")
    prepare(files, None, tmp_path / "out")
    assert texts(tmp_path / "out") == first


def test_copies_across_given_parts_are_warned_of(tmp_path):
    files = given_parts(tmp_path / "in")
    with Image.open(tmp_path / "in/train/images/002.png") as image:
        ImageOps.mirror(image).save(tmp_path / "in/valid/images/003.png")
    done = prepare(files, None, tmp_path / "out")
    leaks = [item for item in done.report.items if item.code == "copies_across_parts"]
    assert [(item.severity, item.image_id) for item in leaks] == [("warning", 2)]
    assert "train and valid" in leaks[0].message
    with pytest.raises(CheckFailed, match="--strict"):
        prepare(files, None, tmp_path / "strict", strict=True)


def test_given_parts_must_agree_on_the_classes(tmp_path):
    files = given_parts(tmp_path / "in")
    edit(files["valid"], lambda content: content["categories"][0].update(name="crate"))
    with pytest.raises(BadInput, match="category 1 is 'crate', in another part 'box'"):
        prepare(files, None, tmp_path / "out")
    with pytest.raises(BadInput, match="is no plain name"):
        prepare({"a/b": files["train"]}, None, tmp_path / "out")
    with pytest.raises(BadInput, match="name at least one"):
        prepare({}, None, tmp_path / "out")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "missing.json", "no such file"),
        (lambda folder: folder / "images", "folder"),
        (lambda folder: folder / "images/001.png", "text"),
    ],
)
def test_no_coco_document(tmp_path, make, message):
    written_set(tmp_path / "in")
    with pytest.raises(BadInput, match=message):
        prepare(make(tmp_path / "in"), None, tmp_path / "out", split=SPLIT)


def test_a_split_that_cannot_be_had_is_told_before_any_work(tmp_path):
    with pytest.raises(BadInput, match="sum to"):
        prepare(tmp_path / "missing.json", None, tmp_path / "out", split="train:0.5,test:0.4")


@pytest.mark.parametrize(("count", "parts"), [(1, ["train"]), (2, ["train", "val"])])
def test_too_few_images_for_the_parts_is_a_warning(tmp_path, count, parts):
    data = written_set(tmp_path / "in", count)
    done = prepare(data, None, tmp_path / "out", split=SPLIT)
    assert list(load_prepared(tmp_path / "out").parts) == list(done.parts) == parts
    empty = [item for item in done.report.items if item.code == "part_empty"]
    assert len(empty) == 3 - count
    assert "add images, or ask for fewer parts" in empty[0].message
    with pytest.raises(CheckFailed, match="--strict"):
        prepare(data, None, tmp_path / "strict", split=SPLIT, strict=True)


def test_what_is_no_prepared_folder(tmp_path):
    with pytest.raises(BadInput, match="is no prepared set"):
        load_prepared(tmp_path)


def test_nuts_twelve_and_six(shared_data, tmp_path):
    data = shared_data / "coco/nuts/trainval.json"
    done = prepare(data, None, tmp_path / "out", split="train:0.67,test:0.33")
    assert [(row["part"], row["images"]) for row in done.counts] == [("train", 12), ("test", 6)]
    assert sum(row["annotations"] for row in done.counts) == 165
    assert done.groups == []
    assert done.report.images.kept == 18
    assert document(tmp_path / "out/.mode_config.json")["num_classes"] == 3
    original = {entry["id"]: entry["bbox"] for entry in document(data)["annotations"]}
    kept = {entry["id"]: entry["bbox"] for part in done.parts.values() for entry in part.annotations}
    assert sum(kept[i] != original[i] for i in kept) <= 8  # boxes more than a pixel off their masks


def test_default_is_drawn_once_and_loaded_again(tmp_path):
    section = DataSection(scenes=12, scene_size=64, split="train:0.5,val:0.25,test:0.25")
    first = prepared_or_default(None, section, tmp_path)
    stamp = (tmp_path / "prepared/train.json").stat().st_mtime_ns
    again = prepared_or_default(None, section, tmp_path)
    assert again.counts == first.counts
    assert (tmp_path / "prepared/train.json").stat().st_mtime_ns == stamp
    assert sum(row["images"] for row in first.counts) == 12
    assert first.mode == "detection_and_segmentation"
    other = prepared_or_default(None, section.model_copy(update={"seed": 4}), tmp_path)
    assert other.inputs != first.inputs
    assert prepared_or_default(tmp_path / "prepared", section, tmp_path / "unused").counts == other.counts
    assert not (tmp_path / "unused").exists()


def test_a_default_drawn_of_another_world_is_not_taken_for_it(tmp_path):
    section = DataSection(scenes=12, scene_size=64, split="train:0.5,val:0.25,test:0.25")
    base = prepared_or_default(None, section, tmp_path)
    shifted = prepared_or_default(None, section.model_copy(update={"world": "shifted"}), tmp_path)
    assert base.part("train").info["world"] == "base"
    assert shifted.part("train").info["world"] == "shifted"
    assert set(shifted.part("train").class_names) - set(base.part("train").class_names)
    assert prepared_or_default(None, section, tmp_path).inputs == base.inputs


def test_default_set_is_a_coco_file(tmp_path):
    path = default_set(tmp_path, DataSection(scenes=10, scene_size=64))
    assert path == tmp_path / "scenes.json"
    assert len(load_coco(path).images) == 10
    assert parse_split(DataSection().split)
