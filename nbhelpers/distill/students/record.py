"""What is said of a family of students once, and what its network offers to the training loop."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import supervision as sv
    from torch import Tensor, nn

    from nbhelpers.data.letterbox import Letterbox
    from nbhelpers.distill.outputs import Assignment, Outputs, Targets

Task = Literal["detect", "segment"]


class Decode(Protocol):
    """Raw outputs of one image to detections in its pixels; arguments as `distill.postprocess.decode`."""

    def __call__(
        self,
        outputs: "list[np.ndarray]",
        placed: "Letterbox",
        task: str,
        confidence: float = ...,
        iou: float = ...,
        *,
        max_detections: int = ...,
        multi_label: bool = ...,
        class_names: list[str] | None = ...,
    ) -> "sv.Detections":
        """Detections of one image."""


@runtime_checkable
class TrainableNetwork(Protocol):
    """A network as the training loop sees it: an `nn.Module` round the raw network, sharing its weights.

    Attributes:
        feature_channels: of the maps in `Outputs.features`, finest first.
        gains: what each loss of the family counts for: "box" (GIoU), "class", and with masks "bce", "dice".
    """

    @property
    def feature_channels(self) -> tuple[int, ...]:
        """Channels of each map in `Outputs.features`, finest first."""

    @property
    def gains(self) -> Mapping[str, float]:
        """Factors of the family's losses by name."""

    def train_outputs(self, pixels: "Tensor") -> "Outputs":
        """Predictions in training mode for (B, 3, S, S) float32 pixels, RGB, 0..1."""

    def assign(self, outputs: "Outputs", targets: "Targets") -> "Assignment":
        """Which prediction answers for which object; without gradients."""

    def box_terms(
        self, outputs: "Outputs", targets: "Targets", assignment: "Assignment"
    ) -> "dict[str, Tensor]":
        """The family's own box losses beside GIoU, scalars, already weighted and normalised."""

    def mask_logits(self, outputs: "Outputs", assignment: "Assignment") -> "Tensor":
        """Logits of the M assigned masks, (M, h, w) float32; for families with masks only."""


@dataclass(frozen=True)
class Recipe:
    """How a family is trained; everything else is the same for all.

    Attributes:
        gains: of the losses, see `TrainableNetwork.gains`.
        rate_factor: the peak learning rate is `distill.learning_rate` times this.
        weight_decay: of AdamW, on weights of convolutions and matrices; norms and biases have none.
        clip: largest norm of the whole gradient.
        average: share of the steps over which weights are averaged, about; the average is what is validated
            and kept. Never more than 10,000 steps, which is ultralytics' own number for long trainings.
    """

    gains: Mapping[str, float]
    rate_factor: float = 1.0
    weight_decay: float = 0.0005
    clip: float = 10.0
    average: float = 0.05


@dataclass(frozen=True)
class StudentFamily:
    """One kind of student: what it learns from, what it gives, under which licence, how it is built.

    Attributes:
        name: key of `STUDENTS`.
        mode: annotation mode it is for (`detection`, `segmentation`, `detection_and_segmentation`).
        task: "detect" gives boxes, "segment" boxes and masks.
        class_agnostic: everything is the one class "object".
        licence: SPDX identifier of code and weights; `licence_note` says what follows from it.
        about: one line for people.
        sizes: from small to large.
        stride: sides of inputs are multiples of it, pixels.
        build: from (size, number of classes) to the untrained network, drawn from torch's generator; in eval
            mode it gives the tensors that `decode` reads and nothing beside them.
        trainable: from that network to the module the loop trains.
        decode: raw outputs to detections.
        recipe: how it is trained.
        libraries: distributions its network comes from; their versions tell trainings apart.
    """

    name: str
    mode: str
    task: Task
    class_agnostic: bool
    licence: str
    licence_note: str
    about: str
    sizes: tuple[str, ...]
    stride: int
    build: "Callable[[str, int], nn.Module]"
    trainable: "Callable[[nn.Module], TrainableNetwork]"
    decode: Decode
    recipe: Recipe
    libraries: tuple[str, ...] = ()
