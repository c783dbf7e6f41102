"""Scoring refuses predictions that a model did not make from the clips.

Refused: a file without model, revision or settings, or edited after it was written (`load_predictions`);
clips missing, unknown or twice; an input whose hash is not that of the clip's question and frames as the clip
set has them now; an answer that its own text does not say; a model tuned on a source that it is scored on;
and times that no frame can tell but the labels do (below). `labels_unread` keeps label files shut meanwhile.

Copied times: where an operation changes between two frames, nobody can see when. An honest model hits the
tenth of a second by luck, one time in three at best with frames 0.3 s apart or more; labels hit it always. So
19 of 20 such changes hit, over at least ten clips, is a copy.

What this cannot find: somebody who makes a file with true input hashes and blurred labels and seals it; a
model tuned on the scored clips where `trained_on` is not recorded or the sources carry other names; labels
that reach the model by a way that is not Python's `open` in this process; frames that show the answer as
text. Nothing but a labelless test machine would.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from nbhelpers.errors import BadInput
from nbhelpers.metrics.predictions.inputs import AskedClip, model_input
from nbhelpers.metrics.predictions.predict import Reading, as_said
from nbhelpers.metrics.predictions.record import Predictions, Row
from nbhelpers.metrics.temporal.answers import Answered
from nbhelpers.metrics.temporal.scores import TemporalScores, score_answers
from nbhelpers.runtime import progress

_ROUNDING_S = 0.05 + 1e-6  # answers are written to a tenth of a second
_BLIND_S = 0.3
_LEAST_TIMED, _COPY_SHARE = 10, 0.95

Read = Callable[[str, str, float], Reading]  # clip id, text, length of the clip in seconds


class LabelledClip(AskedClip, Answered, Protocol):
    """A clip with what is true of it."""

    @property
    def source(self) -> str:
        """The subject, session or video it is from."""

    @property
    def answer(self) -> str:
        """The true answer as the text a model should write."""


@dataclass(frozen=True)
class Guarded:
    """Predictions that may be scored.

    Attributes:
        answers: (n,) in the order of the clips; None where the text is no answer.
        timed: clips in which an operation changes between two frames 0.3 s or more apart.
        exact: those of them whose every such change was told to the tenth of a second.
        clipped: answers with a time outside the clip.
        training_known: the file says what the model was tuned on.
    """

    answers: tuple[Answered | None, ...]
    timed: int
    exact: int
    clipped: int
    training_known: bool


def check_predictions(
    predictions: Predictions, clips: Sequence[LabelledClip], read: Read, name: str = "predictions"
) -> Guarded:
    """Refuse predictions that a model did not make from these clips; reads the frames of all of them.

    Args:
        predictions: what `load_predictions` gave.
        clips: all that were asked about, with their labels.
        read: how a text becomes an answer, the same as when it was predicted.
        name: of the file, for messages.

    Raises:
        BadInput: says which clip gave what away; see the module for what is found and what is not.
    """
    rows = _rows_of(predictions, clips, name)
    _check_training(predictions, clips, name)
    hits: list[bool] = []
    for clip, row in progress(list(zip(clips, rows, strict=True)), label="checking inputs", unit="clip"):
        _check_label(clip, read)
        _check_input(clip, row, predictions.provenance.view, name)
        _check_text(clip, row, read, name)
        changes = _unseen_changes(clip)
        if changes:
            hits.append(row.answer is not None and _hit(row.answer, clip, changes))
    if len(hits) >= _LEAST_TIMED and sum(hits) >= _COPY_SHARE * len(hits):
        raise BadInput(
            f"{name}: {sum(hits)} of {len(hits)} answers tell to a tenth of a second when operations change "
            "between two frames, which only the labels know; predictions made from labels are not scored"
        )
    known = predictions.provenance.trained_on is not None
    answers = tuple(row.answer for row in rows)
    return Guarded(answers, len(hits), sum(hits), sum(row.clipped for row in rows), known)


def score_predictions(
    predictions: Predictions,
    clips: Sequence[LabelledClip],
    read: Read,
    draws: int = 1000,
    *,
    name: str = "predictions",
    level: float = 0.95,
    seed: int = 0,
) -> tuple[TemporalScores, Guarded]:
    """Check predictions and score them; whole sources are drawn for the intervals where there are enough.

    Raises:
        BadInput: as `check_predictions` and `score_answers`.
    """
    guarded = check_predictions(predictions, clips, read, name)
    sources = [clip.source for clip in clips]
    return score_answers(clips, guarded.answers, draws, sources=sources, level=level, seed=seed), guarded


def _rows_of(predictions: Predictions, clips: Sequence[LabelledClip], name: str) -> list[Row]:
    rows = {row.clip_id: row for row in predictions.rows}
    ids = [clip.clip_id for clip in clips]
    missing, strange = sorted(set(ids) - set(rows)), sorted(set(rows) - set(ids))
    if len(set(ids)) < len(ids):
        raise BadInput(f"{name}: the clip set holds {len(ids)} clips under {len(set(ids))} names")
    if missing or strange:
        what = f"lacks clip {missing[0]}" if missing else f"has clip {strange[0]}, which is not in the set"
        raise BadInput(
            f"{name}: {what} ({len(missing)} missing, {len(strange)} unknown); predict the very part scored"
        )
    return [rows[clip_id] for clip_id in ids]


def _check_training(predictions: Predictions, clips: Sequence[LabelledClip], name: str) -> None:
    both = sorted({clip.source for clip in clips} & set(predictions.provenance.trained_on or ()))
    if both:
        raise BadInput(
            f"{name}: the model was tuned on source {both[0]}, which is scored ({len(both)} such); "
            "score a part it has not seen"
        )


def _check_label(clip: LabelledClip, read: Read) -> None:
    """A clip's answer text and its label are two copies of one truth; scores of a wrong one mean nothing."""
    told = read(clip.clip_id, clip.answer, clip.duration_s).answer
    if told is None or not (
        (told.operation, told.next_operation) == (clip.operation, clip.next_operation)
        and abs(told.start_s - clip.start_s) <= _ROUNDING_S
        and abs(told.end_s - clip.end_s) <= _ROUNDING_S
    ):
        raise BadInput(
            f"clip {clip.clip_id}: its answer text {clip.answer!r} is not its label ({clip.operation}, "
            f"{clip.start_s} to {clip.end_s} s, then {clip.next_operation}); make the set anew"
        )


def _check_input(clip: LabelledClip, row: Row, view: str, name: str) -> None:
    if model_input(clip, view).sha256 != row.input_sha256:
        raise BadInput(
            f"{name}: clip {clip.clip_id}: was asked with another question or other frames than the "
            "clip set has (another set, other sampling, or a decoder of another version); predict anew"
        )


def _check_text(clip: LabelledClip, row: Row, read: Read, name: str) -> None:
    reading = read(clip.clip_id, row.text, clip.duration_s)
    if as_said(reading.answer) != row.answer or reading.clipped != row.clipped:
        raise BadInput(
            f"{name}: clip {clip.clip_id}: its answer is not what the recorded text {row.text[:60]!r} says, "
            "so it is not the model's; predictions whose texts do not say them are not scored"
        )


def _unseen_changes(clip: LabelledClip) -> list[str]:
    """Which of start and end lie between two frames too far apart to tell the tenth of a second."""
    return [name for name in ("start_s", "end_s") if _gap(clip.times_s, getattr(clip, name)) >= _BLIND_S]


def _gap(times_s: Sequence[float], moment_s: float) -> float:
    """Seconds between the frames on the two sides of a moment; 0 before the first and after the last."""
    before = [time for time in times_s if time < moment_s]
    after = [time for time in times_s if time >= moment_s]
    return after[0] - before[-1] if before and after else 0.0


def _hit(answer: Answered, clip: LabelledClip, changes: Sequence[str]) -> bool:
    return all(abs(getattr(answer, name) - getattr(clip, name)) <= _ROUNDING_S for name in changes)
