"""What each model gets to see: the right resize, padding and normalisation, and the way back."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.data.preprocess.geometry import Geometry
    from nbhelpers.data.preprocess.inputs import stock_processor
    from nbhelpers.data.preprocess.plan import Placed, Preprocessing, in_batches, pixel_mask, preprocess
    from nbhelpers.data.preprocess.view import input_picture

_LAZY = {
    "Geometry": "geometry",
    "stock_processor": "inputs",
    **dict.fromkeys(("Placed", "Preprocessing", "in_batches", "pixel_mask", "preprocess"), "plan"),
    "input_picture": "view",
}

__all__ = [
    "Geometry", "Placed", "Preprocessing", "preprocess", "in_batches", "pixel_mask", "stock_processor",
    "input_picture",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import the module that holds `name` the first time it is asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value
