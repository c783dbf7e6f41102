"""How sure a difference between two ways of training is, over the seeds trained and the images tested."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.errors import BadInput
from nbhelpers.metrics import Interval, weighted_ap

if TYPE_CHECKING:
    from nbhelpers.metrics.documents import Kind


def draws_of(n_images: int, draws: int, seed: int) -> NDArray[np.float64]:
    """(1 + draws, images): how often each image is in each draw with replacement; first each of them once."""
    counts = np.random.default_rng(seed).multinomial(n_images, np.full(n_images, 1 / n_images), size=draws)
    return np.concatenate([np.ones((1, n_images)), counts.astype(float)])


def ap_of_draws(
    truth: dict[str, Any],
    results: Sequence[list[dict[str, Any]]],
    weights: NDArray[np.float64],
    kind: "Kind",
    iou: float | None,
) -> NDArray[np.float64]:
    """(seeds, 1 + draws): the AP of each seed's results under each draw of `draws_of`."""
    return np.stack([weighted_ap(truth, one, weights, kind, iou) for one in results])


def paired_difference(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], level: float = 0.95, seed: int = 0
) -> Interval:
    """The mean difference over seeds, with a bootstrap interval over images and seeds.

    A draw takes images with replacement, the same for both and for all seeds, and then seeds with
    replacement, the two students of a seed staying together. As few seeds drawn with replacement vary less
    than seeds do, by (S - 1) / S in variance, a draw's distance from the mean of its seeds is scaled up by
    the root of S / (S - 1) (Efron & Tibshirani 1993, 5.3). With one seed the interval is over images alone.

    Args:
        ours: (S, 1 + D), from `ap_of_draws`: scores of S seeds, first on all images, then on each draw.
        theirs: the same of the other training, seed by seed.
        level: probability mass of the interval, 0..1.
        seed: of the draws of seeds.

    Raises:
        BadInput: the two differ in seeds or draws, or there are no draws.
    """
    if ours.shape != theirs.shape or ours.ndim != 2 or ours.shape[1] < 2:
        raise BadInput(
            f"paired difference of scores of shape {ours.shape} and {theirs.shape}: give equal ones"
        )
    difference = ours - theirs
    value, drawn = float(difference[:, 0].mean()), difference[:, 1:]
    seeds, draws = drawn.shape
    middle = drawn.mean(0)
    if seeds > 1:
        chosen = np.random.default_rng(seed).integers(seeds, size=(seeds, draws))
        again = np.take_along_axis(drawn, chosen, 0).mean(0)
        middle = middle + math.sqrt(seeds / (seeds - 1)) * (again - middle)
    low, high = np.nanquantile(middle, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), level, 0, draws)
