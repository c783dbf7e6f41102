"""How the twin of Grounding DINO is drawn, trained and measured."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.twins.grounding_dino.vocabulary import SIDE_PX
from nbhelpers.twins.recipe import Evaluation, Recipe
from nbhelpers.twins.work import work_folder

if TYPE_CHECKING:
    from transformers import GroundingDinoForObjectDetection

    from nbhelpers.data.coco import CocoSet
    from nbhelpers.twins.grounding_dino.batches import SceneMemory

NAME = "grounding-dino"
SCENES = 6000
BATCH = 16
HELD_OUT = {"base": 200, "shifted": 100}


@dataclass(frozen=True)
class Stage:
    """One stretch of the training, its learning rate falling along a cosine.

    Attributes:
        steps: optimiser steps.
        learning_rate: the peak.
        per_object: positions of the encoder taught to find one object; None: all in its middle.
        decoder_repeats: queries of the decoder taught to find one object.
    """

    steps: int
    learning_rate: float
    per_object: int | None
    decoder_repeats: int


STAGES = (
    Stage(1500, 1e-3, None, 3),
    Stage(1500, 8e-4, 4, 2),
    Stage(1500, 5e-4, 1, 1),
)
