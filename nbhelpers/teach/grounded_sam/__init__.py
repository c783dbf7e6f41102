"""Grounding DINO and SAM as one teacher: boxes of named classes, masks for the boxes, features on the way."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.teach.grounded_sam.everything import Grid
    from nbhelpers.teach.grounded_sam.features import (
        FeatureMap,
        FeatureMaps,
        Seen,
        load_features,
        save_features,
    )
    from nbhelpers.teach.grounded_sam.teacher import GroundedSam
    from nbhelpers.teach.grounded_sam.thresholds import Choice, thresholds_table

_HOME = {
    "GroundedSam": "teacher",
    "Seen": "features",
    "Grid": "everything",
    "FeatureMap": "features",
    "FeatureMaps": "features",
    "load_features": "features",
    "save_features": "features",
    "Choice": "thresholds",
    "thresholds_table": "thresholds",
}

__all__ = [
    "GroundedSam",
    "Seen",
    "Grid",
    "FeatureMap",
    "FeatureMaps",
    "load_features",
    "save_features",
    "Choice",
    "thresholds_table",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the modules below bring torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
