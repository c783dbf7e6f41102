"""LoRA on SAM's mask decoder: boxes in, masks out, everything before the decoder frozen and seen once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import read_json, write_json
from nbhelpers.errors import BadInput
from nbhelpers.teach.sam.batches import SamBatches
from nbhelpers.teach.sam.course import MONITOR, fit_settings
from nbhelpers.teach.sam.embeddings import EmbeddingCache, encoder_digest
from nbhelpers.teach.sam.kept import KeptEmbeddings
from nbhelpers.teach.sam.objects import Picture, pictures_of
from nbhelpers.teach.sam.plan import TuningPlan, tuning_plan
from nbhelpers.teach.sam.record import ADAPTER, fingerprint, finished, write_record
from nbhelpers.teach.sam.validation import BoxScores, score_boxes
from nbhelpers.teach.tuned import TunedTeacher
from nbhelpers.training.epochs import seconds_per_epoch

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.memory import Watch
    from nbhelpers.models import Loaded, LoraReport
    from nbhelpers.settings.sections import TeachSection
    from nbhelpers.training import FitResult

NAME = "sam"
_TRAINED = "mask_decoder."  # the only roles an adapter may be on


@dataclass
class _Job:
    """One call of `tune_sam`."""

    loaded: "Loaded"
    settings: "TeachSection"
    folder: Path
    say: Callable[[str], None]
    mark: str
    train: list[Picture]
    val: list[Picture]
    embeddings: dict[str, KeptEmbeddings]

    def score(self, model: Any) -> BoxScores:
        """Masks from the true boxes of the validation part."""
        return score_boxes(model, self.loaded.processor, self.val, self.embeddings["val"])


def tune_sam(
    loaded: "Loaded",
    train: "CocoSet",
    val: "CocoSet",
    settings: "TeachSection",
    folder: Path,
    say: Callable[[str], None] = print,
) -> TunedTeacher:
    """Put a LoRA adapter on the mask decoder, train it with boxes that are a little off, keep the best.

    Called again with the same inputs it returns the finished training at once; after a kill it goes on from
    the last checkpoint and ends in the same bits. With other inputs it begins anew in the same folder.

    Args:
        loaded: SAM or SAM 2, made with task `tune`; given back as it came, without the adapter.
        train: images with masks to learn from.
        val: images with masks; the adapter of the best mean IoU on them is kept.
        settings: the `teach` section; `segmenter` is the part for this teacher.
        folder: of this training alone: `adapter/`, `training.json`, `training/` (checkpoint, records,
            TensorBoard), `embeddings/` (may be removed at any time).
        say: takes the lines meant for people.

    Returns:
        `before` and `after` hold "mask_iou": the mean IoU of masks from the true boxes of `val`.
        `seconds_per_epoch` begins with the epoch in which the encoder ran.

    Raises:
        BadInput: no masks, a box outside its image, roles outside the mask decoder, or a model of another
            family.
        CheckFailed: the loss is not finite, or something outside the adapter changed.
    """
    _check(loaded, settings)
    folder = Path(folder)
    digest = encoder_digest(loaded.model, loaded.processor)
    mark = fingerprint(loaded, digest, train, val, settings)
    done = finished(folder, mark, settings.max_minutes)
    if done is not None:
        say(f"{folder.name}: this training was finished before; taken as it is")
        return done
    cache = EmbeddingCache(folder / "embeddings", settings.segmenter.embeddings_gib, digest)
    embeddings = {
        part: KeptEmbeddings(coco, loaded.model, loaded.processor, cache)
        for part, coco in (("train", train), ("val", val))
    }
    job = _Job(
        loaded, settings, folder, say, mark, pictures_of(train, say), pictures_of(val, say), embeddings
    )
    from nbhelpers.models import as_it_was

    with as_it_was(loaded.model):
        return _tune(job)


def _check(loaded: "Loaded", settings: "TeachSection") -> None:
    from nbhelpers.models import lora_roles

    if not hasattr(loaded.model, "mask_decoder"):
        raise BadInput(f"{loaded.name}: is a {loaded.family.model_type}, no SAM; load a segmenter")
    roles = lora_roles(loaded.family, settings.segmenter.roles)
    outside = [role for role in roles if not role.startswith(_TRAINED)]
    if outside:
        raise BadInput(
            f"teach.segmenter.roles: {', '.join(outside)} lie outside the mask decoder; its inputs are kept "
            f"on disk, so name roles of mask_decoder alone"
        )


def _tune(job: _Job) -> TunedTeacher:
    from nbhelpers.memory import watch
    from nbhelpers.models import add_lora, save_adapter, tensor_digests, verify_only_adapter_changed
    from nbhelpers.runtime import seed_everything
    from nbhelpers.training.generators import generators_kept

    before = job.score(job.loaded.model)
    part = job.settings.segmenter
    plan = _plan(job)
    with generators_kept():  # the adapter's first values are drawn
        seed_everything(job.settings.seed)
        report = add_lora(job.loaded.model, job.loaded.family, part.roles, part.r, part.alpha, part.dropout)
    job.say(f"{report}; before tuning mean IoU {before.mean:.3f} over {len(before.iou)} objects")
    digests = tensor_digests(report.model)
    with watch(0.05) as seen:
        fitted = _fit(job, report)
    if fitted.steps:  # a deadline may come before the first
        verify_only_adapter_changed(digests, report.model)
    report.model.eval()
    after = job.score(report.model)
    adapter = save_adapter(
        report.model,
        job.folder / ADAPTER,
        base=job.loaded.name,
        revision=job.loaded.revision,
        roles=report.roles,
    )
    tuned = TunedTeacher(
        name=NAME,
        base=job.loaded.name,
        revision=job.loaded.revision,
        adapter=adapter,
        roles=report.roles,
        trainable=report.trainable,
        total=report.total,
        before={MONITOR: before.interval()},
        after={MONITOR: after.interval()},
        steps=fitted.steps,
        stopped=fitted.stopped,
        seconds=fitted.seconds,
        seconds_per_epoch=seconds_per_epoch(fitted.history, len(job.train) / (part.batch * part.accumulate)),
        predicted_bytes=plan.peak,
        peak_bytes=_peak(job.loaded, seen),
        history=fitted.history,
        resumed=fitted.resumed_from > 0,
    )
    write_record(job.folder, tuned, job.mark, job.settings.max_minutes)
    _report(job, tuned)
    return tuned


def _plan(job: _Job) -> TuningPlan:
    loaded = job.loaded
    dtype = str(loaded.dtype).removeprefix("torch.")
    return tuning_plan(
        loaded.family, loaded.config, job.settings.segmenter, device=loaded.device, dtype=dtype
    )


def _peak(loaded: "Loaded", seen: "Watch") -> int:
    """Measured bytes with the weights: torch's own count on a GPU; on a CPU they were there before."""
    if loaded.device.startswith("cuda"):
        return sum(seen.gpu_peak_bytes.values())
    weights = sum(p.numel() * p.element_size() for p in loaded.model.parameters())
    return weights + seen.grown_bytes


def _fit(job: _Job, report: "LoraReport") -> "FitResult":
    from nbhelpers.teach.sam.decoder import DecoderLoss, PromptedDecoder, target_side
    from nbhelpers.training import fit

    part, settings = job.settings.segmenter, job.settings
    batches = SamBatches(
        job.train,
        job.embeddings["train"],
        job.loaded.processor,
        target_side(job.loaded.config),
        batch=part.batch,
        box_jitter=part.box_jitter,
        points=part.points,
        seed=settings.seed,
    )
    return fit(
        PromptedDecoder(report.model),
        batches,
        DecoderLoss(part.focal),
        fit_settings(settings, job.loaded),
        job.folder / "training",
        validate=lambda _: {MONITOR: job.score(report.model).mean},
        data=job.mark,
        resume=_is_same(job),
    )


def _is_same(job: _Job) -> bool:
    """Whether the training begun in the folder is this one; from here on it is."""
    path = job.folder / "training" / "inputs.json"
    kept = read_json(path)["fingerprint"] if path.is_file() else job.mark
    if kept != job.mark:
        job.say(f"{job.folder.name}: holds a training of other inputs; it begins anew")
    write_json(path, {"fingerprint": job.mark})
    return bool(kept == job.mark)


def _report(job: _Job, tuned: TunedTeacher) -> None:
    """Say what came of it, and what the kept embeddings saved."""
    before, after = tuned.before[MONITOR], tuned.after[MONITOR]
    job.say(
        f"mean IoU {before['value']:.3f} -> {after['value']:.3f} "
        f"({after['low']:.3f} to {after['high']:.3f}, {after['n']:.0f} objects) "
        f"after {tuned.steps} steps, {tuned.seconds:.0f} s"
    )
    if after["value"] <= before["value"]:
        job.say("tuning made the masks no better; more labels, more steps or smaller ones may")
    first, *later = tuned.seconds_per_epoch
    if later and job.embeddings["train"].encoded:
        mean = sum(later) / len(later)
        job.say(
            f"first epoch {first:.2f} s with the encoder, later ones {mean:.2f} s: {first / mean:.1f} to 1"
        )
