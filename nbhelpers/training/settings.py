"""What one training is steered by: a frozen record that is checked when it is made."""

from dataclasses import dataclass
from typing import Literal

from nbhelpers.errors import BadInput

Schedule = Literal["cosine", "linear", "constant"]
Precision = Literal["no", "fp16", "bf16"]


@dataclass(frozen=True)
class FitSettings:
    """The numbers of one call of `fit`.

    Attributes:
        steps: optimiser steps in all, those before a resume included.
        learning_rate: the peak, reached after the warm-up.
        schedule: how the learning rate falls from the peak to `final_factor` times it at the last step.
        warmup_steps: steps of linear rise; the first step already has `learning_rate / warmup_steps`.
        final_factor: 0 to 1, see `schedule`; of no use with "constant".
        weight_decay: of AdamW, on every trained parameter.
        betas: of AdamW.
        clip: largest norm of the whole gradient; None leaves it as it is.
        accumulate: micro-batches per optimiser step (and process); each has the same weight unless the loss
            names one (see `fit`).
        precision: autocast to this format; fp16 on GPUs only. Parameters and optimiser stay as they are.
        checkpoint_every_s: seconds between two checkpoints; about what a kill costs. 0: after every step.
        validate_every: steps between two validations; one more after the last step. 0: only there.
        monitor: name of the score that decides which weights are best, and whether there is progress.
        monitor_mode: "max" if a higher score is better, "min" for losses.
        keep_best: leave the model with the weights of its best validation, not with those of the last step.
        patience: stop after so many validations without a better score; None never does.
        max_seconds: of training, over all calls; then it stops with a checkpoint. None: no deadline.
        seed: 0 to 2**32 - 1; of dropout and the like, and of the order of a sequence of batches.
        shuffle: draw a sequence of batches in a new order each epoch; False takes it in order.
        tensorboard: write scalars to `folder/tensorboard`.
        log_every: steps between two records.
        average: decay, 0 to 1, of an exponential moving average of the weights; see `average.Average`. The
            averaged weights are then the ones that are validated, kept as best and left in the model, while
            the training itself goes on from its own. None: no average.
        average_warmup: optimiser steps over which its decay grows; about a tenth of a short training.
        prefetch: batches made ahead in one thread; where `batches` is a (pure) function. 0: none.
    """

    steps: int
    learning_rate: float = 1e-3
    schedule: Schedule = "cosine"
    warmup_steps: int = 0
    final_factor: float = 0.0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float | None = 1.0
    accumulate: int = 1
    precision: Precision = "no"
    checkpoint_every_s: float = 60.0
    validate_every: int = 0
    monitor: str = "score"
    monitor_mode: Literal["max", "min"] = "max"
    keep_best: bool = True
    patience: int | None = None
    max_seconds: float | None = None
    seed: int = 0
    shuffle: bool = True
    tensorboard: bool = True
    log_every: int = 1
    average: float | None = None
    average_warmup: int = 2000
    prefetch: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with.

        Raises:
            BadInput: names the setting, its value and what it may be.
        """
        for name, good, wanted in self._rules():
            if not good:
                raise BadInput(f"training setting {name}={getattr(self, name)!r}: must be {wanted}")

    def _rules(self) -> list[tuple[str, bool, str]]:
        return [
            ("steps", self.steps >= 1, "1 or more"),
            ("learning_rate", self.learning_rate > 0, "above 0"),
            ("schedule", self.schedule in ("cosine", "linear", "constant"), "cosine, linear or constant"),
            ("warmup_steps", 0 <= self.warmup_steps <= self.steps, f"0 to steps ({self.steps})"),
            ("final_factor", 0 <= self.final_factor <= 1, "0 to 1"),
            ("weight_decay", self.weight_decay >= 0, "0 or more"),
            ("betas", len(self.betas) == 2 and all(0 <= b < 1 for b in self.betas), "two numbers in [0, 1)"),
            ("clip", self.clip is None or self.clip > 0, "above 0, or None"),
            ("accumulate", self.accumulate >= 1, "1 or more"),
            ("precision", self.precision in ("no", "fp16", "bf16"), "no, fp16 or bf16"),
            ("checkpoint_every_s", self.checkpoint_every_s >= 0, "0 or more"),
            ("validate_every", self.validate_every >= 0, "0 or more"),
            ("monitor_mode", self.monitor_mode in ("max", "min"), "max or min"),
            ("patience", self.patience is None or self.patience >= 1, "1 or more, or None"),
            ("max_seconds", self.max_seconds is None or self.max_seconds > 0, "above 0, or None"),
            ("seed", 0 <= self.seed < 2**32, f"between 0 and {2**32 - 1}"),
            ("log_every", self.log_every >= 1, "1 or more"),
            ("average", self.average is None or 0 < self.average < 1, "between 0 and 1, or None"),
            ("average_warmup", self.average_warmup >= 1, "1 or more"),
            ("prefetch", self.prefetch >= 0, "0 or more"),
        ]


def autocast_for(dtype: object, wanted: Literal["auto", "no", "fp16", "bf16"]) -> Precision:
    """The autocast format of a training.

    Args:
        dtype: the loaded weights', as a torch dtype: a family's rule for the machine chose it.
        wanted: `auto` follows the weights; float32 weights are then computed with as they are.
    """
    by_dtype: dict[str, Precision] = {"torch.float16": "fp16", "torch.bfloat16": "bf16"}
    return by_dtype.get(str(dtype), "no") if wanted == "auto" else wanted
