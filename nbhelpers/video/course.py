"""How a tuning is steered."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbhelpers.models import Loaded
    from nbhelpers.settings import VideoSection
    from nbhelpers.training import FitSettings

MONITOR = "weighted"
_WARMUP = 0.05  # share of the steps


def fit_settings(settings: "VideoSection", loaded: "Loaded") -> "FitSettings":
    """The loop's settings: cosine from the peak to zero, autocast by the family's rule for this machine."""
    from nbhelpers.training import FitSettings, autocast_for

    return FitSettings(
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        warmup_steps=round(_WARMUP * settings.steps),
        weight_decay=0.0,
        clip=settings.clip,
        accumulate=settings.accumulate,
        precision=autocast_for(loaded.dtype, settings.precision),
        checkpoint_every_s=60 * settings.checkpoint_minutes,
        validate_every=max(1, settings.steps // settings.validations),
        monitor=MONITOR,
        patience=settings.patience,
        seed=settings.seed,
        tensorboard=settings.tensorboard,
    )
