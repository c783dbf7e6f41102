"""Tune Grounding DINO on a COCO set with LoRA: the class's own loss, resumable, bounded in time."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.errors import CheckFailed
from nbhelpers.teach.grounding_dino.finished import ADAPTER, fingerprint, finished, remember
from nbhelpers.teach.grounding_dino.fitting import fit_adapter
from nbhelpers.teach.grounding_dino.job import Job, Scores, choose_precision, in_words, refuse_other_classes
from nbhelpers.teach.tuned import TunedTeacher
from nbhelpers.training.epochs import seconds_per_epoch

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet
    from nbhelpers.models import Loaded, LoraReport
    from nbhelpers.settings.sections import TeachSection

NAME = "grounding_dino"


def tune_grounding_dino(
    loaded: "Loaded",
    train: "CocoSet",
    val: "CocoSet",
    settings: "TeachSection",
    folder: Path,
    say: Callable[[str], None] = print,
) -> TunedTeacher:
    """Put a LoRA adapter on a Grounding DINO or MM Grounding DINO and train it to find a set's classes.

    The loss is the class's own (focal, L1 and GIoU after Hungarian matching, of every decoder layer and of
    the encoder's proposals; Liu et al. 2023; `loss` says what is put right there). Validated by box AP on
    `val`; the best adapter is kept. Called again with the same inputs it returns the finished training at
    once; after a kill it goes on from the last checkpoint and ends, on a CPU, in the same bits as if nothing
    had happened. Other inputs begin anew.

    The defaults of `settings.detector` suit the twin. The published models want a learning rate of 1e-4 to
    2e-4 and about four pictures a step: at 800 x 1333 a T4 holds one at a time (by dry run 6.8 GiB for the
    tiny, 10.1 GiB for the base models, context included), so `batch: 1, accumulate: 4`; 24 GB hold two.

    Args:
        loaded: made with `task="tune"`; given back as it was, without the adapter (`models.load_adapter`).
        train: images and annotations to learn from.
        val: images and annotations that choose the best adapter and score it.
        settings: the `teach` section; `detector` is what counts here.
        folder: of this teacher's training. Holds `adapter/`; `training.json`, the account; `zero_shot.json`
            and `under_way.json`, by which a call knows what lies there; `training/` with the checkpoint
            (adapter, optimiser, schedule, scaler, random generators; not the base), records, TensorBoard.
        say: takes the lines meant for people.

    Raises:
        BadInput: nothing to learn from or to score on, class names that a prompt cannot hold or tell apart,
            or a model that has an adapter.
        CheckFailed: the loss was not finite, the deadline left no step, or the base's weights changed.
    """
    precision = choose_precision(loaded, settings.precision)
    mark = fingerprint(loaded, train, val, settings, precision)
    done = finished(Path(folder), mark, settings.max_minutes)
    if done is not None:
        say(f"{Path(folder).name}: this training was finished before; taken as it is")
        return done
    refuse_other_classes(train, val)
    job = Job(loaded, train, val, settings, Path(folder), say, precision, mark)
    before = job.zero_shot()
    say(f"before tuning: {in_words(before)}")
    with _adapter(job) as report:
        say(str(report))
        return _tune(job, report, before)


@contextlib.contextmanager
def _adapter(job: Job) -> "Iterator[LoraReport]":
    """LoRA on the model inside, the model as it was afterwards, also after an error."""
    from nbhelpers.models import add_lora
    from nbhelpers.runtime import seed_everything
    from nbhelpers.training.generators import generators_kept

    lora, loaded = job.settings.detector, job.loaded
    with generators_kept():
        seed_everything(job.settings.seed)
        report = add_lora(loaded.model, loaded.family, lora.roles, lora.r, lora.alpha, lora.dropout)
    try:
        yield report
    finally:
        report.model.unload()


def _tune(job: Job, report: "LoraReport", before: Scores) -> TunedTeacher:
    from nbhelpers.memory import watch
    from nbhelpers.models import save_adapter, tensor_digests, verify_only_adapter_changed
    from nbhelpers.teach.grounding_dino.batches import DetectorBatches
    from nbhelpers.teach.grounding_dino.footprint import predict_step

    lora, loaded = job.settings.detector, job.loaded
    batches = DetectorBatches(
        job.train, report.model, loaded.processor, lora.batch, job.settings.seed, dtype=loaded.dtype
    )
    if batches.silent:
        job.say(f"no annotation to learn from, so not asked for while training: {', '.join(batches.silent)}")
    predicted, digests = predict_step(loaded, lora, batches(0)), tensor_digests(report.model)
    with watch() as seen:
        result = fit_adapter(job, report.model, batches)
    if result.steps == 0:
        raise CheckFailed(f"max_minutes {job.settings.max_minutes:g}: leaves no time for a step; raise it")
    verify_only_adapter_changed(digests, report.model)
    adapter = save_adapter(
        report.model, job.folder / ADAPTER, base=loaded.name, revision=loaded.revision, roles=report.roles
    )
    after = job.scores(report.model)
    job.say(f"after {result.steps} steps: {in_words(after)}")
    tuned = TunedTeacher(
        name=NAME, base=loaded.name, revision=loaded.revision, adapter=adapter, roles=report.roles,
        trainable=report.trainable, total=report.total, before=before, after=after, steps=result.steps,
        stopped=result.stopped, seconds=result.seconds,
        seconds_per_epoch=seconds_per_epoch(result.history, batches.per_epoch / lora.accumulate),
        predicted_bytes=predicted, peak_bytes=_peak(loaded, seen), history=result.history,
        resumed=result.resumed_from > 0,
    )  # fmt: skip
    remember(job.folder, tuned, job.mark, job.settings.max_minutes)
    return tuned


def _peak(loaded: "Loaded", seen: Any) -> int:
    """Highest memory of the training: torch's on a GPU; else resident growth and the model's own bytes."""
    if loaded.device.startswith("cuda"):
        return sum(seen.gpu_peak_bytes.values())
    tensors = [*loaded.model.parameters(), *loaded.model.buffers()]
    return int(seen.grown_bytes) + sum(tensor.numel() * tensor.element_size() for tensor in tensors)
