"""Inputs and their objects as the tensors of one batch."""

from collections.abc import Sequence

import numpy as np
import torch

from nbhelpers.distill.batches.render import Drawn
from nbhelpers.distill.outputs import Batch, Targets


def collate(drawn: Sequence[Drawn]) -> Batch:
    """Stack the inputs; objects are padded to the largest number of them in one input."""
    pixels = torch.from_numpy(np.stack([one.pixels for one in drawn]))
    return Batch(
        pixels=pixels.permute(0, 3, 1, 2).contiguous().float().div_(255),
        targets=_targets(drawn),
        placements=[one.placements for one in drawn],
    )


def _targets(drawn: Sequence[Drawn]) -> Targets:
    count, most = len(drawn), max(len(one.objects) for one in drawn)
    first = drawn[0]
    boxes = np.zeros((count, most, 4), np.float32)
    classes = np.zeros((count, most), np.int64)
    real = np.zeros((count, most), bool)
    weights = np.zeros((count, most), np.float32)
    masks = None if first.masks is None else np.zeros((count, most, *first.masks.shape[1:]), np.float32)
    scored = first.objects.scores
    scores = None if scored is None else np.full((count, most, scored.shape[1]), np.nan, np.float32)
    for row, one in enumerate(drawn):
        n = len(one.objects)
        boxes[row, :n], classes[row, :n] = one.objects.boxes, one.objects.classes
        real[row, :n], weights[row, :n] = True, one.objects.weights
        if masks is not None:
            masks[row, :n] = one.masks
        if scores is not None:
            scores[row, :n] = one.objects.scores
    return Targets(
        torch.from_numpy(boxes),
        torch.from_numpy(classes),
        torch.from_numpy(real),
        torch.from_numpy(weights),
        None if masks is None else torch.from_numpy(masks),
        None if scores is None else torch.from_numpy(scores),
        *_taught(drawn),
    )


def _taught(drawn: Sequence[Drawn]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Regions and what they teach, padded with regions that are empty."""
    most = max(len(one.taught) for one in drawn)
    if most == 0:
        return None, None
    classes = next(len(taught) for one in drawn for _, taught in one.taught)
    regions = torch.zeros(len(drawn), most, 4)
    values = torch.ones(len(drawn), most, classes)
    for row, one in enumerate(drawn):
        for place, (region, taught) in enumerate(one.taught):
            regions[row, place] = torch.tensor(region)
            values[row, place] = torch.from_numpy(taught)
    return regions, values
