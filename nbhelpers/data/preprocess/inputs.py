"""One function per kind of model: pictures to a batch of its inputs, through the stock processors."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.letterbox import letterbox
from nbhelpers.data.preprocess.geometry import Geometry, from_letterbox

if TYPE_CHECKING:
    from torch import Tensor

Images = Sequence[NDArray[np.uint8]]
Inputs = tuple["Tensor", list[Geometry]]


def grounding_dino_inputs(images: Images, processor: Any) -> Inputs:
    """Aspect kept within the shortest and longest edge, normalised, padded to the batch's largest.

    The real models' processor has edges of 800 and 1333 pixels. Its pixel mask says where each picture ends.
    """
    made = _processed(images, processor)
    sizes = [(int(mask[:, 0].sum()), int(mask[0].sum())) for mask in made["pixel_mask"]]
    return made["pixel_values"], _upper_left(images, sizes, made["pixel_values"])


def sam_inputs(images: Images, processor: Any) -> Inputs:
    """Longest side 1024 (or the processor's own), normalised, padded to a square with zeros.

    A processor of SAM 2 stretches pictures over the square instead, and says so by naming no reshaped size.
    """
    made = _processed(images, processor)
    pixels = made["pixel_values"]
    whole = [(int(pixels.shape[-2]), int(pixels.shape[-1]))] * len(images)
    sizes = made.get("reshaped_input_sizes")
    placed = whole if sizes is None else [(int(height), int(width)) for height, width in sizes]
    return pixels, _upper_left(images, placed, pixels)


def letterbox_inputs(images: Images, size: int) -> Inputs:
    """Aspect kept, centred on gray, 0..1: what every student sees (`nbhelpers.data.letterbox`)."""
    import torch

    made = [letterbox(image, size) for image in images]
    pixels = torch.from_numpy(np.stack([pixels for pixels, _ in made]))
    return pixels, [from_letterbox(placed) for _, placed in made]


TEACHER_INPUTS: dict[str, Callable[[Images, Any], Inputs]] = {
    "grounding_dino": grounding_dino_inputs,
    "sam": sam_inputs,
}


def stock_processor(teacher: str) -> Any:
    """The image processor of the real models, made from its class alone: no file, no network.

    Args:
        teacher: a name of `TEACHER_INPUTS`.
    """
    import transformers

    classes = {"grounding_dino": "GroundingDinoImageProcessor", "sam": "SamImageProcessor"}
    return getattr(transformers, classes[teacher])()


def _processed(images: Images, processor: Any) -> Any:
    """The image half of a processor, told where the channels are: 1 or 3 pixels of height mislead it."""
    chosen = getattr(processor, "image_processor", processor)
    longest = getattr(chosen.size, "longest_edge", None) or dict(chosen.size).get("longest_edge")
    thick = [_thick_enough(image, longest) if longest else image for image in images]
    return chosen(images=thick, return_tensors="pt", input_data_format="channels_last")


def _thick_enough(image: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """Repeat the lines of a picture so thin that it would be resized to nothing, which processors refuse.

    Only as often as leaves it one pixel of the input; where it lies is reckoned from the picture itself.
    """
    height, width = image.shape[:2]
    times = -(-max(height, width) // (longest * min(height, width)))
    if times <= 1:
        return image
    return image.repeat(times, axis=0 if height < width else 1)


def _upper_left(images: Images, sizes: Sequence[tuple[int, int]], pixels: "Tensor") -> list[Geometry]:
    """Pictures that begin in the upper left corner; `sizes` are heights and widths in the input."""
    height, width = int(pixels.shape[-2]), int(pixels.shape[-1])
    return [
        Geometry(image.shape[1], image.shape[0], inner[1], inner[0], 0, 0, width, height)
        for image, inner in zip(images, sizes, strict=True)
    ]
