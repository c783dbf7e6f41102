"""What JSON values may stand for numbers and ids, told apart from what only looks like one."""

import math
import re
from itertools import count
from typing import Any

# Above this, whole numbers are not safe in other readers of JSON (doubles), nor in numpy beside floats.
LARGEST_ID = 2**53
_WHOLE = re.compile(r"[+-]?[0-9]{1,16}")


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number; true and false are not."""
    return type(value) is float or type(value) is int


def number(value: Any) -> float | None:
    """The finite number a value is or spells (`"12.5"`); None for anything else, true and false included."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        result = float(value) if not isinstance(value, str) or len(value) <= 64 else math.nan
    except (ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def whole(value: Any) -> int | None:
    """The whole number a value is (12, 12.0) or spells (`"12"`), below 2**53; None for anything else."""
    if isinstance(value, str):
        text = value.strip()
        result = int(text) if _WHOLE.fullmatch(text) else None
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return None
    elif isinstance(value, float):
        result = int(value) if math.isfinite(value) and value.is_integer() else None
    else:
        result = value
    return result if result is not None and abs(result) < LARGEST_ID else None


class IdMap:
    """Ids as written to whole-number ids: equal where they can be, fresh ones where they cannot."""

    def __init__(self, values: list[Any]) -> None:
        self._read = frozenset(id_ for id_ in map(whole, values) if id_ is not None)
        self._used = set(self._read)
        start = max(self._used, default=0) + 1
        self._fresh = count(start if 0 < start < LARGEST_ID // 2 else 1)
        self._renamed: dict[Any, int] = {}

    def find(self, value: Any) -> int | None:
        """The id that `value` refers to; None where no id was read as it."""
        id_ = value if type(value) is int and value in self._read else whole(value)
        if id_ is not None:
            # Fresh ids are not looked up: an orphan must not come to mean a record that got its number here.
            return id_ if id_ in self._read else None
        return self._renamed.get(value) if _is_label(value) else None

    def take(self, value: Any) -> tuple[int, bool]:
        """The id of a record whose id reads `value`, and whether it is new; a label keeps one number."""
        known = self.find(value)
        if known is not None:
            return known, False
        id_ = self.fresh()
        if _is_label(value):
            self._renamed[value] = id_
        return id_, True

    def fresh(self) -> int:
        """An id that nothing has."""
        id_ = next(number_ for number_ in self._fresh if number_ not in self._used)
        self._used.add(id_)
        return id_


def _is_label(value: Any) -> bool:
    """Whether a value can name a record though it is no usable number: text, or a number too large."""
    if isinstance(value, str):
        return bool(value.strip())
    return is_number(value) and value == value
