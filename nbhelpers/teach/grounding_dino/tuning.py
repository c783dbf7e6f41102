"""Tune Grounding DINO on a COCO set with LoRA: the class's own loss, resumable, bounded in time."""

import contextlib
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nbhelpers.artifacts import read_json, write_json
from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.teach.grounding_dino.finished import ADAPTER, fingerprint, finished, remember
from nbhelpers.teach.tuned import TunedTeacher

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet
    from nbhelpers.models import Loaded, LoraReport
    from nbhelpers.settings.sections import TeachSection
    from nbhelpers.teach.grounding_dino.batches import DetectorBatches
    from nbhelpers.training import FitResult, FitSettings

log = logging.getLogger(__name__)

NAME, MONITOR = "grounding_dino", "box_ap"
WARMUP = 0.1  # share of the steps with rising learning rate
CHECKPOINT_EVERY_S = 30.0
Scores = dict[str, dict[str, float]]
Say = Callable[[str], None]


@dataclass(frozen=True)
class _Job:
    """One training: what it is given and where it leaves its files."""

    loaded: "Loaded"
    train: "CocoSet"
    val: "CocoSet"
    settings: "TeachSection"
    folder: Path
    say: Say
    precision: Literal["no", "fp16", "bf16"]
    mark: str


def tune_grounding_dino(
    loaded: "Loaded",
    train: "CocoSet",
    val: "CocoSet",
    settings: "TeachSection",
    folder: Path,
    say: Say = print,
) -> TunedTeacher:
    """Put a LoRA adapter on a Grounding DINO or MM Grounding DINO and train it to find a set's classes.

    The loss is the class's own (focal, L1 and GIoU after Hungarian matching, of every decoder layer and of
    the encoder's proposals; Liu et al. 2023). Validated by box AP on `val`; the best adapter is kept. Called
    again with the same inputs it returns the finished training at once; after a kill it goes on from the last
    checkpoint and ends, on a CPU, in the same bits as if nothing had happened. Other inputs begin anew.

    The defaults of `settings.detector` suit the twin. The published models want 1e-4 to 2e-4 as learning
    rate, some thousand steps on a thousand images, and batches of 4 pictures, made of `accumulate` smaller
    ones where memory asks for it (`footprint.step_plan` tells).

    Args:
        loaded: made with `task="tune"`; given back as it was, without the adapter (`models.load_adapter`).
        train: images and annotations to learn from.
        val: images and annotations that choose the best adapter and score it.
        settings: the `teach` section; `detector` is what counts here.
        folder: of this teacher's training. Holds `adapter/`, `training.json`, `zero_shot.json` and
            `training/` with the checkpoint (adapter, optimiser, schedule, scaler, random generators; not the
            base), records and TensorBoard.
        say: takes the lines meant for people.

    Raises:
        BadInput: nothing to learn from or to score on, class names that a prompt cannot hold or tell apart,
            or a model that has an adapter.
        CheckFailed: the loss was not finite, the deadline left no step, or the base's weights changed.
    """
    precision = choose_precision(loaded, settings.precision)
    mark = fingerprint(loaded, train, val, settings, precision)
    job = _Job(loaded, train, val, settings, Path(folder), say, precision, mark)
    done = finished(job.folder, mark, settings.max_minutes)
    if done is not None:
        say(f"{job.folder.name}: this training was finished before; taken as it is")
        return done
    _refuse_other_classes(train, val)
    before = _zero_shot(job)
    with _adapter(job) as report:
        say(str(report))
        return _tune(job, report, before)


def choose_precision(loaded: "Loaded", wanted: str) -> Literal["no", "fp16", "bf16"]:
    """The autocast format: "auto" is none on a CPU and what the GPU computes fast elsewhere."""
    from nbhelpers.runtime import choose_dtype

    if wanted in ("no", "fp16", "bf16"):
        return wanted  # type: ignore[return-value]
    if not loaded.device.startswith("cuda"):
        return "no"
    held = str(loaded.dtype).removeprefix("torch.")
    name = held if held != "float32" else choose_dtype(loaded.device).value
    return {"float16": "fp16", "bfloat16": "bf16"}.get(name, "no")  # type: ignore[return-value]


def _refuse_other_classes(train: "CocoSet", val: "CocoSet") -> None:
    if train.class_names != val.class_names:
        odd = sorted(set(train.class_names) ^ set(val.class_names)) or ["the order of their ids"]
        raise BadInput(f"{val.path}: its classes are not those of {train.path}: {', '.join(odd)}")


def _zero_shot(job: _Job) -> Scores:
    """Scores of the model before tuning; kept on disk, so that a resumed training need not detect again."""
    path = job.folder / "zero_shot.json"
    kept = read_json(path) if path.exists() else {}
    if kept.get("fingerprint") == job.mark:
        return dict(kept["scores"])
    scores = _scores(job, job.loaded.model)
    write_json(path, {"fingerprint": job.mark, "scores": scores})
    job.say(f"before tuning: {_in_words(scores)}")
    return scores


def _scores(job: _Job, model: Any) -> Scores:
    from nbhelpers.teach.grounding_dino.scores import box_results, box_scores

    return box_scores(job.val, _results(job, model, box_results))


def _results(job: _Job, model: Any, run: Callable[..., list[dict[str, Any]]]) -> list[dict[str, Any]]:
    batch = job.settings.detector.batch
    return run(model, job.loaded.processor, job.val, nms=job.settings.nms, batch_size=batch)


def _in_words(scores: Scores) -> str:
    return ", ".join(
        f"{name.replace('_', ' ').replace('ap', 'AP')} {s['value']:.3f} ({s['low']:.3f} to {s['high']:.3f})"
        for name, s in scores.items()
    )


@contextlib.contextmanager
def _adapter(job: _Job) -> "Iterator[LoraReport]":
    """LoRA on the model inside, the model as it was afterwards, also after an error."""
    from nbhelpers.models import add_lora
    from nbhelpers.runtime import seed_everything
    from nbhelpers.training.generators import generators_kept

    lora = job.settings.detector
    with generators_kept():
        seed_everything(job.settings.seed)
        report = add_lora(job.loaded.model, job.loaded.family, lora.roles, lora.r, lora.alpha, lora.dropout)
    try:
        yield report
    finally:
        report.model.unload()


def _tune(job: _Job, report: "LoraReport", before: Scores) -> TunedTeacher:
    from nbhelpers.memory import watch
    from nbhelpers.models import save_adapter, tensor_digests, verify_only_adapter_changed
    from nbhelpers.teach.grounding_dino.batches import DetectorBatches
    from nbhelpers.teach.grounding_dino.footprint import predict_step

    lora = job.settings.detector
    batches = DetectorBatches(
        job.train, report.model, job.loaded.processor, lora.batch, job.settings.seed, dtype=job.loaded.dtype
    )
    _say_silent(job, batches)
    predicted = predict_step(job.loaded, lora, batches(0))
    digests = tensor_digests(report.model)
    with watch() as seen:
        result = _fit(job, report.model, batches)
    if result.steps == 0:
        raise CheckFailed(f"max_minutes {job.settings.max_minutes:g}: leaves no time for a step; raise it")
    verify_only_adapter_changed(digests, report.model)
    base, revision = job.loaded.name, job.loaded.revision
    adapter = save_adapter(
        report.model, job.folder / ADAPTER, base=base, revision=revision, roles=report.roles
    )
    after = _scores(job, report.model)
    job.say(f"after {result.steps} steps: {_in_words(after)}")
    tuned = TunedTeacher(
        name=NAME, base=base, revision=revision, adapter=adapter, roles=report.roles,
        trainable=report.trainable, total=report.total, before=before, after=after, steps=result.steps,
        stopped=result.stopped, seconds=result.seconds,
        seconds_per_epoch=epoch_seconds(result.history, batches.per_epoch, lora.accumulate),
        predicted_bytes=predicted, peak_bytes=_peak(job.loaded, seen), history=result.history,
        resumed=result.resumed_from > 0,
    )  # fmt: skip
    remember(job.folder, tuned, job.mark, job.settings.max_minutes)
    return tuned


def _say_silent(job: _Job, batches: "DetectorBatches") -> None:
    if batches.silent:
        job.say(f"no annotation to learn from, so not asked for while training: {', '.join(batches.silent)}")


def _fit(job: _Job, model: Any, batches: "DetectorBatches") -> "FitResult":
    from nbhelpers.metrics import evaluate_coco
    from nbhelpers.teach.grounding_dino.scores import box_results
    from nbhelpers.training import fit

    truth, folder = job.val.to_dict(), job.folder / "training"

    def validate(tuned: Any) -> dict[str, float]:
        scores = evaluate_coco(truth, _results(job, tuned, box_results))
        return {"box_ap": scores.ap, "box_ap50": scores.ap50}

    return fit(
        model, batches, detection_loss, _fit_settings(job), folder,
        validate=validate, data=job.mark, resume=_resumable(job, folder),
    )  # fmt: skip


def _resumable(job: _Job, folder: Path) -> bool:
    """Whether what lies in the folder is this training, cut short; another one makes room, and it is said."""
    path = job.folder / "under_way.json"
    ours = path.exists() and read_json(path).get("fingerprint") == job.mark
    if not ours and (folder / "checkpoint.pt").exists():
        job.say(f"{job.folder.name}: held a training of other inputs; this one begins anew")
    write_json(path, {"fingerprint": job.mark})
    return ours


def _fit_settings(job: _Job) -> "FitSettings":
    from nbhelpers.training import FitSettings

    lora, settings = job.settings.detector, job.settings
    return FitSettings(
        steps=lora.steps, learning_rate=lora.learning_rate, warmup_steps=math.floor(WARMUP * lora.steps),
        weight_decay=0.0, clip=settings.clip, accumulate=lora.accumulate, precision=job.precision,
        checkpoint_every_s=CHECKPOINT_EVERY_S, validate_every=math.ceil(lora.steps / lora.validations),
        monitor=MONITOR, patience=lora.patience, max_seconds=60 * settings.max_minutes, seed=settings.seed,
        tensorboard=settings.tensorboard,
    )  # fmt: skip


def detection_loss(model: Any, batch: dict[str, Any]) -> dict[str, Any]:
    """The class's own loss of one batch with one prompt, and the last decoder layer's parts.

    It is divided by the objects of the batch, so they are its weight among micro-batches.
    """
    outputs = model(**batch["inputs"], labels=batch["labels"])
    parts = {name: outputs.loss_dict[f"loss_{name}"].detach() for name in ("ce", "bbox", "giou")}
    objects = sum(len(own["class_labels"]) for own in batch["labels"])
    return {"loss": outputs.loss, "weight": max(1, objects), **parts}


def epoch_seconds(history: list[dict[str, Any]], per_epoch: int, accumulate: int) -> list[float]:
    """Seconds of the steps of every whole pass over the images, in order; validation not counted."""
    sums: dict[int, float] = {}
    steps = [row for row in history if "seconds" in row]
    for row in steps:
        epoch = (row["step"] - 1) * accumulate // per_epoch
        sums[epoch] = sums.get(epoch, 0.0) + row["seconds"]
    whole = len(steps) * accumulate // per_epoch
    return [round(sums[epoch], 4) for epoch in range(whole) if epoch in sums]


def _peak(loaded: "Loaded", seen: Any) -> int:
    """Highest memory of the training: torch's on a GPU; else resident growth and the model's own bytes."""
    if loaded.device.startswith("cuda"):
        return sum(seen.gpu_peak_bytes.values())
    tensors = [*loaded.model.parameters(), *loaded.model.buffers()]
    return int(seen.grown_bytes) + sum(tensor.numel() * tensor.element_size() for tensor in tensors)
