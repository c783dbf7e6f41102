"""Which labels of a training part may be used, and which images count as unlabelled: decided here alone."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet
    from nbhelpers.settings import DataSection


@dataclass(frozen=True)
class FewLabels:
    """A training part seen as someone sees it who has labelled a share of it.

    Attributes:
        labelled: images whose labels may be used.
        unlabelled: the other images with their labels, which may serve to judge pseudo-labels and for nothing
            else; None where all labels are used.
        share: of the images that is labelled, 0..1.
    """

    labelled: "CocoSet"
    unlabelled: "CocoSet | None"
    share: float


def few_labels(train: "CocoSet", share: float, seed: int = 0) -> FewLabels:
    """Part the images so that every class has its share of labels, as `split` does; the same for one seed.

    Args:
        train: the training part.
        share: of the images that is labelled, above 0 to 1.
        seed: of the choice.

    Raises:
        BadInput: the share is out of range, or leaves not a single labelled image.
    """
    if not 0 < share <= 1:
        raise BadInput(f"labelled share {share}: use a number above 0, up to 1 (all labels)")
    if share == 1:
        return FewLabels(train, None, 1.0)
    from nbhelpers.data.split import split

    parts = split(train, f"labelled:{share},unlabelled:{round(1 - share, 6)}", seed)
    return FewLabels(
        parts["labelled"], parts["unlabelled"], len(parts["labelled"].images) / len(train.images)
    )


def labelled_share(train: "CocoSet", settings: "DataSection") -> tuple[float, str]:
    """The share a setting of `auto` stands for, and why: 0.1 of drawn scenes, all of one's own labels."""
    if settings.labelled != "auto":
        return float(settings.labelled), "as set"
    if "Drawn warehouse scenes" in train.info.get("description", ""):
        return 0.1, "drawn scenes: most count as unlabelled, to show what teachers are worth"
    return 1.0, "one's own labels are all used"
