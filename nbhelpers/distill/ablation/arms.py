"""The students that are compared: each has one thing more than the one before it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbhelpers.distill.auto import Plan
    from nbhelpers.distill.trained import TrainedStudent
    from nbhelpers.settings.sections import DistillSection, LossSettings


@dataclass(frozen=True)
class Arm:
    """One way to train a student.

    Attributes:
        key: names its folders.
        title: for people.
        pseudo: whether the teachers' labels are learnt from beside people's.
        losses: its weights.
    """

    key: str
    title: str
    pseudo: bool
    losses: "LossSettings"

    def settings(
        self, settings: "DistillSection", plan: "Plan", images: int, budget: int, seed: int
    ) -> "DistillSection":
        """The settings of one training of this arm.

        Every arm sees as many images as every other, to less than half of its epoch, in batches of one size,
        and none stops early: what differs is what it learns from, not how long.

        Args:
            settings: of the whole comparison.
            plan: image size, batch and learning rate of all arms.
            images: in the set of this arm.
            budget: images that a training sees, counted as often as seen.
            seed: of the training.
        """
        chosen = {
            "image_size": plan.image_size,
            "batch": plan.batch,
            "epochs": max(1, round(budget / images)),
            "patience": 0,
            "seed": seed,
            "losses": self.losses,
        }
        return settings.model_copy(update=chosen)


def arms_of(losses: "LossSettings", classes: int) -> list[Arm]:
    """Few labels alone; pseudo-labels; the teachers' features; the teachers' class scores: added up in turn.

    A loss whose weight is 0 has no arm, nor has `logit` with one class alone, among which there is nothing to
    tell apart.

    Args:
        losses: of the whole recipe.
        classes: that the student tells apart.
    """
    logit = losses.logit if classes > 1 else 0.0
    bare = losses.model_copy(update={"feature": 0.0, "logit": 0.0})
    found = [Arm("labels", "few labels alone", False, bare), Arm("pseudo", "+ pseudo-labels", True, bare)]
    if losses.feature > 0:
        bare = bare.model_copy(update={"feature": losses.feature})
        found.append(Arm("feature", "+ feature loss", True, bare))
    if logit > 0:
        found.append(Arm("logit", "+ logit loss", True, bare.model_copy(update={"logit": logit})))
    return found


def few_labels_alone(
    settings: "DistillSection", trained: "TrainedStudent", taught_images: int, images: int
) -> "DistillSection":
    """Settings of a student that people's few labels teach alone, for as long as another was taught.

    Args:
        settings: the other student was trained with.
        trained: the other student.
        taught_images: in the set it was trained on.
        images: that people labelled.
    """
    from nbhelpers.distill.auto import Plan

    arm, plan = arms_of(settings.losses, len(trained.class_names))[0], Plan(**trained.plan)
    return arm.settings(settings, plan, images, plan.epochs * taught_images, settings.seed)
