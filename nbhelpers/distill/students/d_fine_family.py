"""D-FINE, the student under Apache-2.0: from transformers, without any download, timm or ultralytics."""

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from nbhelpers.distill.students.d_fine_sizes import SIZES
from nbhelpers.distill.students.record import Decode, Recipe, StudentFamily, TrainableNetwork

if TYPE_CHECKING:
    import supervision as sv
    from torch import nn

# D-FINE's own weights of its losses.
_GAINS = {"box": 2.0, "class": 1.0, "l1": 5.0, "fgl": 0.15}
_LICENCE_NOTE = (
    "D-FINE of transformers is Apache-2.0: code, and weights trained with it, may be used in closed products "
    "if licence and notice are passed on"
)


def _build(size: str, classes: int) -> "nn.Module":
    from nbhelpers.distill.students.d_fine_network import DFineNetwork

    return DFineNetwork(size, classes)


def _trainable(gains: dict[str, float], network: "nn.Module") -> TrainableNetwork:
    from nbhelpers.distill.students.d_fine import TrainableDFine

    return TrainableDFine(network, gains)


def _decode(*arguments: Any, **options: Any) -> "sv.Detections":
    from nbhelpers.distill.postprocess import decode

    return decode(*arguments, **options)


D_FINE = StudentFamily(
    name="d_fine",
    mode="detection",
    task="detect",
    class_agnostic=False,
    licence="Apache-2.0",
    licence_note=_LICENCE_NOTE,
    about="boxes with classes (D-FINE), without AGPL",
    sizes=tuple(SIZES),
    stride=32,
    build=_build,
    trainable=partial(_trainable, _GAINS),
    decode=cast(Decode, _decode),
    recipe=Recipe(_GAINS, rate_factor=0.5),  # learning from scratch was measured at 0.001
)
