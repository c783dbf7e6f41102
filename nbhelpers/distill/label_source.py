"""The images teachers are to label: of a folder or of a COCO set, listed by name, read one by one."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.data.images import read_image
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet

# What is taken for an image in a folder; a set names its images itself.
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".jp2", ".ppm", ".pgm"}


@dataclass
class Source:
    """Images by key; of a set's annotations nothing is ever read here.

    Attributes:
        folder: of the images, None for a set.
        coco: the set, None for a folder.
        keys: in the order of labelling: relative POSIX names below the folder, or image ids of the set.
        skipped: files of the folder that are no images by their suffix.
    """

    folder: Path | None
    coco: "CocoSet | None"
    keys: list[Any] = field(repr=False)
    skipped: int = 0

    @property
    def where(self) -> str:
        """The folder or the set's file, for messages."""
        return str(self.folder if self.coco is None else self.coco.path)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.keys)

    def __len__(self) -> int:
        return len(self.keys)

    def name(self, key: Any) -> str:
        """`file_name` of an image."""
        return str(key if self.coco is None else self.coco.image_record(key)["file_name"])

    def path(self, key: Any) -> Path:
        """Where its file lies.

        Raises:
            BadInput: the set's image is not found.
        """
        if self.coco is not None:
            return self.coco.image_path(key)
        assert self.folder is not None
        return self.folder / key

    def read(self, key: Any) -> NDArray[np.uint8]:
        """Decode an image, past the set's cache, which would fill up with images that are seen once.

        Returns:
            (H, W, 3) uint8 RGB, in the frame of the set's annotations.

        Raises:
            BadInput: the file is missing or damaged.
        """
        frame = "displayed" if self.coco is None else self.coco.frame_of(key)
        return read_image(self.path(key), frame)

    def stamp(self, key: Any) -> list[int]:
        """Size in bytes and time of change of its file: what tells images apart; empty without a file."""
        try:
            facts = self.path(key).stat()
        except (BadInput, OSError):
            return []
        return [facts.st_size, facts.st_mtime_ns]


def open_source(images: "Path | str | CocoSet") -> Source:
    """List the images of a folder (with its sub-folders, by name) or of a set (in its order).

    Raises:
        BadInput: there is no such folder, or no image in it.
    """
    from nbhelpers.data import CocoSet

    if isinstance(images, CocoSet):
        source = Source(None, images, images.image_ids)
        if not source.keys:
            raise BadInput(f"{images.path}: has no images to label")
        return source
    folder = Path(images)
    if not folder.is_dir():
        raise BadInput(f"{folder}: there is no such folder; name the folder of the images, or a COCO set")
    names, skipped = _names(folder)
    if not names:
        raise BadInput(
            f"{folder}: holds no images ({skipped} other files); known: {' '.join(sorted(SUFFIXES))}"
        )
    return Source(folder, None, names, skipped)


def _names(folder: Path) -> tuple[list[str], int]:
    """Names of the images below a folder, sorted; hidden files and folders do not count."""
    names, skipped = [], 0
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.startswith(".") or Path(name).suffix.lower() not in SUFFIXES:
                skipped += not name.startswith(".")
                continue
            names.append(Path(parent, name).relative_to(folder).as_posix())
    return sorted(names), skipped
