"""How a training of the mask decoder is steered."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbhelpers.models import Loaded
    from nbhelpers.settings.sections import TeachSection
    from nbhelpers.training import FitSettings

MONITOR = "mask_iou"
_WARMUP = 0.05  # share of the steps


def fit_settings(settings: "TeachSection", loaded: "Loaded") -> "FitSettings":
    """How the loop is steered: the part for this teacher, and what all teachers share."""
    from nbhelpers.training import FitSettings, autocast_for

    part = settings.segmenter
    return FitSettings(
        steps=part.steps,
        learning_rate=part.learning_rate,
        warmup_steps=round(_WARMUP * part.steps),
        weight_decay=0.0,
        clip=settings.clip,
        accumulate=part.accumulate,
        precision=autocast_for(loaded.dtype, settings.precision),
        validate_every=max(1, part.steps // part.validations),
        monitor=MONITOR,
        patience=part.patience,
        max_seconds=60 * settings.max_minutes,
        seed=settings.seed,
        tensorboard=settings.tensorboard,
    )
