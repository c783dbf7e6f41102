"""Which classes teachers look for, in which order, and what the models given to them are for."""

from collections.abc import Mapping
from typing import Any

from nbhelpers.errors import BadInput

AGNOSTIC = ("object",)
DEFAULT_THRESHOLD = 0.25


def class_order(class_mapping: Mapping[str, str]) -> tuple[str, ...]:
    """Class names in the order of their category ids, which is the order of the class indices.

    Raises:
        BadInput: an id that is no whole number, or a name twice.
    """
    try:
        ids = sorted(class_mapping, key=int)
    except ValueError:
        raise BadInput(
            f"class_mapping: its keys are category ids as text, not {list(class_mapping)}"
        ) from None
    names = tuple(class_mapping[one] for one in ids)
    if len(set(names)) != len(names):
        raise BadInput(f"class_mapping: names a class twice: {', '.join(names)}")
    return names


def mode_of(dino: Any, sam: Any) -> str:
    """What the models given are for.

    Raises:
        BadInput: there is none.
    """
    if dino is None and sam is None:
        raise BadInput("teachers: give a detector, a segmenter or both")
    if sam is None:
        return "detection"
    return "segmentation" if dino is None else "detection_and_segmentation"
