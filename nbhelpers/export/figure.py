"""The figure of notebook 09: speed against accuracy, one point per engine."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nbhelpers.export.bench import EngineRow


def plot_speed_accuracy(
    rows: Sequence["EngineRow"], width_in: float = 7.5, height_in: float = 3.8
) -> "Figure":
    """Plot AP against the latency of the network; left and high is better.

    Args:
        rows: of `compare`. A point is a median, the line to its right ends at the 95th percentile, and the
            point's area grows with the file.
        width_in: width, inches.
        height_in: height, inches.

    Raises:
        BadInput: there are no rows.
    """
    from matplotlib.figure import Figure

    from nbhelpers.plots import PALETTE, style

    if not rows:
        raise BadInput("plot_speed_accuracy: there are no rows to plot")
    with style():
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        axis = figure.subplots()
        for index, row in enumerate(rows):
            _point(axis, row, PALETTE[index % len(PALETTE)])
        _frame(axis, rows)
    return figure


def _point(axis: "Axes", row: "EngineRow", color: str) -> None:
    """One engine: median, 95th percentile, and how much its file weighs."""
    y, mib = 100 * row.accuracy.ap, (row.size_bytes or 0) / 2**20
    axis.plot([row.network.p50_ms, row.network.p95_ms], [y, y], color=color, linewidth=1.2, alpha=0.7)
    label = f"{row.name}: {row.network.p50_ms:.1f} ms, AP {y:.1f}, {mib:.1f} MiB"
    axis.scatter(
        [row.network.p50_ms], [y], s=40 + 14 * mib, color=color, edgecolor="white", zorder=3, label=label
    )


def _frame(axis: "Axes", rows: Sequence["EngineRow"]) -> None:
    """Axes, title and legend; the latency axis starts at 0, so that distances are ratios."""
    kind = "mask" if rows[0].accuracy.mask_ap is not None else "box"
    points = [100 * row.accuracy.ap for row in rows]
    margin = max(2.0, 0.15 * (max(points) - min(points)))
    axis.set(
        xlabel="network latency, ms per image",
        ylabel=f"{kind} AP, points",
        title=f"Speed against accuracy ({rows[0].image_size} px, {rows[0].accuracy.images} images)",
        xlim=(0, 1.12 * max(row.network.p95_ms for row in rows)),
        ylim=(max(min(points) - margin, -1), max(points) + margin),
    )
    note = "point: median; line: to the\n95th percentile; area: file"
    legend = axis.legend(
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        labelspacing=1.1,
        alignment="left",
        title=note,
        title_fontsize=9,
    )
    for handle in legend.legend_handles:
        if handle is not None and hasattr(handle, "set_sizes"):
            handle.set_sizes([40.0])
