"""The predictions file: what is in it, how it comes about, and what an edited one is told."""

import json
import threading
from contextlib import suppress
from itertools import count

import numpy as np
import pytest
from drawn_clips import draw_labelled, look, read

from nbhelpers.errors import BadInput
from nbhelpers.metrics.predictions import (
    ModelInput,
    Provenance,
    labels_unread,
    load_predictions,
    model_input,
    predict_to_file,
    write_predictions,
)

MODEL = Provenance(model="looker", revision="1", adapter=None, settings={"constrained": False})


@pytest.fixture(scope="module")
def clips():
    return draw_labelled(12)


@pytest.fixture
def made(clips, tmp_path):
    predict_to_file(look, clips, tmp_path / "said.json", MODEL)
    return tmp_path / "said.json"


def test_it_holds_who_said_what_from_which_input(clips, made):
    kept = load_predictions(made)
    assert kept.provenance == MODEL
    assert {"torch", "transformers", "numpy"} <= set(kept.versions)
    assert [row.clip_id for row in kept.rows] == [clip.clip_id for clip in clips]
    assert [row.input_sha256 for row in kept.rows] == [model_input(clip).sha256 for clip in clips]
    for row, clip in zip(kept.rows, clips, strict=True):
        said = read(clip.clip_id, row.text, clip.duration_s).answer
        assert (row.answer is None) == (said is None)
        assert said is None or row.answer.model_dump() == vars(said)
    assert [path.name for path in made.parent.iterdir()] == ["said.json"], "nothing is left beside it"


def test_the_same_answers_make_the_same_file_but_for_its_path(clips, made):
    again = made.with_name("again.json")
    predict_to_file(look, clips, again, MODEL, block=5)
    assert again.read_bytes() == made.read_bytes()


def test_a_model_gets_inputs_without_a_way_to_the_labels(clips, tmp_path):
    seen = []

    def spy(inputs):
        seen.extend(inputs)
        return look(inputs)

    predict_to_file(spy, clips, tmp_path / "said.json", MODEL)
    for one, clip in zip(seen, clips, strict=True):
        assert type(one) is ModelInput and one.answer == ""
        held = [one.clip_id, one.question, one.times_s, one.duration_s, one.pixels]
        assert list(vars(one).values()) == held and not any(value is clip for value in held)
        assert not {"operation", "start_s", "end_s", "next_operation", "source"} & set(dir(one))


def test_every_part_of_an_input_changes_its_hash(clips):
    one = model_input(clips[0])
    pixels = one.pixels.copy()
    pixels[3, 5, 7, 1] ^= 1
    others = [
        ModelInput(one.clip_id, one.question + " ", one.times_s, one.duration_s, one.pixels),
        ModelInput(one.clip_id, one.question, (*one.times_s[:-1], 9.0), one.duration_s, one.pixels),
        ModelInput(one.clip_id, one.question, one.times_s, 9.0, one.pixels),
        ModelInput(one.clip_id, one.question, one.times_s, one.duration_s, pixels),
        ModelInput(one.clip_id, one.question, one.times_s, one.duration_s, one.pixels.reshape(4, 64, 32, 3)),
        model_input(clips[0], "grey_frames"),
    ]
    assert len({one.sha256, *(other.sha256 for other in others)}) == 7
    assert (
        ModelInput("other name", one.question, one.times_s, one.duration_s, one.pixels).sha256 == one.sha256
    )
    turned = ModelInput("", one.question, one.times_s, one.duration_s, np.asfortranarray(one.pixels))
    assert turned.sha256 == one.sha256, "memory order is not content"


def test_a_call_that_was_cut_short_goes_on(clips, tmp_path):
    path, calls = tmp_path / "said.json", count()

    def dies(inputs):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return look(inputs)

    with pytest.raises(KeyboardInterrupt):
        predict_to_file(dies, clips, path, MODEL, block=3)
    assert not path.exists()
    with (tmp_path / "said.json.part").open("a") as part:
        part.write('{"clip_id": "clip-6", "inp')  # a kill may cut the last line
    asked = []

    def rest(inputs):
        asked.extend(one.clip_id for one in inputs)
        return look(inputs)

    predict_to_file(rest, clips, path, MODEL, block=3)
    assert asked == [f"clip-{k}" for k in range(6, 12)]
    whole = tmp_path / "whole.json"
    predict_to_file(look, clips, whole, MODEL)
    assert path.read_bytes() == whole.read_bytes()


def test_answers_of_other_settings_are_not_mixed_in(clips, tmp_path):
    path = tmp_path / "said.json"
    with pytest.raises(ZeroDivisionError):
        predict_to_file(lambda inputs: 1 / 0, clips, path, MODEL)
    other = MODEL.model_copy(update={"settings": {"constrained": True}})
    with pytest.raises(BadInput, match=r"said\.json\.part: holds answers of another model or settings"):
        predict_to_file(look, clips, path, other)


def test_missing_answers_and_names_are_refused(clips, tmp_path):
    with pytest.raises(BadInput, match="11 answers to 12 clips"):
        predict_to_file(lambda inputs: look(inputs)[1:], clips, tmp_path / "a.json", MODEL)
    with pytest.raises(BadInput, match="13 clips under 12 names"):
        predict_to_file(look, [*clips, clips[0]], tmp_path / "b.json", MODEL)
    with pytest.raises(BadInput, match="0 clips"):
        predict_to_file(look, [], tmp_path / "c.json", MODEL)


def edited(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


def set_row(key, value):
    return lambda document: document["rows"][2].__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["rows"][2].__setitem__("text", "{}"), "changed after it was written"),
        (lambda d: d["provenance"].__setitem__("model", "better"), "changed after it was written"),
        (lambda d: d["provenance"].__setitem__("settings", {"constrained": True}), "changed after it was"),
        (lambda d: d["versions"].__setitem__("torch", "9"), "changed after it was written"),
        (lambda d: d.pop("seal"), "changed after it was written"),
        (lambda d: d.pop("provenance"), "does not say which model and settings made it"),
        (lambda d: d["provenance"].__setitem__("settings", {}), "provenance.settings"),
        (lambda d: d["provenance"].pop("model"), "provenance.model"),
        (lambda d: d["provenance"].__setitem__("revision", ""), "provenance.revision"),
        (lambda d: d["rows"].pop(), "inputs_sha256 is not that of the rows"),
        (lambda d: d["rows"].append(d["rows"][0]), "clip clip-0 occurs twice"),
        (lambda d: d.__setitem__("rows", []), "rows"),
        (set_row("input_sha256", "0" * 64), "inputs_sha256 is not that of the rows"),
        (set_row("input_sha256", "copied"), "rows.2.input_sha256"),
        (set_row("seconds", float("nan")), "rows.2.seconds"),
        (set_row("label", "Picking"), "rows.2.label"),
        (lambda d: d.__setitem__("format", "other"), "is no predictions file"),
        (lambda d: d.__setitem__("version", 2), "has version 2"),
    ],
)  # fmt: skip
def test_an_edited_file_is_refused(made, change, message):
    with pytest.raises(BadInput, match=message):
        load_predictions(edited(made, change))


@pytest.mark.parametrize("text", ["[]", "{}", '{"clip-0": "Picking"}', "", "rows"])
def test_what_is_no_predictions_file_is_refused(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"a\.json"):
        load_predictions(path)


def test_nothing_is_written_for_rows_that_contradict_each_other(made):
    rows = load_predictions(made).rows
    with pytest.raises(BadInput, match="occurs twice"):
        write_predictions(made.with_name("b.json"), MODEL, [*rows, rows[0]])
    assert not made.with_name("b.json").exists()


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "index.json"
    path.write_text('{"clip-0": "Picking"}')
    return path


def test_a_predictor_that_opens_the_labels_fails(clips, labels, tmp_path):
    def peeks(inputs):
        labels.read_text()
        return look(inputs)

    with pytest.raises(BadInput, match=r"index\.json: holds the labels and was opened"):
        predict_to_file(peeks, clips, tmp_path / "said.json", MODEL, label_files=[labels])
    assert not (tmp_path / "said.json").exists()
    assert labels.read_text(), "outside the block they can be read"


def test_hiding_the_error_does_not_help(clips, labels, tmp_path):
    def hides(inputs):
        with suppress(Exception):  # what a library with a fallback does
            json.loads(labels.read_bytes())
        return look(inputs)

    with pytest.raises(BadInput, match="holds the labels"):
        predict_to_file(hides, clips, tmp_path / "said.json", MODEL, label_files=[labels])
    assert not (tmp_path / "said.json").exists()


def test_links_descriptors_and_threads_are_seen_and_other_files_are_not(labels, tmp_path):
    import os

    (tmp_path / "soft").symlink_to(labels)
    (tmp_path / "hard").hardlink_to(labels)
    (tmp_path / "other.json").write_text("{}")
    ways = {
        "soft": lambda: (tmp_path / "soft").read_text(),
        "hard": lambda: open(tmp_path / "hard"),  # noqa: PTH123, SIM115
        "bytes": lambda: open(os.fsencode(labels)),  # noqa: PTH123, SIM115
        "os.open": lambda: os.open(labels, os.O_RDONLY),
        "write": lambda: labels.write_text("{}"),
    }
    for name, way in ways.items():
        with pytest.raises(BadInput, match="holds the labels"), labels_unread([labels]):
            way()
            pytest.fail(f"{name} was not seen")
    with labels_unread([labels]):
        assert (tmp_path / "other.json").read_text() == "{}"
    failed = []

    def elsewhere():
        try:
            labels.read_text()
        except BadInput as error:
            failed.append(error)

    with pytest.raises(BadInput, match="holds the labels"), labels_unread([labels]):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert len(failed) == 1


def test_blocks_can_stand_in_each_other_and_missing_files_are_named(labels, tmp_path):
    with pytest.raises(BadInput, match="holds the labels"), labels_unread([labels]):
        with labels_unread([labels]):
            pass
        labels.read_text()
    missing = labels_unread([tmp_path / "gone.json"])
    with pytest.raises(BadInput, match=r"gone\.json: there is no such file of labels"), missing:
        pass
