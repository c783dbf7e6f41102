"""Pictures of the house: detections on images, grids, curves, and figures that stay small on disk.

matplotlib, supervision and OpenCV are imported by the functions that need them: this import is quick.
"""

from nbhelpers.plots.charts import bars, curve, grid, style
from nbhelpers.plots.comparisons import agreement, ranking
from nbhelpers.plots.detections import draw_detections
from nbhelpers.plots.encode import encode_figure, inline, save_figure
from nbhelpers.plots.heat import heat
from nbhelpers.plots.palette import PALETTE, class_color, text_color
from nbhelpers.plots.responses import bands, distributions, forest
from nbhelpers.plots.tables import verdict_table
from nbhelpers.plots.timelines import confusion_matrix, timelines

__all__ = [
    "PALETTE",
    "class_color",
    "text_color",
    "draw_detections",
    "grid",
    "curve",
    "bars",
    "heat",
    "agreement",
    "ranking",
    "bands",
    "forest",
    "distributions",
    "verdict_table",
    "timelines",
    "confusion_matrix",
    "style",
    "save_figure",
    "encode_figure",
    "inline",
]
