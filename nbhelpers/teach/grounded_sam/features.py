"""Feature maps of the teachers for distillation, with the part of each map that shows the picture.

Of Grounding DINO it is the encoder's output, where picture and prompt have met, at the level nearest to
stride 16 (the middle level of common students); of SAM the image embedding, its coarsest level.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nbhelpers.artifacts import write_atomic
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    import supervision as sv
    from torch import Tensor

STRIDE_PX = 16
_PLACED = "_placed"


@dataclass(frozen=True)
class FeatureMap:
    """One teacher's features of one picture.

    Attributes:
        map: (C, h, w) float32.
        placed: (left, top, right, bottom) of the picture in the map, in shares of the map's width and height:
            (0, 0, 1, 1) where the picture fills it. The rest is padding.
    """

    map: NDArray[np.float32]
    placed: tuple[float, float, float, float]


class Seen(NamedTuple):
    """What the teachers say about one picture.

    Attributes:
        detections: as `GroundedSam.predict` gives them.
        features: by teacher name; empty where they were not asked for.
    """

    detections: "sv.Detections"
    features: dict[str, FeatureMap]


@dataclass(frozen=True)
class FeatureMaps:
    """One teacher's features of N pictures, padded with zeros on the right and below to one size.

    Attributes:
        maps: (N, C, h, w) float32, on the CPU.
        placed: (N, 4) float32, as in `FeatureMap`.
    """

    maps: "Tensor"
    placed: NDArray[np.float32]


def stacked(maps: Sequence[FeatureMap]) -> FeatureMaps:
    """Maps of one teacher in one tensor; where each picture lies follows the padding.

    Raises:
        BadInput: there is no map.
    """
    import torch

    if not maps:
        raise BadInput("features: there are no pictures; give at least one")
    height, width = (max(one.map.shape[axis] for one in maps) for axis in (1, 2))
    out = torch.zeros((len(maps), maps[0].map.shape[0], height, width))
    placed = np.zeros((len(maps), 4), np.float32)
    for number, one in enumerate(maps):
        own_height, own_width = one.map.shape[1:]
        out[number, :, :own_height, :own_width] = torch.from_numpy(one.map)
        placed[number] = np.array(one.placed) * np.tile([own_width / width, own_height / height], 2)
    return FeatureMaps(out, placed)


@contextmanager
def captured(model: Any, stride_px: int = STRIDE_PX) -> "Iterator[list[FeatureMap]]":
    """Note the encoder's output of a Grounding DINO in every forward pass of the block.

    Args:
        model: `GroundingDinoForObjectDetection`, or MM Grounding DINO; plain, not wrapped by peft.
        stride_px: the level whose places are nearest to so many pixels of the input apart is kept.

    Yields:
        A list to which each forward pass adds one map per picture of its batch.
    """
    kept: list[FeatureMap] = []
    masks: list[Tensor] = []

    def note_input(module: Any, args: Any, kwargs: Mapping[str, Any]) -> None:
        masks[:] = [kwargs["pixel_mask"]]

    def note_output(module: Any, args: Any, kwargs: Mapping[str, Any], output: Any) -> None:
        kept.extend(_level(output[0], kwargs["spatial_shapes_list"], masks[0], stride_px))

    hooks = [
        model.register_forward_pre_hook(note_input, with_kwargs=True),
        model.model.encoder.register_forward_hook(note_output, with_kwargs=True),
    ]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


def _level(
    output: "Tensor", shapes: Sequence[tuple[int, int]], mask: "Tensor", stride_px: int
) -> list[FeatureMap]:
    """One level of the encoder's output (B, places, C), cut out of it and put back in rows and columns."""
    shapes = [(int(height), int(width)) for height, width in shapes]
    strides = [_stride(mask.shape[-2], height) for height, _ in shapes]
    chosen = min(range(len(shapes)), key=lambda level: (abs(np.log2(strides[level] / stride_px)), level))
    start = sum(height * width for height, width in shapes[:chosen])
    height, width = shapes[chosen]
    maps = output[:, start : start + height * width].float().cpu().numpy()
    maps = maps.reshape(len(maps), height, width, -1).transpose(0, 3, 1, 2)
    reach = np.array([width, height]) * strides[chosen]
    return [
        FeatureMap(np.ascontiguousarray(own), (0.0, 0.0, *_extent(seen, reach)))
        for own, seen in zip(maps, mask, strict=True)
    ]


def _stride(pixels: int, places: int) -> int:
    """Pixels between two places: a power of two, also where the last place is cut."""
    return int(2 ** round(float(np.log2(pixels / places))))


def _extent(seen: "Tensor", reach: NDArray[Any]) -> tuple[float, float]:
    """Right and lower end of a picture, (H, W) mask of its pixels, in shares of the map's reach."""
    right, bottom = int(seen.any(0).sum()), int(seen.any(1).sum())
    return min(right / float(reach[0]), 1.0), min(bottom / float(reach[1]), 1.0)


def of_embedding(embedding: "Sequence[Tensor]", resized: tuple[int, int], side: int) -> FeatureMap:
    """SAM's image embedding as a feature map.

    Args:
        embedding: feature maps (C, h, w), finest first; the last is taken.
        resized: (height, width) of the picture in the input, pixels.
        side: of the square input, pixels.
    """
    values = embedding[-1].float().cpu().numpy()
    return FeatureMap(np.ascontiguousarray(values), (0.0, 0.0, resized[1] / side, resized[0] / side))


def save_features(path: Path, maps: Mapping[str, FeatureMap]) -> Path:
    """Write the maps of one picture as a NumPy archive, float16, atomically.

    The archive holds, by teacher name, `<name>` (C, h, w) float16 and `<name>_placed` (4,) float32.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for name, one in maps.items():
        limit = np.finfo(np.float16).max
        arrays[name] = np.clip(one.map, -limit, limit).astype(np.float16)
        arrays[name + _PLACED] = np.array(one.placed, np.float32)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # the stub takes the names for `allow_pickle`
    return write_atomic(Path(path), buffer.getvalue())


def load_features(path: Path) -> dict[str, FeatureMap]:
    """Read what `save_features` wrote.

    Raises:
        BadInput: the file is missing or damaged.
    """
    try:
        with np.load(path) as archive:
            names = [name for name in archive.files if not name.endswith(_PLACED)]
            return {name: _read_map(archive, name) for name in names}
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file; label the images again with features") from None
    except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
        raise BadInput(f"{path}: is damaged ({error}); delete it and label the images again") from None


def _read_map(archive: Any, name: str) -> FeatureMap:
    left, top, right, bottom = (float(value) for value in archive[name + _PLACED])
    return FeatureMap(archive[name].astype(np.float32), (left, top, right, bottom))
