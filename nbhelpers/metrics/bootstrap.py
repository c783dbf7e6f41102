"""How sure an AP is: its bootstrap interval over images.

Images are drawn with replacement and the AP is computed anew (Efron & Tibshirani 1993, percentile interval).
Matching
boxes is the dear part and does not change from draw to draw, so it is done once; a draw only weighs the
matches.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nbhelpers.errors import BadInput
from nbhelpers.metrics.detection import run_cocoeval
from nbhelpers.metrics.documents import Kind, read_ground_truth, read_predictions

_RECALLS = np.linspace(0.0, 1.0, 101)
_CELLS = 4_000_000  # draws x results held at once


@dataclass(frozen=True)
class Interval:
    """A score, 0..1, and the range its resampled values fall into with probability `level`."""

    value: float
    low: float
    high: float
    level: float
    n_images: int
    draws: int


@dataclass(frozen=True)
class _Matches:
    """One class's results, strongest first: `hits` and `ignored` are (IoU levels, results)."""

    image: np.ndarray
    hits: np.ndarray
    ignored: np.ndarray
    truths_per_image: np.ndarray


def ap_interval(
    ground_truth: Path | str | dict[str, Any],
    predictions: Path | str | Iterable[dict[str, Any]],
    kind: Kind = "bbox",
    iou: float | None = 0.5,
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The AP at one IoU (AP50 by default; None: averaged over 0.50 to 0.95) with its interval over images.

    Args:
        ground_truth: as for `evaluate_coco`.
        predictions: as for `evaluate_coco`.
        kind: boxes or masks.
        iou: overlap that makes a match, or None for COCO's ten.
        draws: bootstrap samples.
        level: probability mass of the interval, 0..1.
        seed: of the draws.

    Returns:
        `value` equals COCO's number; a draw in which a class does not occur averages over the others.
    """
    matches, n_images = _matched(ground_truth, predictions, kind, iou)
    value = float(_weighted_ap(matches, np.ones((1, n_images)))[0])
    random = np.random.default_rng(seed)
    counts = random.multinomial(n_images, np.full(n_images, 1 / n_images), size=draws).astype(float)
    low, high = np.nanquantile(_weighted_ap(matches, counts), [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), level, n_images, draws)


def weighted_ap(
    ground_truth: Path | str | dict[str, Any],
    predictions: Path | str | Iterable[dict[str, Any]],
    weights: np.ndarray,
    kind: Kind = "bbox",
    iou: float | None = 0.5,
) -> np.ndarray:
    """The AP of each of several draws of images, for a bootstrap of one's own, such as a paired one.

    Args:
        ground_truth: as for `evaluate_coco`.
        predictions: as for `evaluate_coco`.
        weights: (draws, images), how often a draw holds each image, by rising image id; ones give COCO's AP.
        kind: boxes or masks.
        iou: overlap that makes a match, or None for COCO's ten.

    Returns:
        (draws,) float64, NaN where a draw holds no object.

    Raises:
        BadInput: the weights are for another number of images.
    """
    matches, n_images = _matched(ground_truth, predictions, kind, iou)
    if weights.ndim != 2 or weights.shape[1] != n_images:
        raise BadInput(f"weights of shape {weights.shape}: there are {n_images} images")
    return _weighted_ap(matches, np.asarray(weights, float))


def _matched(
    ground_truth: Path | str | dict[str, Any],
    predictions: Path | str | Iterable[dict[str, Any]],
    kind: Kind,
    iou: float | None,
) -> tuple[list[_Matches], int]:
    """The matches of every class, and the number of images."""
    truth = read_ground_truth(ground_truth, kind)
    results = read_predictions(predictions, truth, kind)
    levels = np.linspace(0.5, 0.95, 10) if iou is None else np.array([iou])
    return list(_matches(truth, results, kind, levels)), len(truth["images"])


def _matches(
    truth: dict[str, Any], results: list[dict[str, Any]], kind: Kind, levels: np.ndarray
) -> Iterator[_Matches]:
    """Match every class once, all areas, at most 100 results per image, as COCO does."""
    everything: dict[str, Any] = {
        "iouThrs": levels,
        "areaRng": [[0, 1e10]],
        "areaRngLbl": ["all"],
        "maxDets": [100],
    }
    evaluation = run_cocoeval(truth, results, kind, "pycocotools", **everything)
    images = list(evaluation.params.imgIds)
    place = {image: index for index, image in enumerate(images)}
    for number in range(len(evaluation.params.catIds)):
        found = evaluation.evalImgs[number * len(images) : (number + 1) * len(images)]
        yield _of_class([item for item in found if item is not None], place, len(levels))


def _of_class(found: list[dict[str, Any]], place: dict[Any, int], levels: int) -> _Matches:
    truths = np.zeros(len(place))
    for item in found:
        truths[place[item["image_id"]]] += np.count_nonzero(np.asarray(item["gtIgnore"]) == 0)
    scores = np.concatenate([np.asarray(item["dtScores"], float) for item in found] or [np.zeros(0)])
    order = np.argsort(-scores, kind="mergesort")  # ties in image order, as in pycocotools
    owner = [np.full(len(item["dtScores"]), place[item["image_id"]]) for item in found]
    image = np.concatenate(owner or [np.zeros(0)]).astype(int)[order]
    stacked = {
        key: np.concatenate([np.asarray(item[key]).reshape(levels, -1) for item in found], axis=1)[:, order]
        if found
        else np.zeros((levels, 0))
        for key in ("dtMatches", "dtIgnore")
    }
    return _Matches(image, stacked["dtMatches"] > 0, stacked["dtIgnore"].astype(bool), truths)


def _weighted_ap(matches: list[_Matches], weights: np.ndarray) -> np.ndarray:
    """AP of each draw, mean over IoU levels and classes; `weights` (draws, images) counts each image."""
    per_class = [_class_ap(one, weights) for one in matches]
    with np.errstate(invalid="ignore"):
        stacked = np.stack(per_class)
        present = ~np.isnan(stacked)
        return np.where(present, stacked, 0).sum(axis=0) / np.where(
            present.any(axis=0), present.sum(axis=0), np.nan
        )


def _class_ap(one: _Matches, weights: np.ndarray) -> np.ndarray:
    """AP of one class in each draw, NaN where the draw holds none of it."""
    step = max(1, _CELLS // max(1, len(one.image)))
    parts = [_chunk_ap(one, weights[start : start + step]) for start in range(0, len(weights), step)]
    return np.concatenate(parts)


def _chunk_ap(one: _Matches, weights: np.ndarray) -> np.ndarray:
    truths = weights @ one.truths_per_image
    per_result = weights[:, one.image]
    total = np.zeros(len(weights))
    for hits, ignored in zip(one.hits, one.ignored, strict=True):
        counted = np.where(ignored, 0.0, per_result)
        right = np.cumsum(np.where(hits, counted, 0.0), axis=1)
        every = np.cumsum(counted, axis=1)
        precision = right / np.maximum(every, np.spacing(1))
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        recall = right / np.maximum(truths, 1)[:, None]
        total += [_interpolated(r, p) for r, p in zip(recall, precision, strict=True)]
    return np.where(truths > 0, total / len(one.hits), np.nan)


def _interpolated(recall: np.ndarray, precision: np.ndarray) -> float:
    """Mean precision at COCO's 101 recall levels; a level never reached counts 0."""
    index = np.searchsorted(recall, _RECALLS, side="left")
    reached = index < len(recall)
    return float(precision[index[reached]].sum() / len(_RECALLS))
