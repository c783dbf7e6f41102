"""How a tuning is steered, and what its records say of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.models import Loaded
    from nbhelpers.settings import VideoSection
    from nbhelpers.training import FitSettings
    from nbhelpers.training.settings import Precision

MONITOR = "weighted"
_WARMUP = 0.05  # share of the steps


def fit_settings(settings: "VideoSection", loaded: "Loaded") -> "FitSettings":
    """The loop's settings: cosine from the peak to zero, autocast by the family's rule for this machine."""
    from nbhelpers.training import FitSettings

    by_dtype: dict[str, Precision] = {"torch.float16": "fp16", "torch.bfloat16": "bf16"}
    auto = by_dtype.get(str(loaded.dtype), "no")
    return FitSettings(
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        warmup_steps=round(_WARMUP * settings.steps),
        weight_decay=0.0,
        clip=settings.clip,
        accumulate=settings.accumulate,
        precision=auto if settings.precision == "auto" else settings.precision,
        checkpoint_every_s=60 * settings.checkpoint_minutes,
        validate_every=max(1, settings.steps // settings.validations),
        monitor=MONITOR,
        patience=settings.patience,
        seed=settings.seed,
        tensorboard=settings.tensorboard,
    )


def seconds_per_epoch(history: Sequence[dict[str, Any]], steps_per_epoch: float) -> list[float]:
    """Seconds of each whole pass over the clips, from the seconds of the steps.

    Args:
        history: rows of a training's records, one per step (those of validations are passed over).
        steps_per_epoch: a step across the end of a pass counts for both by its share.

    Returns:
        Of every whole pass; where there is none, the seconds of what was seen.
    """
    seconds = [float(row["seconds"]) for row in history if "seconds" in row]
    whole = int(len(seconds) / steps_per_epoch + 1e-9)
    if not whole:
        return [sum(seconds)]
    return [_between(seconds, k * steps_per_epoch, (k + 1) * steps_per_epoch) for k in range(whole)]


def _between(seconds: Sequence[float], start: float, end: float) -> float:
    """Seconds of the steps from `start` to `end`, both counted in steps, parts of steps by their share."""
    return sum(
        value * max(0.0, min(end, number + 1) - max(start, number)) for number, value in enumerate(seconds)
    )
