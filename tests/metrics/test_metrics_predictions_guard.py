"""The guard: honest predictions are scored, those from labels are refused, each for its own reason."""

from dataclasses import replace

import pytest
from drawn_clips import LabelledClip, Reading, draw_labelled, look, read

from nbhelpers.data.operations import Answer, answer_of, write_answer
from nbhelpers.errors import BadInput
from nbhelpers.metrics.predictions import (
    Provenance,
    check_predictions,
    load_predictions,
    predict_to_file,
    score_predictions,
    write_predictions,
)
from nbhelpers.metrics.temporal import score_answers

MODEL = Provenance(model="looker", revision="1", adapter=None, settings={"constrained": False})


@pytest.fixture(scope="module")
def clips():
    return draw_labelled(30)


@pytest.fixture(scope="module")
def honest(clips, tmp_path_factory):
    path = tmp_path_factory.mktemp("said") / "said.json"
    return predict_to_file(look, clips, path, MODEL)


def resealed(predictions, tmp_path, change, provenance=None):
    """What somebody gets who makes a file by hand with our own writer: seal and hashes fit."""
    rows = [change(row) for row in predictions.rows]
    write_predictions(tmp_path / "made.json", provenance or predictions.provenance, rows)
    return load_predictions(tmp_path / "made.json")


def writing(clips, say):
    """A change of rows that puts `say(clip)` in as text and as answer."""
    known = {clip.clip_id: clip for clip in clips}

    def change(row):
        text = say(known[row.clip_id])
        said = read(row.clip_id, text, known[row.clip_id].duration_s)
        answer = None if said.answer is None else vars(said.answer)
        fresh = row.model_dump() | {"text": text, "answer": answer, "clipped": said.clipped}
        return type(row)(**fresh)

    return change


def test_honest_predictions_are_scored(clips, honest):
    scores, guarded = score_predictions(honest, clips, read, draws=50)
    said = [read(row.clip_id, row.text, 99.0).answer for row in honest.rows]
    assert scores == score_answers(clips, said, 50, sources=[clip.source for clip in clips])
    assert scores.resampling.unit == "sources" and scores.resampling.units == 6
    assert (scores.n, scores.parse_rate) == (30, sum(one is not None for one in said) / 30)
    assert guarded.timed > 20 and guarded.exact < 0.5 * guarded.timed
    assert not guarded.training_known


def test_the_order_of_rows_is_no_matter(clips, honest, tmp_path):
    write_predictions(tmp_path / "a.json", MODEL, honest.rows[::-1])
    turned = load_predictions(tmp_path / "a.json")
    assert check_predictions(turned, clips, read).answers == check_predictions(honest, clips, read).answers


def test_copied_labels_are_refused_although_hashes_and_seal_fit(clips, honest, tmp_path):
    copied = resealed(honest, tmp_path, writing(clips, lambda clip: clip.answer))
    with pytest.raises(BadInput, match=r"which only the labels know; predictions made from labels"):
        score_predictions(copied, clips, read)


@pytest.mark.parametrize(
    "say",
    [
        lambda clip: " " + clip.answer.replace(",", " ,"),
        lambda clip: write_answer(replace(answer_of(clip.drawn), operation="Picking")),
        lambda clip: clip.answer if clip.clip_id != "clip-7" else "no answer",
    ],
    ids=["other spaces", "other names", "all but one"],
)
def test_copied_times_are_refused_in_other_clothes(clips, honest, tmp_path, say):
    with pytest.raises(BadInput, match="predictions made from labels"):
        check_predictions(resealed(honest, tmp_path, writing(clips, say)), clips, read)


def test_an_excellent_model_is_not_taken_for_a_copy(clips, honest, tmp_path):
    """It sees between which frames a change lies and says the middle: all anybody can know."""

    def middle(clip, moment):
        before = [time for time in clip.times_s if time < moment]
        after = [time for time in clip.times_s if time >= moment]
        return (before[-1] + after[0]) / 2 if before and after else moment

    def best(clip):
        true = answer_of(clip.drawn)
        told = replace(true, start_s=middle(clip, true.start_s), end_s=middle(clip, true.end_s))
        return write_answer(told)

    scores, guarded = score_predictions(
        resealed(honest, tmp_path, writing(clips, best)), clips, read, draws=20
    )
    assert scores.oca == scores.aa1 == 1.0 and scores.tiou_05 > 0.9
    assert guarded.exact < 0.5 * guarded.timed


def test_answers_that_their_texts_do_not_say_are_refused(clips, honest, tmp_path):
    known = {clip.clip_id: clip for clip in clips}

    def labels_beside_gibberish(row):
        true = vars(answer_of(known[row.clip_id].drawn))
        return type(row)(**(row.model_dump() | {"text": "lorem ipsum", "answer": true}))

    with pytest.raises(BadInput, match=r"its answer is not what the recorded text 'lorem ipsum' says"):
        check_predictions(resealed(honest, tmp_path, labels_beside_gibberish), clips, read)


def test_one_answer_changed_is_enough(clips, honest, tmp_path):
    def change(row):
        if row.clip_id != "clip-13":
            return row
        return type(row)(**(row.model_dump() | {"answer": vars(Answer("Picking", 0.0, 1.0, "Picking"))}))

    with pytest.raises(BadInput, match="clip clip-13: its answer is not what"):
        check_predictions(resealed(honest, tmp_path, change), clips, read)


def test_a_time_cut_to_the_clip_must_be_said(clips, honest, tmp_path):
    beyond = writing(clips, lambda clip: write_answer(Answer("Picking", 0.5, 60.0, "Picking")))
    guarded = check_predictions(resealed(honest, tmp_path, beyond), clips, read)
    assert guarded.clipped == 30
    assert all(one.end_s == clip.duration_s for one, clip in zip(guarded.answers, clips, strict=True))

    def unsaid(row):
        return type(row)(**(beyond(row).model_dump() | {"clipped": False}))

    with pytest.raises(BadInput, match="its answer is not what"):
        check_predictions(resealed(honest, tmp_path, unsaid), clips, read)


def test_other_frames_or_questions_are_refused(clips, honest):
    class Asked(LabelledClip):
        @property
        def question(self):
            return super().question + f" Hint: {self.drawn.operation.name}."

    larger = [replace(clip, size=33) for clip in clips]
    for others in (larger, [Asked(clip.clip_id, clip.source, clip.drawn) for clip in clips]):
        with pytest.raises(BadInput, match="clip clip-0: was asked with another question or other frames"):
            check_predictions(honest, others, read)
    swapped = [replace(clips[0], drawn=clips[1].drawn), *clips[1:]]
    with pytest.raises(BadInput, match="clip-0: was asked with"):
        check_predictions(honest, swapped, read)


def test_a_leak_test_is_checked_against_what_it_was_shown(clips, tmp_path):
    grey = MODEL.model_copy(update={"view": "grey_frames"})
    made = predict_to_file(look, clips, tmp_path / "grey.json", grey)
    assert check_predictions(made, clips, read).timed > 20
    as_whole = resealed(made, tmp_path, lambda row: row, MODEL)
    with pytest.raises(BadInput, match="was asked with another question or other frames"):
        check_predictions(as_whole, clips, read)
    with pytest.raises(BadInput, match="view 'x' is not known"):
        predict_to_file(look, clips, tmp_path / "x.json", MODEL.model_copy(update={"view": "x"}))


def test_missing_and_unknown_clips_are_refused(clips, honest):
    with pytest.raises(BadInput, match=r"lacks clip clip-30 \(1 missing, 0 unknown\)"):
        check_predictions(honest, draw_labelled(31), read)
    with pytest.raises(BadInput, match=r"has clip clip-29, which is not in the set \(0 missing, 1 unknown\)"):
        check_predictions(honest, clips[:-1], read)
    with pytest.raises(BadInput, match="31 clips under 30 names"):
        check_predictions(honest, [*clips, clips[0]], read)


def test_a_source_it_was_tuned_on_is_not_scored(clips, honest, tmp_path):
    tuned = MODEL.model_copy(update={"trained_on": ("video-4", "video-9")})
    with pytest.raises(BadInput, match="the model was tuned on source video-4, which is scored"):
        check_predictions(resealed(honest, tmp_path, lambda row: row, tuned), clips, read)
    apart = MODEL.model_copy(update={"trained_on": ("video-9",)})
    assert check_predictions(resealed(honest, tmp_path, lambda row: row, apart), clips, read).training_known


def test_a_label_that_contradicts_its_answer_text_is_refused(clips, honest):
    class Wrong(LabelledClip):
        @property
        def answer(self):
            return write_answer(replace(answer_of(self.drawn), next_operation="Juggling"))

    others = [Wrong(clip.clip_id, clip.source, clip.drawn) for clip in clips]
    with pytest.raises(BadInput, match=r"clip clip-0: its answer text .*Juggling.* is not its label"):
        check_predictions(honest, others, read)


def test_few_clips_are_no_proof_of_copying(tmp_path):
    clips = draw_labelled(4)
    known = {clip.clip_id: clip for clip in clips}

    def right(inputs):
        texts = [known[one.clip_id].answer for one in inputs]
        return [
            Reading(text, read(one.clip_id, text, one.duration_s).answer, False)
            for one, text in zip(inputs, texts, strict=True)
        ]

    made = predict_to_file(right, clips, tmp_path / "said.json", MODEL)
    guarded = check_predictions(made, clips, read)
    assert guarded.exact == guarded.timed <= 4, "said in the result, though not refused"
