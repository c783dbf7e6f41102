"""Originals and what an augmenter makes of them, side by side, with boxes and masks drawn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nbhelpers.data.augment.augmenter import Augmenter
from nbhelpers.data.augment.sample import sample_of
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nbhelpers.data.coco import CocoSet


def preview(
    coco: "CocoSet",
    augmenter: Augmenter,
    image_ids: Sequence[int] | None = None,
    draws: int = 3,
    width_in: float = 10.0,
) -> "Figure":
    """A grid with one row per picture: the original, then `draws` augmented versions of it.

    Args:
        coco: the set.
        augmenter: see `build_augmenter`.
        image_ids: which pictures; None takes the first four that have labels.
        draws: versions of each.
        width_in: of the figure, inches.

    Raises:
        BadInput: there is no picture to show, or fewer than one draw.
    """
    from nbhelpers import plots

    chosen = (
        [id_ for id_ in coco.image_ids if coco.annotations_of(id_)][:4] if image_ids is None else image_ids
    )
    if not len(chosen) or draws < 1:
        raise BadInput(
            f"{coco.path}: preview of {len(chosen)} pictures with {draws} draws: at least one of each"
        )
    pictures, titles = [], []
    for row, image_id in enumerate(chosen):
        original = sample_of(coco, image_id)
        for number in range(draws + 1):
            sample = augmenter(original, 1000 * row + number) if number else original
            drawn = plots.draw_detections(
                sample.image, sample.detections(), coco.class_names, labels=False, opacity=0.25
            )
            pictures.append(drawn)
            titles.append(
                f"augmented, {len(sample)} objects" if number else f"original, {len(sample)} objects"
            )
    return plots.grid(pictures, titles, columns=draws + 1, width_in=width_in)
