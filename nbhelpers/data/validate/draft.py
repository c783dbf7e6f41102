"""The document under validation, and the ledger of what became of each of its records."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.images import Frame
from nbhelpers.data.validate.report import Action, Counts, Item, Severity

_KEPT, _REPAIRED, _DROPPED = range(3)
_STATES: dict[Action, int] = {"kept": _KEPT, "repaired": _REPAIRED, "dropped": _DROPPED}
_USUAL: dict[Action, Severity] = {"kept": "warning", "repaired": "warning", "dropped": "error"}


@dataclass
class Draft:
    """A COCO document while it is checked; records are repaired in place and never removed, only marked.

    A record is known by its row: its position in the document's list.

    Attributes:
        path: the JSON file.
        images, annotations, categories: the lists as read; rows that are dropped may hold anything.
        image_row: (n annotations,) int64, the row of each annotation's image; -1 where it has none.
        sizes: (n images, 2) int64, width and height in pixels; 0 where unknown.
        frames: image id to the frame its annotations are in.
        items: the findings so far.
    """

    path: Path
    images: list[Any]
    annotations: list[Any]
    categories: list[Any]
    image_row: NDArray[np.int64] = field(init=False)
    sizes: NDArray[np.int64] = field(init=False)
    frames: dict[int, Frame] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    _image_states: bytearray = field(init=False, repr=False)
    _annotation_states: bytearray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """All records start as kept."""
        self._image_states = bytearray(len(self.images))
        self._annotation_states = bytearray(len(self.annotations))
        self.image_row = np.full(len(self.annotations), -1, dtype=np.int64)
        self.sizes = np.zeros((len(self.images), 2), dtype=np.int64)

    def live_images(self) -> list[int]:
        """Rows of the images not dropped."""
        return [row for row, state in enumerate(self._image_states) if state != _DROPPED]

    def live_annotations(self) -> NDArray[np.int64]:
        """Rows of the annotations not dropped, ascending."""
        states = np.frombuffer(bytes(self._annotation_states), dtype=np.uint8)
        return np.flatnonzero(states != _DROPPED).astype(np.int64)

    def is_live(self, row: int) -> bool:
        """Whether an annotation is not dropped."""
        return self._annotation_states[row] != _DROPPED

    def size_of(self, row: int) -> tuple[int, int]:
        """Width and height in pixels of an annotation's image."""
        width, height = self.sizes[self.image_row[row]]
        return int(width), int(height)

    def note(self, code: str, message: str, severity: Severity = "info") -> None:
        """Report something about the whole set."""
        self.items.append(Item(severity, code, clean(str(self.path)), None, None, clean(message), "kept"))

    def image(
        self, row: int, code: str, message: str, action: Action, severity: Severity | None = None
    ) -> None:
        """Report what was found on an image and what became of it."""
        self._image_states[row] = max(self._image_states[row], _STATES[action])
        record = self.images[row] if isinstance(self.images[row], dict) else {}
        item = Item(
            severity or _USUAL[action],
            code,
            self._file(record),
            plain_id(record.get("id")),
            None,
            clean(message),
            action,
        )
        self.items.append(item)

    def annotation(
        self, row: int, code: str, message: str, action: Action, severity: Severity | None = None
    ) -> None:
        """Report what was found on an annotation and what became of it."""
        self._annotation_states[row] = max(self._annotation_states[row], _STATES[action])
        record = self.annotations[row] if isinstance(self.annotations[row], dict) else {}
        image_row = int(self.image_row[row])
        item = Item(
            severity or _USUAL[action],
            code,
            self._file(self.images[image_row] if image_row >= 0 else {}),
            plain_id(record.get("image_id")),
            plain_id(record.get("id")),
            clean(message),
            action,
        )
        self.items.append(item)

    def counts(self) -> tuple[Counts, Counts]:
        """What became of all images and of all annotations; they add up to what came in, or this fails."""
        images, annotations = _count(self._image_states), _count(self._annotation_states)
        if (images.total, annotations.total) != (len(self.images), len(self.annotations)):
            raise AssertionError(f"{self.path}: records were lost: {images}, {annotations}")
        return images, annotations

    def _file(self, image: dict[str, Any]) -> str:
        name = image.get("file_name")
        return clean(name) if isinstance(name, str) and name else clean(str(self.path))


def _count(states: Iterable[int]) -> Counts:
    counts = Counter(states)
    return Counts(counts[_KEPT], counts[_REPAIRED], counts[_DROPPED])


def plain_id(value: Any) -> int | str | None:
    """An id for the report: a number or a short text; None for anything else."""
    if isinstance(value, str):
        return clean(value[:200])
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def clean(text: str) -> str:
    """Text that can be written as UTF-8: half surrogates, which JSON can hold, are spelled out."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def shown(value: Any, limit: int = 80) -> str:
    """A value for a message, cut to a bearable length."""
    if isinstance(value, int) and abs(value) >= 10**40:
        return "a whole number of more than 40 digits"  # Python refuses to print the longest ones
    try:
        # Cut before it is printed: a text of 10 MB would be copied whole only to be cut.
        text = repr(
            value[: 8 if isinstance(value, list) else limit] if isinstance(value, list | str) else value
        )
    except RecursionError:  # repr has less room than the parser had
        return "a deeply nested value"
    return text if len(text) <= limit else text[: limit - 3] + "..."
