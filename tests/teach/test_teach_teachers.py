"""Which teachers are tuned, with which models, what is left behind, and what is not done twice."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from nbhelpers import teach
from nbhelpers.artifacts import read_json, write_json
from nbhelpers.data import draw_scenes, few_labels, load_coco, mode_config, prepare
from nbhelpers.errors import BadInput
from nbhelpers.models import NothingFits, Rung, chain
from nbhelpers.settings import LoraSettings, TeachSection, load_settings
from nbhelpers.teach import account, teachers
from nbhelpers.teach.rungs import load_teacher, step_shapes
from nbhelpers.teach.tuned import TunedTeacher

SHORT = {"steps": 2, "batch": 2, "validations": 1}
SETTINGS = TeachSection(detector=SHORT, segmenter=SHORT, tensorboard=False)


# ---- which


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("detection", ["grounding_dino"]),
        ("segmentation", ["sam"]),
        ("detection_and_segmentation", ["grounding_dino", "sam"]),
    ],
)
def test_the_mode_decides_which_teachers_are_needed(mode, wanted):
    assert teach.teachers_for({"annotation_mode": mode}) == wanted
    assert set(wanted) <= set(teach.PURPOSES)


def test_an_unknown_mode_is_refused():
    with pytest.raises(BadInput, match="annotation mode 'pose'"):
        teach.teachers_for({"annotation_mode": "pose"})


def test_candidates_are_the_profiles_or_the_one_named():
    assert chain("detector", "cpu") == ["tiny/grounding-dino"]
    real = chain("segmenter", "t4")
    assert real[0] == "sam-vit-huge" and real[-1] == "tiny/sam"
    assert chain("detector", "t4", "mine") == ["mine"]


def test_a_step_is_as_large_as_the_models_own_pictures():
    named = LoraSettings(batch=3)
    small = step_shapes("detector", "tiny/grounding-dino", named, ["box", "pallet_jack"])
    assert (small.batch, small.size, small.text_tokens) == (3, 128, 2 + 2 + 2 * 3)
    real = step_shapes("detector", "grounding-dino-base", named, ["box"])
    assert real.size == 1033, "as many pixels as 800 x 1333"
    assert step_shapes("detector", "grounding-dino-base", named, ["box"] * 200).text_tokens == 256
    assert step_shapes("segmenter", "sam-vit-huge", named, []).size is None, "SAM has one size"


def test_the_picture_size_is_read_from_a_folder(tmp_path):
    write_json(tmp_path / "preprocessor_config.json", {"size": {"shortest_edge": 100, "longest_edge": 400}})
    assert step_shapes("detector", str(tmp_path), LoraSettings(), ["box"]).size == 200


def test_what_does_not_fit_is_left_with_its_reason(monkeypatch):
    """The chain of a T4, on a machine where only the last of it can be had."""
    import nbhelpers.models

    asked = []

    def load(name, task, device, shapes):
        asked.append((name, shapes.size))
        if not name.startswith("tiny/"):
            raise NothingFits([Rung(name, "too_large", False, "too large by 3.0 GiB")])
        return SimpleNamespace(reason="a twin", rungs=[Rung(name, "loaded", True, "a twin")])

    monkeypatch.setattr(nbhelpers.models, "load", load, raising=False)
    said = []
    loaded = load_teacher("detector", LoraSettings(), ["box"], profile="t4", say=said.append)
    names = chain("detector", "t4")
    assert asked == [(name, 128 if name.startswith("tiny/") else 1033) for name in names]
    assert [(rung.name, rung.taken) for rung in loaded.rungs] == [(n, n == names[-1]) for n in names]
    assert said[0] == f"detector: {names[0]} is left: too large by 3.0 GiB"
    assert said[-1] == f"detector: {names[-1]} is taken: a twin"


def test_nothing_fits_says_so_of_every_candidate(tmp_path):
    with pytest.raises(NothingFits) as caught:
        load_teacher("segmenter", LoraSettings(model=str(tmp_path)), [], profile="cpu", say=lambda _: None)
    assert [rung.kind for rung in caught.value.rungs] == ["not_found"]


# ---- tuned


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("set")
    draw_scenes(root / "scenes", 12, (96, 96), 3, "shifted")
    return prepare(root / "scenes" / "scenes.json", None, root / "prepared", split="train:0.5,val:0.5")


def tune(dataset, folder, settings=SETTINGS, say=lambda line: None):
    config = mode_config(dataset.part("train"), dataset.mode)
    return teach.tune_teachers(
        dataset.part("train"), dataset.part("val"), config, settings, folder, device="cpu", say=say
    )


@pytest.fixture(scope="module")
def made(dataset, tmp_path_factory):
    """Two steps may help or not; here they count as if they did."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TunedTeacher, "helps", True)
        return tune(dataset, tmp_path_factory.mktemp("made") / "teachers")


@pytest.fixture
def no_models(monkeypatch):
    def refuse(*given, **options):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(teachers, "load_teacher", refuse)


def test_the_folder_holds_all_that_is_needed(made, dataset):
    found = teach.read_teachers(made.folder)
    assert found == made.record
    assert found.mode == "detection_and_segmentation"
    assert list(found.class_names) == dataset.part("train").class_names == list(found.thresholds)
    assert (found.detector.base, found.segmenter.base) == ("tiny/grounding-dino", "tiny/sam")
    assert (found.detector.adapter, found.segmenter.adapter) == ("grounding_dino/adapter", "sam/adapter")
    assert [one.name for one in made.choices] == list(found.class_names)
    for name in ("grounding_dino", "sam"):
        assert made.tuned[name].steps == 2
        assert 0 < made.tuned[name].trainable < made.tuned[name].total
    assert not any(str(made.folder) in path.read_text() for path in made.folder.glob("*.json")), "it may move"


def test_an_adapter_that_made_nothing_better_is_left_out(dataset, tmp_path, monkeypatch):
    """Of both, the detector's counts as a gain and the segmenter's does not."""
    monkeypatch.setattr(TunedTeacher, "helps", property(lambda tuned: tuned.name == "grounding_dino"))
    said = []
    found = tune(dataset, tmp_path / "t", say=said.append)
    assert (
        found.record.detector.adapter == "grounding_dino/adapter" and found.record.segmenter.adapter is None
    )
    assert (tmp_path / "t" / "sam" / "adapter").is_dir(), "kept, for whoever wants to look"
    assert "sam: no better on validation with its adapter, so the teachers go without it" in said
    loaded = found.load("cpu")
    assert loaded.segmenter.adapter is None and loaded.detector.adapter is not None
    again = tune(dataset, tmp_path / "t")
    assert again.record == found.record and all(one.reused for one in again.tuned.values())


def test_the_first_score_says_whether_tuning_helped(made):
    def one(before, after):
        names = ("box_ap", "box_ap50")
        scores = [
            {name: {"value": value} for name, value in zip(names, v, strict=True)} for v in (before, after)
        ]
        return replace(made.tuned["sam"], before=scores[0], after=scores[1]).helps

    assert one((0.2, 0.5), (0.3, 0.4))
    assert not one((0.3, 0.4), (0.2, 0.5))
    assert not one((0.2, 0.4), (0.2, 0.5)), "no gain is no reason"


def test_the_account_is_read_back(made):
    again = teach.read_teachers_of(made.folder)
    assert again.record == made.record and again.choices == made.choices
    for name, one in made.tuned.items():
        assert again.tuned[name].adapter == one.adapter
        assert (again.tuned[name].after, again.tuned[name].history) == (one.after, one.history)
        assert again.tuned[name].reused


def test_what_is_finished_is_taken_as_it_is(made, dataset, no_models):
    said = []
    again = tune(dataset, made.folder, say=said.append)
    assert again.record == made.record
    assert said == ["teachers: these teachers were tuned before; taken as they are"]
    later = SETTINGS.model_copy(update={"max_minutes": 99.0, "tensorboard": True})
    assert tune(dataset, made.folder, later).record == made.record, "these change no weight"


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"nms": 0.6}, {"detector": LoraSettings(**SHORT, r=2)}],
)
def test_other_settings_are_other_teachers(made, dataset, change, no_models):
    with pytest.raises(AssertionError, match="a model was loaded"):
        tune(dataset, made.folder, SETTINGS.model_copy(update=change))


def test_other_labels_are_other_teachers(made, dataset, no_models):
    few = few_labels(dataset.part("train"), 0.5).labelled
    config = mode_config(dataset.part("train"), dataset.mode)
    with pytest.raises(AssertionError, match="a model was loaded"):
        teach.tune_teachers(few, dataset.part("val"), config, SETTINGS, made.folder, device="cpu")


def finished(made, settings=SETTINGS, **changes):
    """Whether the teachers count as finished, with these changes to their account."""
    path = made.folder / account.ACCOUNT
    kept = path.read_bytes()
    record = read_json(path)
    for tuned in record["tuned"].values():
        tuned["stopped"] = changes.get("stopped", tuned["stopped"])
    write_json(path, record | {key: value for key, value in changes.items() if key in record})
    try:
        return account.finished(made.folder, record["fingerprint"], settings) is not None
    finally:
        path.write_bytes(kept)


def test_when_more_work_is_to_be_done(made):
    longer = SETTINGS.model_copy(update={"max_minutes": SETTINGS.max_minutes + 1})
    assert finished(made) and finished(made, longer)
    assert finished(made, stopped="deadline"), "the same deadline would end it again"
    assert not finished(made, longer, stopped="deadline")
    assert not finished(made, first_choice=False), "the first choice may be there by now"
    assert not finished(made, fingerprint="other")


def test_a_damaged_adapter_is_not_taken(made):
    path = made.tuned["sam"].adapter / "adapter_model.safetensors"
    kept = path.read_bytes()
    path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    try:
        assert not finished(made)
    finally:
        path.write_bytes(kept)


@pytest.mark.parametrize("part", ["detector", "segmenter"])
def test_another_revision_of_a_base_model_is_not_taken(made, part):
    path = made.folder / "teachers.json"
    kept, record = path.read_bytes(), read_json(path)
    record[part]["revision"] = "sha256:of-another"
    write_json(path, record)
    try:
        assert not finished(made)
    finally:
        path.write_bytes(kept)
    assert finished(made)


def test_an_account_that_is_none_is_named(tmp_path):
    write_json(tmp_path / account.ACCOUNT, {"tuned": {"sam": {"adapter": "a"}}})
    with pytest.raises(BadInput, match=r"tuned\.json: is no account of tuned teachers"):
        account.read_tuned(tmp_path)
    assert account.read_tuned(tmp_path / "none") == {}


def test_the_account_lies_beside_the_record_it_is_asked_by(made):
    assert account.read_choices(made.folder / "teachers.json") == made.choices


def test_stopped_between_two_teachers_it_goes_on(dataset, tmp_path, monkeypatch):
    import nbhelpers.teach.sam

    real = nbhelpers.teach.sam.tune_sam

    def interrupt(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(nbhelpers.teach.sam, "tune_sam", interrupt, raising=False)
    with pytest.raises(KeyboardInterrupt):
        tune(dataset, tmp_path / "t")
    assert not (tmp_path / "t" / "teachers.json").exists()
    monkeypatch.setattr(nbhelpers.teach.sam, "tune_sam", real, raising=False)
    found = tune(dataset, tmp_path / "t")
    assert found.tuned["grounding_dino"].reused and not found.tuned["sam"].reused


def test_the_mode_of_boxes_alone_tunes_the_detector_alone(dataset, tmp_path):
    config = mode_config(dataset.part("train"), "detection")
    found = teach.tune_teachers(
        dataset.part("train"), dataset.part("val"), config, SETTINGS, tmp_path / "t", device="cpu",
        say=lambda line: None,
    )  # fmt: skip
    assert list(found.tuned) == ["grounding_dino"] and found.record.segmenter is None
    assert found.load("cpu").task == "detect"
    assert not (tmp_path / "t" / "sam").exists()


def test_two_parts_of_different_sets_are_refused(dataset, tmp_path):
    val = dataset.part("val")
    other = load_coco(val.path, val.folders[0])
    other.categories = other.categories[1:]
    with pytest.raises(BadInput, match="its classes"):
        teach.tune_teachers(
            dataset.part("train"), other, mode_config(val, dataset.mode), SETTINGS, tmp_path / "t"
        )
    assert not (tmp_path / "t").exists()


# ---- taken up again


def test_teachers_or_default(made, dataset, tmp_path, monkeypatch):
    settings = load_settings("cpu", ["data.labelled=0.5"])
    assert teach.teachers_or_default(made.folder, dataset, settings, tmp_path).record == made.record
    with pytest.raises(BadInput, match=r"has no teachers\.json"):
        teach.teachers_or_default(tmp_path, dataset, settings, tmp_path)
    given = {}

    def note(train, val, config, teach_settings, folder, **options):
        given.update(images=len(train.images), val=val, folder=folder, **options)
        return made

    monkeypatch.setattr(teachers, "tune_teachers", note)
    assert teach.teachers_or_default(None, dataset, settings, tmp_path, device="cpu") is made
    assert given["images"] == 3, "half of the six"
    assert (given["folder"], given["profile"]) == (tmp_path / "teachers", "cpu")
    assert given["val"] is dataset.part("val")


def test_as_a_student_they_answer_as_they_do_themselves(made, dataset):
    from nbhelpers.distill import run_on_set

    one, val = teach.AsStudent(made.load("cpu")), dataset.part("val")
    image = val.image(val.image_ids[0])
    own, found = one.teachers.predict([image])[0], one.predict(image)
    np.testing.assert_array_equal(own.xyxy, found.xyxy)
    assert (one.task, one.name) == ("segment", "tiny/grounding-dino + tiny/sam")
    assert one.class_names == val.class_names
    scored = run_on_set(one, val, iou=one.nms)
    assert scored.kinds == ("bbox", "segm") and scored.results


def test_without_adapters_they_are_the_models_as_they_were(made):
    plain, tuned = made.load("cpu", adapters=False), made.load("cpu")
    assert plain.class_names == tuned.class_names and plain.mode == tuned.mode
    assert plain.detector.adapter is None and tuned.detector.adapter is not None
    assert plain.thresholds == {} and tuned.thresholds == made.record.thresholds


def test_importing_is_light():
    import subprocess
    import sys

    code = "import sys, nbhelpers.teach.teachers; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
