"""Lesion studies of language models: chosen weights are damaged, and what is lost is measured.

Importing this brings no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbhelpers.degrade.bench import timings
    from nbhelpers.degrade.blocks import draw
    from nbhelpers.degrade.curves import Curve, dose, level_of
    from nbhelpers.degrade.experiment import Outcome, Study, run_experiment
    from nbhelpers.degrade.fits import Comparison, DoseFit, compare, fit_all, fit_dose, fit_hill, hill
    from nbhelpers.degrade.groups import GROUPS, Group, groups_of, parse_group, resolve
    from nbhelpers.degrade.kitchen import draw_kitchen
    from nbhelpers.degrade.lesions import LesionReport, apply_lesion
    from nbhelpers.degrade.methods import METHODS, Lesion, Method
    from nbhelpers.degrade.plan import Cell, grid
    from nbhelpers.degrade.prompts import Configuration, Prompt, config_names, get_config
    from nbhelpers.degrade.results import Results, read_results
    from nbhelpers.degrade.rungs import load_subject
    from nbhelpers.degrade.samples import samples_folder
    from nbhelpers.degrade.sizes import RealSize, real_size, rung_of, table_row
    from nbhelpers.degrade.unpack import unpack
    from nbhelpers.degrade.views import (
        axis_labels,
        band,
        control_panels,
        fits_table,
        forest_rows,
        grid_table,
        language_table,
        lines_of,
        method_panels,
        side_by_side,
    )

_HOME = {
    **dict.fromkeys(("timings",), "bench"),
    **dict.fromkeys(("draw",), "blocks"),
    **dict.fromkeys(("Curve", "dose", "level_of"), "curves"),
    **dict.fromkeys(("Comparison", "DoseFit", "compare", "fit_all", "fit_dose", "fit_hill", "hill"), "fits"),
    **dict.fromkeys(("Outcome", "Study", "run_experiment"), "experiment"),
    **dict.fromkeys(("GROUPS", "Group", "groups_of", "parse_group", "resolve"), "groups"),
    **dict.fromkeys(("draw_kitchen",), "kitchen"),
    **dict.fromkeys(("LesionReport", "apply_lesion"), "lesions"),
    **dict.fromkeys(("METHODS", "Lesion", "Method"), "methods"),
    **dict.fromkeys(("Cell", "grid"), "plan"),
    **dict.fromkeys(("Configuration", "Prompt", "config_names", "get_config"), "prompts"),
    **dict.fromkeys(("RealSize", "real_size", "rung_of", "table_row"), "sizes"),
    **dict.fromkeys(("Results", "read_results"), "results"),
    "load_subject": "rungs",
    **dict.fromkeys(("samples_folder",), "samples"),
    **dict.fromkeys(("unpack",), "unpack"),
    **dict.fromkeys(
        (
            *("axis_labels", "band", "control_panels", "fits_table", "forest_rows", "grid_table"),
            *("language_table", "lines_of", "method_panels", "side_by_side"),
        ),
        "views",
    ),
}

__all__ = [
    "Cell",
    "Comparison",
    "Configuration",
    "Curve",
    "DoseFit",
    "GROUPS",
    "Group",
    "Lesion",
    "LesionReport",
    "METHODS",
    "Method",
    "Outcome",
    "Prompt",
    "RealSize",
    "Results",
    "Study",
    "apply_lesion",
    "axis_labels",
    "band",
    "compare",
    "config_names",
    "control_panels",
    "dose",
    "draw",
    "draw_kitchen",
    "fit_all",
    "fit_dose",
    "fit_hill",
    "fits_table",
    "forest_rows",
    "get_config",
    "grid",
    "grid_table",
    "groups_of",
    "hill",
    "language_table",
    "level_of",
    "lines_of",
    "load_subject",
    "method_panels",
    "parse_group",
    "read_results",
    "real_size",
    "resolve",
    "run_experiment",
    "rung_of",
    "samples_folder",
    "side_by_side",
    "table_row",
    "timings",
    "unpack",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
