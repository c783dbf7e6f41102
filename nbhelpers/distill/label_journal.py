"""What teachers said, image by image, on disk: an append-only journal, and the COCO file made from it.

Neither the journal nor the COCO file is ever in memory whole: the journal is read line by line, and kept in
memory is only where each image's line begins.
"""

import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nbhelpers.artifacts import append_record, to_json

JOURNAL = ".labels.jsonl"


class Journal:
    """The journal of one labelling.

    Args:
        path: the file; need not exist.
        identity: of what labels; a journal of another identity holds other labels.

    Attributes:
        foreign: the file holds labels of another identity.
        highest_id: largest image id in it, 0 without one.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path, self._identity = path, identity
        self.foreign, self.highest_id = False, 0
        self._begins: dict[Any, int] = {}
        self._stamps: dict[Any, tuple[Any, ...]] = {}
        for begin, record in _lines(path):
            if "identity" in record:
                self.foreign = self.foreign or record["identity"] != identity
            elif "key" in record:
                self._note(begin, record)

    def start(self) -> None:
        """Write who labels, once."""
        if not self.path.exists() or self.path.stat().st_size == 0:
            append_record(self.path, {"identity": self._identity})

    def has(self, key: Any, stamp: list[int], features: bool) -> bool:
        """Whether this very image was labelled already (with features, where those are wanted)."""
        noted = self._stamps.get(key)
        return noted is not None and noted[0] == tuple(stamp) and (noted[1] or not features)

    def id_of(self, key: Any) -> int | None:
        """The id an image got when it was labelled, None for one that was not."""
        noted = self._stamps.get(key)
        return None if noted is None else noted[2]

    def add(self, record: Mapping[str, Any]) -> None:
        """Append one image: `key`, `id`, `stamp`, `features`; then `image` and `annotations`, or `error`."""
        append_record(self.path, record)
        # The line may have been parted from a cut one by a newline, so its begin is counted from the end.
        length = len((to_json(record, indent=None) + "\n").encode())
        self._note(self.path.stat().st_size - length, record)

    def _note(self, begin: int, record: Mapping[str, Any]) -> None:
        key, number = record["key"], int(record["id"])
        self._begins[key] = begin
        # A damaged image has no features and will not get any.
        complete = bool(record["features"]) or "error" in record
        self._stamps[key] = (tuple(record["stamp"]), complete, number)
        self.highest_id = max(self.highest_id, number)

    def records(self, keys: Iterable[Any]) -> Iterator[dict[str, Any]]:
        """The records of some images in the order of `keys`, one at a time; images may have none."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for key in keys:
                if key in self._begins:
                    file.seek(self._begins[key])
                    yield json.loads(file.readline())


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(where it begins, record) of each whole line; a line cut short by a kill is left out."""
    if not path.exists():
        return
    with path.open("rb") as file:
        begin = 0
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if isinstance(record, dict):
                yield begin, record
            begin += len(line)


def write_coco(
    path: Path,
    records: Callable[[], Iterator[dict[str, Any]]],
    categories: list[dict[str, Any]],
    info: dict[str, Any],
) -> int:
    """Write journal records as a COCO document, piece by piece into a temporary file that is then renamed.

    Args:
        path: the JSON file.
        records: gives a fresh pass over the records.
        categories: COCO categories.
        info: COCO's `info`.

    Returns:
        How many annotations were written; they are numbered from 1.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{secrets.token_hex(8)}.tmp"
    counted = [0]
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.writelines(_pieces(records, categories, info, counted))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return counted[0]


def _pieces(
    records: Callable[[], Iterator[dict[str, Any]]],
    categories: list[dict[str, Any]],
    info: dict[str, Any],
    counted: list[int],
) -> Iterator[str]:
    yield f'{{"info": {to_json(info, indent=None)},\n"images": [\n'
    yield from _joined(to_json(one["image"], indent=None) for one in records() if "image" in one)
    yield '\n],\n"annotations": [\n'
    yield from _joined(_numbered(records(), counted))
    yield f'\n],\n"categories": {to_json(categories, indent=None)}}}\n'


def _numbered(records: Iterator[dict[str, Any]], counted: list[int]) -> Iterator[str]:
    for record in records:
        for annotation in record.get("annotations", ()):
            counted[0] += 1
            own = {"id": counted[0], "image_id": record["id"], **annotation}
            yield to_json(own, indent=None)


def _joined(texts: Iterator[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        yield text if number == 0 else ",\n" + text
