"""Augmentation chosen by what a site is like: words about objects and surroundings, not transform names."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nbhelpers.data.augment.conditions import CHARACTERISTICS, ENVIRONMENT, INTENSITIES, Conditions
from nbhelpers.data.augment.rules import Rule, Rules, pipeline_info, rules_for

if TYPE_CHECKING:
    from nbhelpers.data.augment.augmented_set import AugmentedSet, write_augmented
    from nbhelpers.data.augment.augmenter import Augmenter, build_augmenter, site_augmenter, tight_boxes
    from nbhelpers.data.augment.picker import Picker, pick
    from nbhelpers.data.augment.sample import Sample, sample_of
    from nbhelpers.data.augment.side_by_side import preview

_LAZY = {
    "Augmenter": "augmenter",
    "build_augmenter": "augmenter",
    "site_augmenter": "augmenter",
    "tight_boxes": "augmenter",
    "Sample": "sample",
    "sample_of": "sample",
    "preview": "side_by_side",
    "Picker": "picker",
    "pick": "picker",
    "AugmentedSet": "augmented_set",
    "write_augmented": "augmented_set",
}

__all__ = [
    "CHARACTERISTICS", "ENVIRONMENT", "INTENSITIES", "Conditions",
    "Rule", "Rules", "rules_for", "pipeline_info",
    "Augmenter", "build_augmenter", "site_augmenter", "Sample", "sample_of", "tight_boxes",
    "preview", "pick", "Picker", "AugmentedSet", "write_augmented",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import the module that holds `name` the first time it is asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value
