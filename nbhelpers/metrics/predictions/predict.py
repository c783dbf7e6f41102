"""Have a model answer about clips and write the predictions file, without a way to the labels."""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from nbhelpers.artifacts import append_record, read_records, sha256_value
from nbhelpers.errors import BadInput
from nbhelpers.metrics.predictions.inputs import AskedClip, ModelInput, model_input
from nbhelpers.metrics.predictions.record import Predictions, Provenance, Row, Said, write_predictions
from nbhelpers.metrics.predictions.watch import labels_unread
from nbhelpers.metrics.temporal.answers import Answered
from nbhelpers.runtime import progress

log = logging.getLogger(__name__)


class Reading(Protocol):
    """What became of a model's text."""

    @property
    def text(self) -> str:
        """What the model wrote."""

    @property
    def answer(self) -> Answered | None:
        """What it says; None where it is no answer."""

    @property
    def clipped(self) -> bool:
        """Whether a time lay outside the clip and was moved to its end."""

    @property
    def seconds(self) -> float:
        """Computing it."""


Predict = Callable[[Sequence[Any]], Sequence[Reading]]


def predict_to_file(
    predict: Predict,
    clips: Sequence[AskedClip],
    path: Path | str,
    provenance: Provenance,
    *,
    label_files: Sequence[Path | str] = (),
    block: int = 32,
) -> Predictions:
    """Ask about every clip and write the answers; a call that was cut short goes on where it stopped.

    `predict` gets `ModelInput`s, which hold question, frames and times and no reference to a clip. While it
    runs, opening one of `label_files` is an error.

    Args:
        predict: such as `VideoPredictor.predict`; one reading per input, in their order.
        clips: asked about; their labels are not read.
        path: of the file; answers so far are kept beside it, in `<name>.part`.
        provenance: who answers; its `view` is applied to the frames.
        label_files: where the labels stand.
        block: clips whose frames are in memory at once.

    Raises:
        BadInput: no clips, a clip twice, a label file that was opened, a part file of another model or
            settings, or another number of answers than of clips.
    """
    path, ids = Path(path), [clip.clip_id for clip in clips]
    if not ids or len(set(ids)) < len(ids):
        raise BadInput(f"predictions: {len(ids)} clips under {len(set(ids))} names; give each its own")
    part = path.with_name(f"{path.name}.part")
    earlier = _earlier(part, sha256_value(provenance))
    rows: list[Row] = []
    with labels_unread(label_files):
        starts = range(0, len(clips), block)
        for start in progress(starts, label="predictions", unit="block"):
            inputs = [model_input(clip, provenance.view) for clip in clips[start : start + block]]
            rows += _answered(predict, inputs, earlier, part)
    made = write_predictions(path, provenance, rows)
    part.unlink(missing_ok=True)
    return made


def _earlier(part: Path, identity: str) -> dict[tuple[str, str], Row]:
    """Rows of a call that was cut short, by clip and input."""
    records = list(read_records(part))
    if not records:
        append_record(part, {"identity": identity})
        return {}
    if records[0].get("identity") != identity:
        raise BadInput(f"{part}: holds answers of another model or settings; remove it or name another file")
    rows = [Row(**record) for record in records[1:] if "clip_id" in record]
    log.info("%s: goes on after %d clips", part, len(rows))
    return {(row.clip_id, row.input_sha256): row for row in rows}


def _answered(
    predict: Predict, inputs: Sequence[ModelInput], earlier: dict[tuple[str, str], Row], part: Path
) -> Iterator[Row]:
    hashes = [one.sha256 for one in inputs]
    keys = [(one.clip_id, digest) for one, digest in zip(inputs, hashes, strict=True)]
    fresh = [one for one, key in zip(inputs, keys, strict=True) if key not in earlier]
    readings = predict(fresh) if fresh else []
    if len(readings) != len(fresh):
        raise BadInput(f"predictions: {len(readings)} answers to {len(fresh)} clips; give one each")
    said = iter(readings)
    for key in keys:
        row = earlier.get(key) or _row(*key, next(said))
        if key not in earlier:
            append_record(part, row)
        yield row


def _row(clip_id: str, digest: str, reading: Reading) -> Row:
    return Row(
        clip_id=clip_id,
        input_sha256=digest,
        text=reading.text,
        answer=as_said(reading.answer),
        clipped=reading.clipped,
        seconds=reading.seconds,
    )


def as_said(answer: Answered | None) -> Said | None:
    """An answer in the form of the file."""
    if answer is None:
        return None
    return Said(
        operation=answer.operation,
        start_s=answer.start_s,
        end_s=answer.end_s,
        next_operation=answer.next_operation,
    )
