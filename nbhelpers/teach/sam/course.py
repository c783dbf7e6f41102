"""How a training of the mask decoder is steered, and what its records say of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.models import Loaded
    from nbhelpers.settings.sections import TeachSection
    from nbhelpers.training import FitSettings
    from nbhelpers.training.settings import Precision

MONITOR = "mask_iou"
_WARMUP = 0.05  # share of the steps


def fit_settings(settings: "TeachSection", loaded: "Loaded") -> "FitSettings":
    """How the loop is steered: the part for this teacher, and what all teachers share."""
    from nbhelpers.training import FitSettings

    part = settings.segmenter
    by_dtype: dict[str, Precision] = {"torch.float16": "fp16", "torch.bfloat16": "bf16"}
    auto = by_dtype.get(str(loaded.dtype), "no")
    return FitSettings(
        steps=part.steps,
        learning_rate=part.learning_rate,
        warmup_steps=round(_WARMUP * part.steps),
        weight_decay=0.0,
        clip=settings.clip,
        accumulate=part.accumulate,
        precision=auto if settings.precision == "auto" else settings.precision,
        validate_every=max(1, part.steps // part.validations),
        monitor=MONITOR,
        patience=part.patience,
        max_seconds=60 * settings.max_minutes,
        seed=settings.seed,
        tensorboard=settings.tensorboard,
    )


def seconds_per_epoch(history: Sequence[dict[str, Any]], per_step: int, images: int) -> list[float]:
    """Seconds of each pass over the images, from the seconds of the steps.

    Args:
        history: rows of a training's records, one per step (those of validations are passed over).
        per_step: images in a step.
        images: in an epoch. A step across the end of one counts for both by its share.

    Returns:
        Of every whole epoch; where there is none, the seconds of what was seen.
    """
    steps = [row for row in history if "seconds" in row]
    epochs = [0.0] * (len(steps) * per_step // images + 1)
    for row in steps:
        first = (int(row["step"]) - 1) * per_step
        for image in range(first, first + per_step):
            if image // images < len(epochs):
                epochs[image // images] += float(row["seconds"]) / per_step
    return epochs[:-1] or epochs
