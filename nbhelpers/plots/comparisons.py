"""Figures that compare: predictions against measurements, and the largest of a list."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nbhelpers.errors import BadInput
from nbhelpers.plots.charts import new_figure, style
from nbhelpers.plots.palette import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def agreement(
    names: Sequence[str],
    predicted: Sequence[float],
    measured: Sequence[float],
    unit: str,
    tolerance: float = 0.1,
    title: str = "",
    *,
    width_in: float = 5.4,
    height_in: float = 5.0,
) -> "Figure":
    """Plot predictions against measurements on equal logarithmic axes, with the band that counts as right.

    Args:
        names: one per point, shown in the legend.
        predicted: above 0, in `unit`.
        measured: above 0, in `unit`.
        unit: of both axes, such as `MiB`.
        tolerance: half width of the band, as a share of the measurement.
        title: above the axes.
        width_in: inches.
        height_in: inches.

    Raises:
        BadInput: the three lists differ in length, are empty, or hold values that are not above 0.
    """
    _check(names, predicted, measured)
    values = np.concatenate([predicted, measured])
    ends = np.array([values.min() / 1.4, values.max() * 1.4])
    with style():
        figure = new_figure(width_in, height_in)
        axis = figure.subplots()
        band = f"within {tolerance:.0%}"
        axis.fill_between(ends, ends * (1 - tolerance), ends * (1 + tolerance), color="#DDDDDD", label=band)
        axis.plot(ends, ends, color="#888888", linewidth=1)
        for place, (name, x, y) in enumerate(zip(names, measured, predicted, strict=True)):
            marker = "osD^vPX*"[place // len(PALETTE) % 8]
            axis.plot([x], [y], marker, color=PALETTE[place % len(PALETTE)], markersize=8, label=name)
        _equal_log_axes(axis, ends)
        axis.set(xlabel=f"measured, {unit}", ylabel=f"predicted, {unit}", title=title)
        axis.legend(loc="upper left")  # the points lie near the diagonal: this corner is free
    return figure


def _check(names: Sequence[str], predicted: Sequence[float], measured: Sequence[float]) -> None:
    counts = {len(names), len(predicted), len(measured)}
    if counts == {0} or len(counts) > 1:
        raise BadInput(
            f"agreement: {len(names)} names, {len(predicted)} predictions and {len(measured)} measurements; "
            "give one of each per point"
        )
    if min(*predicted, *measured, 1) <= 0:
        raise BadInput("agreement: a value is not above 0, which a logarithmic axis cannot show")


def _equal_log_axes(axis: "Axes", ends: np.ndarray) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    low, high = float(ends[0]), float(ends[1])
    for scale, limits, ticks in (
        (axis.set_xscale, axis.set_xlim, axis.xaxis),
        (axis.set_yscale, axis.set_ylim, axis.yaxis),
    ):
        scale("log")
        limits(low, high)
        ticks.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ticks.set_major_formatter(StrMethodFormatter("{x:g}"))
        ticks.set_minor_formatter(NullFormatter())
    axis.set_aspect("equal", adjustable="box")


def ranking(
    names: Sequence[str],
    values: Sequence[float],
    xlabel: str,
    title: str = "",
    *,
    limit: float | None = None,
    limit_name: str = "",
    number_format: str = "{:.2f}",
    width_in: float = 7.0,
) -> "Figure":
    """Plot horizontal bars in the order given, first on top, with an optional limit as a line.

    Args:
        names: one per bar.
        values: 0 or more.
        xlabel: what is counted, with its unit.
        title: above the axes.
        limit: bars beyond it are drawn in another colour.
        limit_name: said beside the line.
        number_format: of the value at the end of each bar.
        width_in: inches; the height follows from the number of bars.

    Raises:
        BadInput: no bars, or another number of names than of values.
    """
    if not names or len(names) != len(values):
        raise BadInput(f"ranking: {len(names)} names for {len(values)} values; give one each, at least one")
    with style():
        figure = new_figure(width_in, 0.9 + 0.32 * len(names))
        axis = figure.subplots()
        colors = [PALETTE[1] if limit is not None and value > limit else PALETTE[0] for value in values]
        drawn = axis.barh(np.arange(len(names)), values, color=colors, height=0.72)
        axis.bar_label(drawn, fmt=number_format.format, fontsize=9, padding=3, color="#444444")
        axis.grid(False, axis="y")
        axis.set(xlabel=xlabel, title=title, yticks=np.arange(len(names)), yticklabels=list(names))
        axis.invert_yaxis()
        axis.margins(x=0.12)
        if limit is not None:
            axis.axvline(limit, color="#444444", linestyle="--", linewidth=1.2, label=limit_name or None)
            if limit_name:
                axis.legend(loc="lower right")
    return figure
