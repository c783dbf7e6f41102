"""The recipe of the twin `tiny/sam`."""

from pathlib import Path
from typing import TYPE_CHECKING

from nbhelpers.twins.recipe import Recipe
from nbhelpers.twins.sam.evaluate import evaluate
from nbhelpers.twins.work import one_thread, work_folder

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from nbhelpers.training import FitSettings
    from nbhelpers.training.settings import Schedule
    from nbhelpers.twins.sam.losses import SamInTraining
    from nbhelpers.twins.sam.scenes import SceneStack

NAME = "sam"
SCENES = 4000
# A learning rate held for long and then brought to nothing: the end is where much is gained, and the stretch
# before it can be of any length (Hu et al. 2024, "warmup, stable, decay").
HOLD_STEPS = 3000
DECAY_STEPS = 2000
# Then objects in colours of no site: on a site it never saw, the twin of the two stages before was worse than
# the box itself taken as the mask.
SITES_STEPS = 2500
# Boxes that are all a little off teach to look at the picture; then half of them tight teach to trust a box.
EXACT_SHARE = 0.5
LEARNING_RATE = 1.5e-3
_WARMUP_STEPS = 50


def train(
    folder: Path,
    seed: int,
    *,
    hold_steps: int = HOLD_STEPS,
    decay_steps: int = DECAY_STEPS,
    sites_steps: int = SITES_STEPS,
    scenes: int = SCENES,
    work: Path | None = None,
) -> None:
    """Train and leave the files of `save_pretrained` in `folder`; after a kill a second call goes on.

    Args:
        folder: made if missing.
        seed: of weights, scenes and prompts.
        hold_steps: optimiser steps at the full learning rate.
        decay_steps: optimiser steps from there to none.
        sites_steps: optimiser steps with recoloured objects.
        scenes: drawn for training.
        work: where scenes and checkpoints are kept; below `runs/twins` by default.
    """
    from nbhelpers.twins.sam.model import build_processor

    work = work or work_folder(NAME, seed)
    model, stack = prepare(seed, scenes, work)
    with one_thread():
        hold(model, stack, seed, hold_steps, work)
        decay(model, stack, seed, hold_steps, decay_steps, work)
        sites(model, stack, seed, hold_steps + decay_steps, sites_steps, work)
    model.sam.eval().save_pretrained(folder)
    build_processor().save_pretrained(folder)


def prepare(seed: int, scenes: int, work: Path) -> "tuple[SamInTraining, SceneStack]":
    """The fresh model with its training head, and the scenes."""
    from nbhelpers.twins.sam.losses import SamInTraining
    from nbhelpers.twins.sam.model import build_model
    from nbhelpers.twins.sam.scenes import draw_stack

    stack = draw_stack(work / "scenes", scenes, train_seed(seed))
    return SamInTraining(build_model(seed), len(stack.names) + 1), stack


def train_seed(seed: int) -> int:
    """Seed of the training scenes, never one of `evaluate.held_out_seed`: those are odd, these even."""
    return 2 * seed + 10_000


def hold(model: "SamInTraining", stack: "SceneStack", seed: int, steps: int, work: Path) -> None:
    """The first stage, at the full learning rate."""
    from nbhelpers.training import fit
    from nbhelpers.twins.sam.batches import BatchMaker
    from nbhelpers.twins.sam.losses import sam_loss

    settings = _settings(seed, steps, "constant")
    fit(model, BatchMaker(stack, seed), sam_loss, settings, work / "hold", data={"seed": seed})


def decay(
    model: "SamInTraining", stack: "SceneStack", seed: int, before: int, steps: int, work: Path
) -> None:
    """The second stage, from the full learning rate to nothing; `before` steps were taken already."""
    from nbhelpers.training import fit
    from nbhelpers.twins.sam.batches import BatchMaker
    from nbhelpers.twins.sam.losses import sam_loss

    make = BatchMaker(stack, seed, exact_share=EXACT_SHARE, first=before)
    data = {"seed": seed, "before": before, "exact": EXACT_SHARE}
    settings = _settings(seed, steps, "linear")
    fit(model, make, sam_loss, settings, work / "decay", data=data, optimizer=_fused_adamw)


def sites(
    model: "SamInTraining", stack: "SceneStack", seed: int, before: int, steps: int, work: Path
) -> None:
    """The last stage: other colours, again from the full learning rate to nothing."""
    from nbhelpers.training import fit
    from nbhelpers.twins.sam.batches import BatchMaker
    from nbhelpers.twins.sam.losses import sam_loss

    make = BatchMaker(stack, seed, exact_share=EXACT_SHARE, first=before, recolour=True)
    data = {"seed": seed, "before": before, "exact": EXACT_SHARE, "recolour": True}
    settings = _settings(seed, steps, "linear")
    fit(model, make, sam_loss, settings, work / "sites", data=data, optimizer=_fused_adamw)


def _fused_adamw(model: "nn.Module") -> "Optimizer":
    """One kernel for all tensors: on a CPU the plain one takes a twentieth of such a small model's step."""
    from torch.optim import AdamW

    settings = _settings(0, 1, "linear")
    return AdamW(
        model.parameters(),
        lr=settings.learning_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def _settings(seed: int, steps: int, schedule: "Schedule") -> "FitSettings":
    from nbhelpers.training import FitSettings

    return FitSettings(
        steps=steps,
        learning_rate=LEARNING_RATE,
        schedule=schedule,
        warmup_steps=min(_WARMUP_STEPS, steps // 2),
        betas=(0.9, 0.99),
        checkpoint_every_s=120.0,
        seed=seed,
        tensorboard=False,
        log_every=25,
    )


RECIPE = Recipe(
    name=NAME,
    summary="Segment Anything at 128 px: a mask for a box or a point in a drawn warehouse scene.",
    model_class="SamModel",
    train=train,
    evaluate=evaluate,
    can=(
        "Give the mask of an object in a drawn warehouse scene from a box around it, exact or a little off.",
        "Say how good a mask is (the predicted IoU), which chooses among three where one point is given.",
    ),
    cannot=(
        "Segment photographs: it has seen drawn scenes of six classes and nothing else.",
        "Follow slits and slats well: pallets and shelves, which one sees through, score lowest.",
        "Give more detail than 128 px hold; larger pictures are shrunk to that.",
        "Use a mask as a prompt, or points that are to be left out: neither was trained.",
    ),
)
