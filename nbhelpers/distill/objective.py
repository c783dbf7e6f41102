"""What a student is trained for: its family's losses and those that a teacher adds, weighed and added up."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from nbhelpers.distill.losses import detection_loss, feature_loss, logit_loss, segmentation_loss
from nbhelpers.distill.outputs import Assignment, Batch, Outputs
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.distill.students import Student, TrainableNetwork
    from nbhelpers.settings.sections import LossSettings

_NONE: Mapping[str, int] = {}


class Objective(nn.Module):
    """A student with the heads that only its training needs, from a batch to its losses.

    Which losses run is decided by the student's task (masks or not) and by the settings' weights; one with
    weight 0 is not computed. The heads project the student's maps to the teachers' channels, one 1x1
    convolution per teacher and map; they are no part of the student and of no use afterwards.

    Args:
        student: trained in place; it goes on sharing its weights with this module.
        settings: the weights of the losses.
        teacher_channels: channels of each teacher's feature maps (`TeacherTargets.channels`).
        seed: of the heads' weights; torch's own random state is left as it was.

    Attributes:
        running: names of the losses that run, of `detection`, `segmentation`, `feature`, `logit`.

    Raises:
        BadInput: a loss is asked for that cannot run here, or none is.
    """

    def __init__(
        self,
        student: "Student",
        settings: "LossSettings",
        teacher_channels: Mapping[str, int] = _NONE,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.running = _running(student, settings, teacher_channels)
        self.wrapped = cast(nn.Module, student.family.trainable(student.network))
        wanted = teacher_channels if "feature" in self.running else _NONE
        self.heads = _heads(self.student.feature_channels, wanted, seed)
        self.to(next(student.parameters()).device)

    @property
    def student(self) -> "TrainableNetwork":
        """The student's network as its losses see it."""
        return cast("TrainableNetwork", self.wrapped)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Losses of a batch on the module's device.

        Returns:
            "loss", and its parts by name as they enter it, with all their factors: "box", "class" and the
            family's own; "bce" and "dice"; "feature"; "logit". Scalars, float32.

        Raises:
            BadInput: the batch lacks what a loss that runs needs.
        """
        outputs = self.student.train_outputs(batch.pixels)
        parts: dict[str, Tensor] = {}
        if self.running & {"detection", "segmentation", "logit"}:
            assignment = self.student.assign(outputs, batch.targets)
            parts |= self._of_labels(outputs, batch, assignment)
            if "logit" in self.running:
                parts["logit"] = self.settings.logit * self._logit(outputs, batch, assignment)
        if "feature" in self.running:
            parts["feature"] = self.settings.feature * self._feature(outputs, batch)
        return {"loss": torch.stack(list(parts.values())).sum(), **parts}

    def _of_labels(self, outputs: Outputs, batch: Batch, assignment: Assignment) -> dict[str, Tensor]:
        parts: dict[str, Tensor] = {}
        gains, targets = self.student.gains, batch.targets
        if "detection" in self.running:
            found = detection_loss(outputs, targets, assignment)
            own = self.student.box_terms(outputs, targets, assignment)
            parts |= _times(
                {**{name: gains[name] * found[name] for name in found}, **own}, self.settings.detection
            )
        if "segmentation" in self.running:
            found = segmentation_loss(self.student.mask_logits(outputs, assignment), targets, assignment)
            found = {name: gains[name] * term for name, term in found.items()}
            parts |= _times(found, self.settings.segmentation)
        return parts

    def _logit(self, outputs: Outputs, batch: Batch, assignment: Assignment) -> Tensor:
        scores = batch.targets.class_scores
        if scores is None:
            raise BadInput(
                "losses.logit is above 0 but no annotation has class_scores; label the images with the "
                "teachers, or set losses.logit to 0"
            )
        return logit_loss(
            outputs.class_logits[assignment.image, assignment.place],
            scores[assignment.image, assignment.target],
            self.settings.temperature,
            assignment.weight,
        )

    def _feature(self, outputs: Outputs, batch: Batch) -> Tensor:
        """The mean over teachers and maps."""
        terms = []
        for name, heads in self.heads.items():
            if name not in batch.teacher_maps:
                raise BadInput(
                    f"losses.feature is above 0 but the batch has no feature maps of {name}; give the "
                    f"batches their TeacherTargets, or set losses.feature to 0"
                )
            teacher_map, valid = batch.teacher_maps[name]
            for head, features in zip(cast(nn.ModuleList, heads), outputs.features, strict=True):
                terms.append(feature_loss(head(features), teacher_map, valid))
        return torch.stack(terms).mean()


def _times(parts: dict[str, Tensor], weight: float) -> dict[str, Tensor]:
    return {name: weight * part for name, part in parts.items()}


def _running(
    student: "Student", settings: "LossSettings", teacher_channels: Mapping[str, int]
) -> frozenset[str]:
    """The losses with a weight above 0 that this student has.

    Raises:
        BadInput: one of them cannot run, or there is none.
    """
    wanted = {name for name in ("detection", "feature", "logit") if getattr(settings, name) > 0}
    if student.task == "segment" and settings.segmentation > 0:
        wanted.add("segmentation")
    if not wanted:
        raise BadInput(f"losses: none that the student {student.name} has is above 0; raise losses.detection")
    if "feature" in wanted and not teacher_channels:
        raise BadInput(
            "losses.feature is above 0 but there are no feature maps of a teacher; label the images with "
            "features, or set losses.feature to 0"
        )
    if "logit" in wanted and len(student.class_names) < 2:
        raise BadInput(
            f"losses.logit is above 0 but the student {student.name} has one class, "
            f"{student.class_names[0]!r}: there is nothing to tell apart; set losses.logit to 0"
        )
    return frozenset(wanted)


def _heads(
    feature_channels: tuple[int, ...], teacher_channels: Mapping[str, int], seed: int
) -> nn.ModuleDict:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.ModuleDict(
            {
                name: nn.ModuleList(nn.Conv2d(own, channels, 1) for own in feature_channels)
                for name, channels in teacher_channels.items()
            }
        )
