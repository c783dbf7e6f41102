"""What a twin brings with it: how it is trained, how it is measured, what its card says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nbhelpers.artifacts import Check, Metric


@dataclass(frozen=True)
class Evaluation:
    """What a twin was measured to do on held-out drawn data.

    Attributes:
        metrics: name to value, with n and where there is one its interval.
        checks: the bars it has to meet.
    """

    metrics: Mapping[str, Metric]
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """One twin.

    Attributes:
        name: of its folder in `checkpoints/tiny`, such as "grounding-dino".
        summary: one sentence, what it is.
        model_class: of transformers, such as "GroundingDinoForObjectDetection".
        train: from (folder, seed): trains and leaves the `save_pretrained` files of model, tokenizer and
            processor in `folder`. Where it keeps its work, see `work_folder`.
        evaluate: from (folder of the trained model, seed) to what it can do. It is the seed of the training:
            the data of the evaluation is held out from it.
        can, cannot: sentences for the card.
        notes: more Markdown for the card, such as how it was trained.
    """

    name: str
    summary: str
    model_class: str
    train: Callable[[Path, int], None]
    evaluate: Callable[[Path, int], Evaluation]
    can: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()
    notes: str = field(default="")
