"""The records of images, without their files: objects, ids, names, sizes."""

from typing import Any
from urllib.parse import unquote, urlsplit

from nbhelpers.data.validate.draft import Draft, shown
from nbhelpers.data.validate.values import IdMap, whole

# A side or a number of pixels beyond these is a mistake, and masks of that size would not fit in memory.
LARGEST_SIDE_PX = 2**17
LARGEST_IMAGE_PX = 2**30


class ImageRows:
    """From the image id an annotation names to the row of the image it means."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        records = [record for record in draft.images if isinstance(record, dict)]
        self._ids = IdMap([record.get("id") for record in records])
        self._rows: dict[int, int] = {}
        names: dict[str, int] = {}
        for row, record in enumerate(draft.images):
            if not isinstance(record, dict):
                draft.image(row, "image_not_an_object", f"images[{row}] is {shown(record)}", "dropped")
            elif self._identify(row, record):
                self._name(row, record, names)
                self._size(row, record)

    def find(self, value: Any) -> tuple[int, int] | None:
        """(id, row) of the image that `value` names, whether it was dropped or not; None for an orphan."""
        id_ = self._ids.find(value)
        return None if id_ is None or id_ not in self._rows else (id_, self._rows[id_])

    def _identify(self, row: int, record: dict[str, Any]) -> bool:
        raw = record.get("id")
        id_, is_new = self._ids.take(raw)
        if id_ in self._rows:
            self._double(row, record, id_)
            return False
        self._rows[id_] = row
        record["id"] = id_
        if raw is None:
            self._draft.image(row, "image_id_missing", f"has no id; it is now {id_}", "repaired")
        elif is_new or type(raw) is not int:
            self._draft.image(row, "image_id_rewritten", f"the id {shown(raw)} is now {id_}", "repaired")
        return True

    def _double(self, row: int, record: dict[str, Any], id_: int) -> None:
        first = self._draft.images[self._rows[id_]]
        if {**record, "id": id_} == first:
            message = f"image {id_} is there twice, the same in every key"
            self._draft.image(row, "image_duplicate", message, "dropped", "warning")
            return
        message = (
            f"the id {id_} belongs to {shown(first.get('file_name'))} already; "
            "annotations with this id are taken to mean that image"
        )
        self._draft.image(row, "image_duplicate_id", message, "dropped")

    def _name(self, row: int, record: dict[str, Any], names: dict[str, int]) -> None:
        name = record.get("file_name")
        if not (isinstance(name, str) and name.strip()):
            name = _name_from_url(record)
            if name is None:
                message = f"file_name is {shown(record.get('file_name'))}"
                self._draft.image(row, "file_name_missing", message, "dropped")
                return
            record["file_name"] = name
            self._draft.image(row, "file_name_from_url", f"file_name {name!r} taken from its URL", "repaired")
        if not name.isascii():
            message = "the name is not ASCII; some tools fail on it"
            self._draft.image(row, "file_name_not_ascii", message, "kept", "info")
        if names.setdefault(name, row) != row:
            other = self._draft.images[names[name]]["id"]
            self._draft.image(row, "file_name_duplicate", f"image {other} names the same file", "kept")

    def _size(self, row: int, record: dict[str, Any]) -> None:
        """Take width and height where they are sound; 0 says that the file must be asked."""
        raw = (record.get("width"), record.get("height"))
        sides = [whole(side) for side in raw]
        if not sound_size(sides[0], sides[1]):
            return
        self.set_size(row, sides[0] or 0, sides[1] or 0)
        if any(type(side) is not int for side in raw):
            message = f"width and height {shown(list(raw))} are now numbers"
            self._draft.image(row, "image_size_text", message, "repaired")

    def set_size(self, row: int, width: int, height: int) -> None:
        """Write a size in pixels into the record and the column."""
        set_size(self._draft, row, width, height)


def set_size(draft: Draft, row: int, width: int, height: int) -> None:
    """Write an image's size in pixels into its record and the column."""
    draft.images[row]["width"], draft.images[row]["height"] = width, height
    draft.sizes[row] = width, height


def sound_size(width: int | None, height: int | None) -> bool:
    """Whether a size is one an image can have."""
    if not width or not height or min(width, height) < 1:
        return False
    return max(width, height) <= LARGEST_SIDE_PX and width * height <= LARGEST_IMAGE_PX


def _name_from_url(record: dict[str, Any]) -> str | None:
    """Some sets (LVIS) name their images by `coco_url` alone; the base name is what is on disk."""
    for key in ("coco_url", "flickr_url"):
        url = record.get(key)
        if not isinstance(url, str):
            continue
        try:
            name = unquote(urlsplit(url).path).rsplit("/", 1)[-1]
        except ValueError:
            continue
        if name.strip():
            return name
    return None
