"""Plain-text tables for notebooks, terminals and logs."""

from collections.abc import Sequence


def text_table(rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> str:
    """Left-aligned columns two spaces apart; the last column is not padded.

    Args:
        rows: cells as text; all rows of one length.
        header: column names, underlined; empty for none.
    """
    lines = [list(map(str, row)) for row in rows]
    widths = [
        max(map(len, column)) for column in zip(*([list(header)] if header else []), *lines, strict=True)
    ]
    if header:
        lines = [list(header), ["-" * width for width in widths], *lines]
    joined = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )
    return "\n".join(line.rstrip() for line in joined)


def size_text(count: float) -> str:
    """A number of bytes for people: `512 B`, `1.5 MiB`, `14.7 GiB`."""
    for unit in ("B", "KiB", "MiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
