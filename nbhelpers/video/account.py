"""The account of a training: adapter on disk, scores, times, memory predicted and measured."""

from typing import TYPE_CHECKING

from nbhelpers.training.epochs import seconds_per_epoch
from nbhelpers.video.adapter import write_beside
from nbhelpers.video.plan import tuning_plan
from nbhelpers.video.tuned import ADAPTER, TunedVideo

if TYPE_CHECKING:
    from nbhelpers.memory import Watch
    from nbhelpers.models import Loaded, LoraReport
    from nbhelpers.training import FitResult
    from nbhelpers.video.job import Job


def training_account(
    job: "Job",
    report: "LoraReport",
    fitted: "FitResult",
    before: dict[str, float],
    after: dict[str, float],
    seen: "Watch",
) -> TunedVideo:
    """Save the adapter and sum the training up."""
    from nbhelpers.models import save_adapter

    loaded, epoch = job.loaded, len(job.train) / job.per_step
    adapter = save_adapter(
        report.model, job.folder / ADAPTER, base=loaded.name, revision=loaded.revision, roles=report.roles
    )
    write_beside(adapter, job.operations, job.sources, job.settings)
    return TunedVideo(
        base=loaded.name,
        revision=loaded.revision,
        adapter=adapter,
        operations=job.operations,
        sources=job.sources,
        roles=report.roles,
        trainable=report.trainable,
        total=report.total,
        before=before,
        after=after,
        steps=fitted.steps,
        stopped=fitted.stopped,
        seconds=fitted.seconds,
        prepare_s=job.prepare_s,
        seconds_per_epoch=seconds_per_epoch(fitted.history, epoch),
        steps_per_epoch=epoch,
        features=job.reason or "kept",
        predicted_bytes=predicted_bytes(job),
        peak_bytes=measured_bytes(loaded, seen),
        history=fitted.history,
        resumed=fitted.resumed_from > 0,
    )


def predicted_bytes(job: "Job") -> int:
    """The dry run of the very step that was trained."""
    loaded, settings = job.loaded, job.settings
    side = settings.size_px or max(job.train.samples[0].frames().shape[1:3])
    return tuning_plan(
        loaded.family,
        loaded.config,
        settings,
        quantize=loaded.quantize,
        device=loaded.device,
        dtype=str(loaded.dtype).removeprefix("torch."),
        checkpointing=bool(getattr(loaded.model, "is_gradient_checkpointing", False)),
        side_px=side,
    ).peak


def measured_bytes(loaded: "Loaded", seen: "Watch") -> int:
    """Measured bytes with the weights: torch's own count on a GPU; on a CPU they were there before."""
    if loaded.device.startswith("cuda"):
        return sum(seen.gpu_peak_bytes.values())
    weights = sum(p.numel() * p.element_size() for p in loaded.model.parameters())
    return weights + seen.grown_bytes
