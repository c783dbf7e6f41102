"""The detector's training through the one loop: loss, validation, checkpoints of the adapter alone."""

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import read_json, write_json

if TYPE_CHECKING:
    from nbhelpers.teach.grounding_dino.batches import DetectorBatches
    from nbhelpers.teach.grounding_dino.job import Job
    from nbhelpers.training import FitResult, FitSettings

TRAINING, MONITOR = "training", "box_ap"
WARMUP = 0.1  # share of the steps with rising learning rate
CHECKPOINT_EVERY_S = 30.0


def fit_adapter(job: "Job", model: Any, batches: "DetectorBatches") -> "FitResult":
    """Train what asks for a gradient in `model`, the base of which is `job.loaded.model`.

    Raises:
        CheckFailed: the loss or its gradient is not finite.
    """
    from nbhelpers.metrics import evaluate_coco
    from nbhelpers.teach.grounding_dino.loss import decoder_loss, detection_loss
    from nbhelpers.training import fit

    truth, folder = job.val.to_dict(), job.folder / TRAINING
    loss = partial(detection_loss, config=job.loaded.config)

    def validate(tuned: Any) -> dict[str, float]:
        scores = evaluate_coco(truth, job.results(tuned))
        return {"box_ap": scores.ap, "box_ap50": scores.ap50}

    resume = _is_under_way(job)
    with decoder_loss(job.loaded.model):
        return fit(
            model, batches, loss, fit_settings(job), folder, validate=validate, data=job.mark, resume=resume
        )


def _is_under_way(job: "Job") -> bool:
    """Whether what lies in the folder is this training, cut short; another one makes room, and it is said."""
    path = job.folder / "under_way.json"
    ours = path.exists() and read_json(path).get("fingerprint") == job.mark
    if not ours and (job.folder / TRAINING / "checkpoint.pt").exists():
        job.say(f"{job.folder.name}: held a training of other inputs; this one begins anew")
    write_json(path, {"fingerprint": job.mark})
    return ours


def fit_settings(job: "Job") -> "FitSettings":
    """The loop's settings: AdamW without decay, warm-up over a tenth of the steps, then a cosine."""
    from nbhelpers.training import FitSettings

    lora, settings = job.settings.detector, job.settings
    return FitSettings(
        steps=lora.steps, learning_rate=lora.learning_rate, warmup_steps=math.floor(WARMUP * lora.steps),
        weight_decay=0.0, clip=settings.clip, accumulate=lora.accumulate, precision=job.precision,
        checkpoint_every_s=CHECKPOINT_EVERY_S, validate_every=math.ceil(lora.steps / lora.validations),
        monitor=MONITOR, patience=lora.patience, max_seconds=60 * settings.max_minutes, seed=settings.seed,
        tensorboard=settings.tensorboard,
    )  # fmt: skip
