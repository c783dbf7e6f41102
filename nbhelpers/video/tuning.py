"""LoRA on a vision-language model: clips in, answers as JSON out, what is frozen seen once."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import read_json, sha256_value, write_json
from nbhelpers.errors import BadInput
from nbhelpers.video.account import training_account
from nbhelpers.video.batches import VideoBatches, answer_loss
from nbhelpers.video.course import fit_settings
from nbhelpers.video.examples import Examples
from nbhelpers.video.features import features_for_pixels, pixels_digest, vision_digest, why_not_kept
from nbhelpers.video.job import Job, Say
from nbhelpers.video.light import Light
from nbhelpers.video.samples import VideoSample, sample_of
from nbhelpers.video.sizing import limit_area
from nbhelpers.video.tuned import TunedVideo, fingerprint, finished, write_record

if TYPE_CHECKING:
    from nbhelpers.models import Loaded, LoraReport
    from nbhelpers.settings import VideoSection
    from nbhelpers.training import FitResult
    from nbhelpers.video.samples import Clips


def tune_video(
    loaded: "Loaded",
    train: "Clips",
    val: "Clips",
    settings: "VideoSection",
    folder: Path,
    *,
    operations: Sequence[str] = (),
    say: Say = print,
) -> TunedVideo:
    """Put a LoRA adapter on a model, train it to answer about clips, keep the best.

    Called again with the same inputs it returns the finished training at once; after a kill it goes on from
    the last checkpoint and ends in the same bits. With other inputs it begins anew in the same folder.

    Args:
        loaded: made with task `tune`; given back as it came, without the adapter.
        train: clips to learn from, with answers.
        val: clips of other sources; the adapter with the best weighted score on them is kept. At most
            `settings.val_clips` are taken.
        settings: the `video` section.
        folder: of this training alone: `adapter/`, `training.json`, `training/` (checkpoint, records,
            TensorBoard), `kept/` (may be removed at any time).
        operations: names a constrained answer may hold; those of the training clips by default.
        say: takes the lines meant for people.

    Raises:
        BadInput: no clips, a clip without an answer, one clip in both parts.
        CheckFailed: the loss is not finite, a model would be told wrong times, or something outside the
            adapter changed.
    """
    from nbhelpers.models import as_it_was
    from nbhelpers.training.generators import generators_kept

    began, folder = time.time(), Path(folder)
    limit_area(loaded.processor, loaded.family.model_type, settings.size_px, settings.frames)
    learn = [sample_of(clip) for clip in train]
    check = [sample_of(clip) for clip in val[: settings.val_clips]]
    _check_apart(learn, check)
    reason = _why_not_kept(loaded, settings)
    digest = vision_digest(loaded.model, loaded.processor)
    mark = fingerprint(loaded, digest, learn, check, settings)
    done = finished(folder, mark, settings.max_minutes)
    if done is not None:
        say(f"{folder.name}: this training was finished before; taken as it is")
        return done
    cache = _cache(folder, settings, pixels_digest(loaded.processor) if reason else digest)
    job = Job(
        loaded, settings, folder, say, mark, reason,
        Examples(learn, loaded, cache, not reason, settings.name_weight),
        Examples(check, loaded, cache, not reason),
        _sources(train), began + 60 * settings.max_minutes, tuple(operations) or _named(learn),
    )  # fmt: skip
    handed = contextlib.nullcontext() if reason else features_for_pixels(loaded.model)
    with generators_kept(), as_it_was(loaded.model), handed:
        return _tune(job)


def _check_apart(train: Sequence[VideoSample], val: Sequence[VideoSample]) -> None:
    both = {sample.name for sample in train} & {sample.name for sample in val}
    if both:
        raise BadInput(f"clip {min(both)}: is to be learned from and to be judged by; split by source first")


def _why_not_kept(loaded: "Loaded", settings: "VideoSection") -> str:
    from nbhelpers.models import lora_roles

    if not settings.keep_features:
        return "video.keep_features is off"
    return why_not_kept(loaded.family.model_type, lora_roles(loaded.family, settings.roles))


def _cache(folder: Path, settings: "VideoSection", digest: str) -> Any:
    from nbhelpers.training.tensor_cache import TensorCache

    return TensorCache(folder / "kept", settings.kept_gib, digest)


def _sources(clips: "Clips") -> tuple[str, ...]:
    """Subjects, sessions or videos of clips that say so."""
    named = [getattr(clip, "source", None) for clip in clips]
    return tuple(sorted({str(source) for source in named if source is not None}))


def _named(samples: Sequence[VideoSample]) -> tuple[str, ...]:
    answers = [sample.answer for sample in samples if sample.answer is not None]
    return tuple(sorted({name for one in answers for name in (one.operation, one.next_operation)}))


def _tune(job: Job) -> TunedVideo:
    from nbhelpers.memory import watch
    from nbhelpers.models import tensor_digests, verify_only_adapter_changed

    _prepare(job)
    before = _scored(job, job.loaded.model)
    report = _adapted(job)
    job.say(f"{report}; before tuning weighted score {before['weighted']:.3f} on {len(job.val)} clips")
    digests = tensor_digests(report.model)
    with watch(0.05) as seen:
        fitted = _fit(job, report)
    if fitted.steps:  # a deadline may come before the first
        verify_only_adapter_changed(digests, report.model)
    after = _scored(job, report.model)
    tuned = training_account(job, report, fitted, before, after, seen)
    write_record(job.folder, tuned, job.mark, job.settings.max_minutes)
    _report(job, tuned)
    return tuned


def _prepare(job: Job) -> None:
    """Every clip once: tokens into memory, features (or pixels) onto the disk."""
    began = time.monotonic()
    job.train.prepare("clips to learn from")
    job.val.prepare("clips to judge by")
    job.prepare_s = time.monotonic() - began
    what = "pixels are kept: " + job.reason if job.reason else "features of the frozen vision tower are kept"
    job.say(f"{len(job.train)} clips, {len(job.val)} to judge by, in {job.prepare_s:.1f} s; {what}")


def _scored(job: Job, model: Any) -> dict[str, float]:
    import torch

    model.eval()
    with torch.no_grad():
        return job.scores(model)


def _adapted(job: Job) -> "LoraReport":
    from nbhelpers.models import add_lora
    from nbhelpers.runtime import seed_everything
    from nbhelpers.training.generators import generators_kept

    own = job.settings
    with generators_kept():  # the adapter's first values are drawn
        seed_everything(own.seed)
        return add_lora(job.loaded.model, job.loaded.family, own.roles, own.r, own.alpha, own.dropout)


def _fit(job: Job, report: "LoraReport") -> "FitResult":
    from nbhelpers.training import fit

    pad = job.loaded.processor.tokenizer.pad_token_id
    batches = VideoBatches(job.train, job.settings.batch, pad, job.settings.seed, _light(job))
    data = sha256_value([job.mark, [job.train.example(k).key for k in range(len(job.train))]])
    report.model.train()
    return fit(
        report.model,
        batches,
        answer_loss,
        fit_settings(job.settings, job.loaded),
        job.folder / "training",
        validate=job.scores,
        end_at=job.end_at,
        data=data,
        resume=_is_same(job, data),
    )


def _light(job: Job) -> Light | None:
    """Only pixels can be lit anew: what a frozen tower made of them is kept as it is."""
    if not job.reason or not job.settings.light:
        return None
    seen = job.loaded.processor.video_processor
    return Light(job.settings.light, seen.image_mean, seen.image_std)


def _is_same(job: Job, data: str) -> bool:
    """Whether the training begun in the folder is this one; from here on it is."""
    path = job.folder / "training" / "inputs.json"
    kept = read_json(path)["fingerprint"] if path.is_file() else data
    if kept != data:
        job.say(f"{job.folder.name}: holds a training of other inputs; it begins anew")
    write_json(path, {"fingerprint": data})
    return bool(kept == data)


def _report(job: Job, tuned: TunedVideo) -> None:
    """Say what came of it."""
    named = {"OCA": "oca", "tIoU@0.5": "tiou_05", "AA@1": "aa1", "weighted": "weighted"}
    words = [f"{word} {tuned.before[name]:.3f} -> {tuned.after[name]:.3f}" for word, name in named.items()]
    job.say(f"after {tuned.steps} steps ({tuned.stopped}), {tuned.seconds:.0f} s: {', '.join(words)}")
    if tuned.after["weighted"] <= tuned.before["weighted"]:
        job.say("tuning made the answers no better: use the model without the adapter, or train it longer")
