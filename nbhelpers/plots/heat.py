"""Heat maps: one number per cell of a table, as shade and as text."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.errors import BadInput
from nbhelpers.plots.charts import new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# title -> (values (R, C), names of the rows, names of the columns, x label, y label)
Panel = tuple[np.ndarray, Sequence[str], Sequence[str], str, str]


def heat(
    panels: Mapping[str, Panel],
    label: str,
    *,
    low: float = 0.0,
    high: float = 1.0,
    number_format: str = "{:.2f}",
    width_in: float = 9.6,
    height_in: float = 3.6,
) -> "Figure":
    """Plot tables of numbers side by side on one shared scale of shades.

    Args:
        panels: title -> (values (R, C), R row names, C column names, label below, label beside); NaN is left
            white.
        label: of the colour bar.
        low: value of the lightest shade.
        high: value of the darkest.
        number_format: of the numbers in the cells.
        width_in: inches.
        height_in: inches.

    Raises:
        BadInput: no panels, or names that do not fit the values.
    """
    if not panels:
        raise BadInput("heat: there are no panels to draw")
    shades: Any = None
    with style():
        figure = new_figure(width_in, height_in)
        widths = [len(panel[2]) for panel in panels.values()]
        axes = figure.subplots(1, len(panels), squeeze=False, gridspec_kw={"width_ratios": widths})[0]
        for axis, (title, panel) in zip(axes, panels.items(), strict=True):
            shades = _panel(axis, title, panel, low, high, number_format)
        figure.colorbar(shades, ax=list(axes), label=label, shrink=0.9)
    return figure


def _panel(axis: "Axes", title: str, panel: Panel, low: float, high: float, number_format: str) -> Any:
    values, rows, columns, xlabel, ylabel = panel
    values = np.asarray(values, float)
    if values.shape != (len(rows), len(columns)):
        raise BadInput(
            f"heat: {title}: values of shape {values.shape} for {len(rows)} rows and {len(columns)} columns"
        )
    shades = axis.imshow(values, cmap="Blues", vmin=low, vmax=high, aspect="auto")
    axis.grid(False)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            color = "white" if (value - low) / (high - low) > 0.55 else "#222222"
            text = number_format.format(value)
            axis.text(column, row, text, ha="center", va="center", fontsize=8, color=color)
    axis.set(xlabel=xlabel, ylabel=ylabel, title=title)
    axis.set_xticks(range(len(columns)), list(columns), fontsize=8)
    axis.set_yticks(range(len(rows)), list(rows), fontsize=8)
    return shades
