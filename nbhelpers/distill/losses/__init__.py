"""The losses a student is trained with, each a pure function of predictions and what they should be."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.distill.losses.detection import detection_loss
    from nbhelpers.distill.losses.feature import feature_loss
    from nbhelpers.distill.losses.logit import logit_loss
    from nbhelpers.distill.losses.segmentation import segmentation_loss

_HOME = {
    "detection_loss": "detection",
    "feature_loss": "feature",
    "logit_loss": "logit",
    "segmentation_loss": "segmentation",
}

__all__ = ["detection_loss", "feature_loss", "logit_loss", "segmentation_loss"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the losses bring torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
