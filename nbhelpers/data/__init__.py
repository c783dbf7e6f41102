"""COCO sets: read, check, complete, look at, split and prepare; and the scenes drawn as the embedded default.

Several functions bear the name of the file they live in (`split`, `complete`, `prepare` ...). Importing a
submodule binds its name in this package, so those functions are bound here, once and first; everything else
is looked up when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nbhelpers.data.complete import complete, complete_with_changes
from nbhelpers.data.near_duplicates import near_duplicates
from nbhelpers.data.prepare import prepare
from nbhelpers.data.split import describe, missing_classes, parse_split, split
from nbhelpers.data.statistics import Statistics, statistics
from nbhelpers.data.validate import Report, Validation, validate

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet, load_coco
    from nbhelpers.data.image_files import place_images
    from nbhelpers.data.images import ImageFacts, probe_image, read_image
    from nbhelpers.data.labelled import FewLabels, few_labels, labelled_share
    from nbhelpers.data.masks import box_from_mask, mask_area, mask_to_polygons, mask_to_rle, to_mask, to_rle
    from nbhelpers.data.modes import MODES, Mode, detect_mode, mode_config, write_mode_config
    from nbhelpers.data.paths import Resolved, resolve_image
    from nbhelpers.data.prepared import Prepared, default_set, load_prepared, prepared_or_default
    from nbhelpers.data.scenes import draw_scenes
    from nbhelpers.data.statistics_plot import plot_statistics

_LAZY = {
    **dict.fromkeys(("CocoSet", "load_coco"), "coco"),
    **dict.fromkeys(("ImageFacts", "probe_image", "read_image"), "images"),
    **dict.fromkeys(("Resolved", "resolve_image"), "paths"),
    **dict.fromkeys(("to_rle", "to_mask", "mask_to_rle", "mask_to_polygons", "mask_area"), "masks"),
    **dict.fromkeys(("box_from_mask",), "masks"),
    **dict.fromkeys(("MODES", "Mode", "detect_mode", "mode_config", "write_mode_config"), "modes"),
    **dict.fromkeys(("Prepared", "load_prepared", "prepared_or_default", "default_set"), "prepared"),
    **dict.fromkeys(("FewLabels", "few_labels", "labelled_share"), "labelled"),
    "place_images": "image_files",
    "plot_statistics": "statistics_plot",
    "draw_scenes": "scenes",
}

__all__ = [
    "CocoSet", "load_coco", "ImageFacts", "probe_image", "read_image", "Resolved", "resolve_image",
    "to_rle", "to_mask", "mask_to_rle", "mask_to_polygons", "mask_area", "box_from_mask",
    "validate", "Validation", "Report", "complete", "complete_with_changes",
    "MODES", "Mode", "detect_mode", "mode_config", "write_mode_config",
    "Statistics", "statistics", "plot_statistics", "near_duplicates",
    "split", "parse_split", "describe", "missing_classes", "place_images",
    "prepare", "Prepared", "load_prepared", "prepared_or_default", "default_set", "draw_scenes",
    "FewLabels", "few_labels", "labelled_share",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import the module that holds `name` the first time it is asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """All public names, for completion."""
    return sorted(__all__)
