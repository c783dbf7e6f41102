"""Run-length masks in numpy, many at once: read, checked and measured before any C code sees them.

COCO's run-length encoding counts pixels column by column, in runs of background and foreground by turns.
pycocotools reads it without looking: counts that are cut short, negative or too long make it read or write
beyond its memory (`rleFrString`, `rleDecode` in maskApi.c), so nothing unchecked is given to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

# maskApi.c writes at most six characters of five bits for one count.
_LONGEST_GROUP = 6


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of N masks, end to end.

    Attributes:
        counts: (R,) int64, lengths of all runs in pixels.
        first: (N + 1,) int64, where each mask's runs start; the last entry is R.
        readable: (N,) bool, False where the encoding itself is broken.
    """

    counts: NDArray[np.int64]
    first: NDArray[np.int64]
    readable: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Measures:
    """What the runs say about N masks.

    Attributes:
        valid: (N,) bool: readable, no negative run, and the runs fill exactly height x width pixels.
        area: (N,) float64, foreground pixels; 0 where not valid.
        boxes_xywh: (N, 4) float64, tight boxes in pixels; 0 where not valid or empty.
    """

    valid: NDArray[np.bool_]
    area: NDArray[np.float64]
    boxes_xywh: NDArray[np.float64]


def runs_from_lists(lists: Sequence[Sequence[int]]) -> Runs:
    """Put uncompressed counts (Python integers within int64) end to end."""
    first = _starts([len(counts) for counts in lists])
    flat = np.fromiter(chain.from_iterable(lists), dtype=np.int64, count=int(first[-1]))
    return Runs(flat, first, np.diff(first) > 0)


def runs_from_strings(strings: Sequence[str]) -> Runs:
    """Decode compressed counts: base-32 digits with a continuation bit, differences to the run before last.

    The format of `rleToString` in pycocotools' maskApi.c: each character is 48 plus six bits, of which bit 5
    says that more follow and bit 4 of the last one is the sign.
    """
    first_char = _starts([len(text) for text in strings])
    joined = "".join(strings).encode("utf-32-le", "surrogatepass")
    code = np.frombuffer(joined, dtype="<u4").astype(np.int64) - 48
    row = np.repeat(np.arange(len(strings)), np.diff(first_char))
    readable = np.diff(first_char) > 0
    readable[row[(code < 0) | (code > 63)]] = False
    ends = (code & 0x20) == 0
    last_char = first_char[1:][readable] - 1
    readable[row[last_char[~ends[last_char]]]] = False  # the last number is cut short
    ends[last_char] = True
    keep = readable[row]
    values, lengths = _numbers(code[keep], ends[keep])
    number_row = row[keep][ends[keep]]
    readable[number_row[lengths > _LONGEST_GROUP]] = False
    values[lengths > _LONGEST_GROUP] = 0
    first = np.searchsorted(number_row, np.arange(len(strings) + 1)).astype(np.int64)
    return Runs(_undo_differences(values, first, number_row), first, readable)


def _numbers(code: NDArray[np.int64], ends: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Signed numbers from six-bit characters, and how many characters each took."""
    last = np.flatnonzero(ends)
    start = np.concatenate([[0], last[:-1] + 1]) if len(last) else last
    lengths = last - start + 1
    place = np.minimum(np.arange(len(code)) - np.repeat(start, lengths), _LONGEST_GROUP)
    values = np.add.reduceat((code & 0x1F) << (5 * place), start) if len(start) else start.astype(np.int64)
    negative = (code[last] & 0x10) != 0
    values[negative] -= np.int64(1) << (5 * np.minimum(lengths[negative], _LONGEST_GROUP))
    return values, lengths


def _undo_differences(
    values: NDArray[np.int64], first: NDArray[np.int64], row: NDArray[np.intp]
) -> NDArray[np.int64]:
    """Counts from stored values: from the fourth on, each is a difference to the count two before."""
    place = np.arange(len(values)) - first[row]
    counts = values.copy()
    for chained in ((place % 2 == 1), (place % 2 == 0) & (place > 0)):
        sums = np.cumsum(np.where(chained, values, 0))
        before = np.concatenate([[0], sums])[first[row]]
        counts[chained] = (sums - before)[chained]
    return counts


def measure(runs: Runs, heights: NDArray[np.int64], widths: NDArray[np.int64]) -> Measures:
    """Check runs against their image sizes, and measure areas and tight boxes from them."""
    rows = len(runs.first) - 1
    row = np.repeat(np.arange(rows), np.diff(runs.first))
    valid = runs.readable.copy()
    valid[row[(runs.counts < 0) | (runs.counts > (heights * widths)[row])]] = False
    counts = np.where(valid[row], runs.counts, 0)
    ends = np.concatenate([[0], np.cumsum(counts)])
    valid &= ends[runs.first[1:]] - ends[runs.first[:-1]] == heights * widths
    place = np.arange(len(counts)) - runs.first[row]
    shown = (place % 2 == 1) & (counts > 0) & valid[row]
    owner = row[shown]
    area = np.bincount(owner, weights=counts[shown], minlength=rows).astype(np.float64)
    last = (ends[1:] - ends[runs.first[row]])[shown] - 1
    return Measures(valid, area, _boxes(owner, last - counts[shown] + 1, last, heights, rows))


def _boxes(
    owner: NDArray[np.intp],
    start: NDArray[np.int64],
    last: NDArray[np.int64],
    heights: NDArray[np.int64],
    rows: int,
) -> NDArray[np.float64]:
    """Tight XYWH boxes from the first and last pixel of every foreground run."""
    boxes = np.zeros((rows, 4))
    if not len(owner):
        return boxes
    height = heights[owner]
    left, right = start // height, last // height
    crosses = right > left  # a run over a column's end touches the bottom of one and the top of the next
    top = np.where(crosses, 0, start % height)
    bottom = np.where(crosses, height - 1, last % height)
    group = np.concatenate([[0], np.flatnonzero(np.diff(owner)) + 1])
    x0, y0 = np.minimum.reduceat(left, group), np.minimum.reduceat(top, group)
    x1, y1 = np.maximum.reduceat(right, group), np.maximum.reduceat(bottom, group)
    boxes[owner[group]] = np.stack([x0, y0, x1 - x0 + 1, y1 - y0 + 1], axis=1)
    return boxes


def _starts(lengths: list[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))])


def is_rle(segmentation: Any) -> bool:
    """Whether a segmentation is written as runs (well formed or not), not as polygons."""
    return isinstance(segmentation, dict) and "counts" in segmentation
