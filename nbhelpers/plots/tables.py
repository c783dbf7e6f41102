"""Tables for notebooks in the house look."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

# Light backgrounds of three meanings; the word stands in the cell too, so colour is never the only sign.
_BACKGROUND = {"fits": "#D6EFE3", "tight": "#FBEBC8", "too large": "#F6D5CC"}


def verdict_table(cells: Mapping[tuple[str, str, str, str], tuple[str, float | None]]) -> "Styler":
    """Rows of model and task against columns of machine and precision, each with its verdict.

    Args:
        cells: (model, task, machine, precision) -> (verdict, GiB needed or None). Rows and columns keep the
            order in which they first come; what is missing or has no GiB is shown as `-`.

    Returns:
        A pandas Styler; `.data` is the plain table.
    """
    import pandas as pd

    rows = list(dict.fromkeys((model, task) for model, task, _, _ in cells))
    columns = list(dict.fromkeys((machine, precision) for _, _, machine, precision in cells))
    texts = [[_text(cells.get((*row, *column))) for column in columns] for row in rows]
    table = pd.DataFrame(
        texts,
        index=pd.MultiIndex.from_tuples(rows, names=["model", "task"]),
        columns=pd.MultiIndex.from_tuples(columns, names=["machine", "precision"]),
    )
    return table.style.map(_style)


def _text(cell: tuple[str, float | None] | None) -> str:
    if cell is None or cell[1] is None:
        return "-"
    return f"{cell[0]}, {cell[1]:.1f} GiB"


def _style(value: Any) -> str:
    color = _BACKGROUND.get(str(value).partition(",")[0])
    return f"background-color: {color}; color: #222222" if color else "color: #888888"
