"""One batch of pictures of one shape through the teachers: boxes, masks for them, features on the way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.errors import BadInput
from nbhelpers.teach.grounded_sam.boxes import Candidates, Chosen, candidates, choose
from nbhelpers.teach.grounded_sam.everything import segment_everything
from nbhelpers.teach.grounded_sam.features import FeatureMap, Seen, captured, of_embedding

if TYPE_CHECKING:
    import supervision as sv
    from torch import Tensor

    from nbhelpers.teach.grounded_sam.loading import Teacher
    from nbhelpers.teach.grounded_sam.teacher import GroundedSam

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Wanted:
    """What is asked of the teachers; see `GroundedSam.look`.

    Attributes:
        names: classes.
        least: (C,) float32 least score of each.
        nms, limit, multi_label: of the choice among boxes.
        features, labels: which of the two are wanted.
    """

    names: tuple[str, ...]
    least: NDArray[np.float32]
    nms: float
    limit: int
    multi_label: bool
    features: bool
    labels: bool


def look_at(teachers: "GroundedSam", images: Sequence[Image], wanted: Wanted) -> list[Seen]:
    """Answers and features of pictures of one shape."""
    if teachers.detector is None:
        assert teachers.segmenter is not None
        return [_everything(teachers, teachers.segmenter, image, wanted) for image in images]
    boxes, maps = _boxes(teachers.detector, images, wanted)
    chosen = [choose(own, wanted.least, wanted.nms, wanted.limit, wanted.multi_label) for own in boxes]
    if teachers.segmenter is None:
        found = [_detections(own, kept, wanted, None) for own, kept in zip(boxes, chosen, strict=True)]
    else:
        found = _outlined(teachers.segmenter, images, boxes, chosen, wanted, maps)
    return [Seen(own, one) for own, one in zip(found, maps, strict=True)]


def _boxes(
    detector: "Teacher", images: Sequence[Image], wanted: Wanted
) -> tuple[list[Candidates], list[dict[str, FeatureMap]]]:
    """All boxes that could count, and the detector's features where they are wanted."""
    # Without labels only the encoder matters: no box reaches a score above 1.
    floor = float(wanted.least.min()) if wanted.labels else 2.0
    asked = (detector.model, detector.processor, images, wanted.names, floor)
    if not wanted.features:
        return candidates(*asked), [{} for _ in images]
    with captured(detector.model) as kept:
        found = candidates(*asked)
    # Several prompts pass over the pictures one after the other; the features are those of the first.
    return found, [{"grounding_dino": one} for one in kept[: len(images)]]


def _outlined(
    segmenter: "Teacher",
    images: Sequence[Image],
    boxes: Sequence[Candidates],
    chosen: Sequence[Chosen],
    wanted: Wanted,
    maps: Sequence[dict[str, FeatureMap]],
) -> "list[sv.Detections]":
    """A mask for each chosen box; adds SAM's features to `maps` where they are wanted."""
    from nbhelpers.teach.sam import decode

    rows = [np.unique(kept.row) for kept in chosen]  # with several classes a box, its mask is made once
    corners = [own.boxes[used] for own, used in zip(boxes, rows, strict=True)]
    embeddings = [
        _embedding(segmenter, image, one if wanted.features else None) if len(used) or wanted.features else ()
        for image, used, one in zip(images, rows, maps, strict=True)
    ]
    sizes = [(image.shape[0], image.shape[1]) for image in images]
    masks = decode(segmenter.model, segmenter.processor, embeddings, sizes, corners)
    found = []
    for own, kept, used, outlined in zip(boxes, chosen, rows, masks, strict=True):
        places = np.searchsorted(used, kept.row)
        found.append(_detections(own, kept, wanted, (outlined.masks[places], outlined.iou[places])))
    return found


def _embedding(
    segmenter: "Teacher", image: Image, maps: dict[str, FeatureMap] | None
) -> "tuple[Tensor, ...]":
    """SAM's embedding of a picture; noted in `maps` as features where they are given."""
    from nbhelpers.teach.sam import embed, placed

    embedding = embed(segmenter.model, segmenter.processor, image)
    if maps is not None:
        place = placed(segmenter.processor, (image.shape[0], image.shape[1]))
        maps["sam"] = of_embedding(embedding, place.resized, place.side)
    return embedding


def _detections(
    boxes: Candidates,
    kept: Chosen,
    wanted: Wanted,
    masks: tuple[NDArray[np.bool_], NDArray[np.float32]] | None,
) -> "sv.Detections":
    import supervision as sv

    data: dict[str, Any] = {
        "class_name": np.array([wanted.names[index] for index in kept.class_id], dtype=str),
        "class_scores": boxes.scores[kept.row].reshape(-1, len(wanted.names)),
    }
    if masks is not None:
        data["mask_quality"] = np.asarray(masks[1], np.float32)
    found = sv.Detections(
        xyxy=boxes.boxes[kept.row].reshape(-1, 4),
        mask=None if masks is None else masks[0],
        confidence=kept.score.astype(np.float32),
        class_id=kept.class_id.astype(int),
        data=data,
    )
    # A box whose mask came out empty is no segmentation; students drop it too.
    return found if masks is None else _rows(found, np.asarray(masks[0].any(axis=(1, 2)), bool))


def _rows(found: "sv.Detections", keep: NDArray[np.bool_]) -> "sv.Detections":
    """Some of the detections; also none keeps the arrays' shapes, which supervision's own empty one loses."""
    import supervision as sv

    return sv.Detections(
        xyxy=found.xyxy[keep],
        mask=None if found.mask is None else np.asarray(found.mask, bool)[keep],
        confidence=None if found.confidence is None else found.confidence[keep],
        class_id=None if found.class_id is None else found.class_id[keep],
        data={name: np.asarray(values)[keep] for name, values in found.data.items()},
    )


def _everything(teachers: "GroundedSam", segmenter: "Teacher", image: Image, wanted: Wanted) -> Seen:
    """Masks of everything in one picture, as detections of the one class."""
    import supervision as sv

    from nbhelpers.teach.sam import placed

    maps: dict[str, FeatureMap] = {}
    embedding = _embedding(segmenter, image, maps if wanted.features else None)
    place = placed(segmenter.processor, (image.shape[0], image.shape[1]))
    least = float(wanted.least[0]) if wanted.labels else float("inf")
    found = segment_everything(
        segmenter.model, segmenter.processor, embedding, place, teachers.grid, least, wanted.limit
    )
    count = len(found.scores)
    data: dict[str, Any] = {
        "class_name": np.array(list(wanted.names) * count, dtype=str),
        "class_scores": found.scores[:, None],
        "mask_quality": found.scores,
    }
    detections = sv.Detections(found.boxes, found.masks, found.scores, np.zeros(count, int), data=data)
    return Seen(detections, maps)


def same_shape(images: Sequence[Image], batch: int) -> Iterator[list[int]]:
    """Numbers of pictures in batches of one shape, so that none is padded for another's sake.

    Raises:
        BadInput: a picture that is not HWC uint8 RGB.
    """
    shapes: dict[tuple[int, ...], list[int]] = {}
    for number, image in enumerate(images):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise BadInput(
                f"picture {number}: shape {image.shape} and dtype {image.dtype}; give height x width x 3, "
                "uint8, RGB"
            )
        shapes.setdefault(image.shape, []).append(number)
    for numbers in shapes.values():
        for start in range(0, len(numbers), batch):
            yield numbers[start : start + batch]
