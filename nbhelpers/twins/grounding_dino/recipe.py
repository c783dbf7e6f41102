"""How the twin of Grounding DINO is drawn, trained and measured."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.twins.grounding_dino.vocabulary import SIDE_PX
from nbhelpers.twins.recipe import Evaluation, Recipe
from nbhelpers.twins.work import one_thread, work_folder

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nbhelpers.data.coco import CocoSet
    from nbhelpers.twins.grounding_dino.batches import Batch

NAME = "grounding-dino"
SCENES = 6000
BATCH = 8
TRAINING_SEED = 7100
HELD_OUT_SEED = 1_007_100
HELD_OUT = {"base": 200, "shifted": 100}


@dataclass(frozen=True)
class Stage:
    """One stretch of the training.

    Attributes:
        steps: optimiser steps.
        learning_rate: the peak, after 50 steps of warm-up for a fresh optimiser.
        fall_to: share of it that is left at the end of a cosine.
        per_object: positions of the encoder taught to find one object.
        decoder_repeats: queries of the decoder taught to find one object.
    """

    steps: int
    learning_rate: float
    fall_to: float
    per_object: int
    decoder_repeats: int


# Several finders per object learn fast, one alone ranks best; the learning rate falls through all stages.
STAGES = (Stage(2600, 1e-3, 0.6, 4, 3), Stage(1600, 6e-4, 0.5, 2, 2), Stage(2600, 3e-4, 0.0, 1, 1))


def train(folder: Path, seed: int, stages: tuple[Stage, ...] = STAGES, scenes: int = SCENES) -> None:
    """Train the twin and write its model, tokenizer and processor files.

    A call that was cut short goes on where it stopped. On one core about 26 processor minutes, drawing
    included.

    Args:
        folder: where the files go.
        seed: of scenes, weights, batches.
        stages: of the training, in order.
        scenes: how many to draw.
    """
    from nbhelpers.teach.grounding_dino.loss import use_decoder_loss
    from nbhelpers.training import fit
    from nbhelpers.twins.grounding_dino.batches import batch_maker, read_memory
    from nbhelpers.twins.grounding_dino.build import build_model
    from nbhelpers.twins.grounding_dino.vocabulary import build_processor

    work = work_folder(NAME, seed)
    memory = read_memory(_draw(work / "train", scenes, TRAINING_SEED + seed, "base"))
    with one_thread():
        model, processor = build_model(seed), build_processor()
        use_decoder_loss(model)
        for number, stage in enumerate(stages):
            batches = batch_maker(memory, processor, BATCH, seed * 100 + number)
            fit(
                model, batches, partial(stage_loss, stage=stage), _settings(stage, seed),
                work / f"stage-{number + 1}", optimizer=_optimizer(stage),
            )  # fmt: skip
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def stage_loss(model: Any, batch: "Batch", stage: Stage) -> "dict[str, Tensor]":
    """The loss of a stage, as `fit` wants it."""
    from nbhelpers.twins.grounding_dino.losses import training_loss

    return training_loss(
        model, batch.inputs, batch.targets,
        per_object=stage.per_object, decoder_repeats=stage.decoder_repeats,
    )  # fmt: skip


def _settings(stage: Stage, seed: int) -> Any:
    from nbhelpers.training import FitSettings

    return FitSettings(
        steps=stage.steps, learning_rate=stage.learning_rate, warmup_steps=min(50, stage.steps),
        final_factor=stage.fall_to, weight_decay=0.01, seed=seed, checkpoint_every_s=120,
    )  # fmt: skip


def _optimizer(stage: Stage) -> Any:
    """AdamW in one kernel: of a step of 0.15 s the plain one takes a tenth on a CPU, this one a fiftieth."""

    def make(model: Any) -> "torch.optim.Optimizer":
        import torch

        return torch.optim.AdamW(model.parameters(), lr=stage.learning_rate, weight_decay=0.01, fused=True)

    return make


def _draw(folder: Path, count: int, seed: int, world: str) -> "CocoSet":
    from nbhelpers.data.scenes import draw_scenes

    return draw_scenes(folder, count, (SIDE_PX, SIDE_PX), seed, world)


def held_out(world: str, seed: int) -> "CocoSet":
    """Scenes no training with this seed has seen, 128 px, drawn once: 200 "base" ones, 100 "shifted" ones."""
    folder = work_folder(f"{NAME}-held-out", seed) / world
    return _draw(folder, HELD_OUT[world], HELD_OUT_SEED + seed, world)


def evaluate(folder: Path, seed: int) -> Evaluation:
    """Measure a trained twin on held-out scenes of both worlds."""
    from nbhelpers.twins.grounding_dino.evaluate import evaluate_detector, load_detector

    with one_thread():
        return evaluate_detector(load_detector(folder), held_out("base", seed), held_out("shifted", seed))


RECIPE = Recipe(
    name=NAME,
    summary="Finds drawn boxes, pallets, barrels, cones, forklifts and shelves by a text prompt.",
    model_class="GroundingDinoForObjectDetection",
    train=train,
    evaluate=evaluate,
    can=(
        "Finds the six classes of the base world, named in lower case in any order and any choice of them.",
        "Works at half the brightness, and under the colour casts and noise it was trained with.",
        "Its scores are worth a threshold of 0.3; remove doubles with class-wise NMS at 0.5.",
        "Answers a prompt of other words with nothing.",
    ),
    cannot=(
        "It has no open vocabulary: a class it was not trained on is not found at all.",
        "Asked only for classes that are not there, it still takes other things for them now and then.",
        "It knows nothing of photographs, and no colours, sizes or places in a prompt.",
        "It was taught at 128 px; objects of a few pixels are lost.",
        "In the shifted world (other colours, a farther camera) it finds much less until it is tuned.",
    ),
)
