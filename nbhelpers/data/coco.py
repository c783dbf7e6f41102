"""A COCO set in memory: its records, its images one by one through a bounded cache, and its file."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbhelpers.artifacts import plain, write_atomic
from nbhelpers.data.cache import ImageCache
from nbhelpers.data.document import read_document
from nbhelpers.data.images import Frame, probe_image, read_image
from nbhelpers.data.paths import ImageIndex, image_folders, resolve_image
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    import supervision as sv

_OWN_KEYS = {"images", "annotations", "categories", "info"}


@dataclass
class CocoSet:
    """One COCO document whose records are sound; made by `load_coco` and `validate`.

    Attributes:
        path: the JSON file it came from.
        images, annotations, categories: COCO records, in the order of the document.
        info: COCO's `info`; empty where the document has none.
        extra: all other keys of the document (`licenses` ...), kept as they are.
        folders: where image files are looked for, in order.
        frames: image id to the frame its annotations are in, where that was decided (see `frame_of`).
        cache_mib: bound of the cache of decoded images, MiB.
    """

    path: Path
    images: list[dict[str, Any]]
    annotations: list[dict[str, Any]]
    categories: list[dict[str, Any]]
    info: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    folders: tuple[Path, ...] = ()
    frames: dict[int, Frame] = field(default_factory=dict)
    cache_mib: float = 256
    _cache: ImageCache = field(init=False, repr=False, compare=False)
    _paths: dict[int, Path] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Start with an empty cache."""
        self._cache = ImageCache(self.cache_mib)

    @cached_property
    def class_names(self) -> list[str]:
        """Class names in the order of category ids; the position is the contiguous class index."""
        return [str(entry["name"]) for entry in sorted(self.categories, key=lambda entry: entry["id"])]

    @cached_property
    def class_index(self) -> dict[int, int]:
        """Category id to contiguous class index 0..n-1."""
        return {id_: index for index, id_ in enumerate(sorted(entry["id"] for entry in self.categories))}

    @property
    def image_ids(self) -> list[int]:
        """Ids of the images in the order of the document."""
        return [image["id"] for image in self.images]

    @cached_property
    def _images_by_id(self) -> dict[int, dict[str, Any]]:
        return {image["id"]: image for image in self.images}

    @cached_property
    def _annotations_by_image(self) -> dict[int, list[dict[str, Any]]]:
        grouped: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for annotation in self.annotations:
            grouped[annotation["image_id"]].append(annotation)
        return dict(grouped)

    @cached_property
    def _index(self) -> ImageIndex:
        return ImageIndex(self.folders)

    def image_record(self, image_id: int) -> dict[str, Any]:
        """The COCO record of an image.

        Raises:
            BadInput: there is no such image.
        """
        if image_id not in self._images_by_id:
            raise BadInput(f"{self.path}: there is no image with id {image_id}")
        return self._images_by_id[image_id]

    def annotations_of(self, image_id: int) -> list[dict[str, Any]]:
        """All annotations of an image, crowds included, in the order of the document."""
        return self._annotations_by_image.get(image_id, [])

    def image_path(self, image_id: int) -> Path:
        """Where the image file lies.

        Raises:
            BadInput: no such image, or its file is not found; names the folders searched.
        """
        if image_id not in self._paths:
            name = self.image_record(image_id)["file_name"]
            found = resolve_image(name, self.folders, self._index)
            if found.path is None:
                searched = ", ".join(map(str, self.folders))
                raise BadInput(f"{self.path}: image {image_id}: {name!r} is {found.how} in {searched}")
            self._paths[image_id] = found.path
        return self._paths[image_id]

    def frame_of(self, image_id: int) -> Frame:
        """Whether the annotations are in the image as `displayed` (EXIF turn applied) or as `stored`.

        What `validate` decided; else by the record's size: stored where only the stored size equals it.
        """
        if image_id not in self.frames:
            record, facts = self.image_record(image_id), probe_image(self.image_path(image_id))
            size = (record.get("width"), record.get("height"))
            is_stored = size != facts.displayed_size and size == (facts.width, facts.height)
            self.frames[image_id] = "stored" if is_stored else "displayed"
        return self.frames[image_id]

    def image(self, image_id: int) -> NDArray[np.uint8]:
        """Decode an image in the frame of its annotations; the last ones used are kept up to `cache_mib`.

        Returns:
            Shape (H, W, 3), uint8, 0..255, RGB; a copy, free to be drawn on.

        Raises:
            BadInput: no such image, or its file is missing or damaged.
        """
        pixels = self._cache.get(image_id)
        if pixels is None:
            pixels = read_image(self.image_path(image_id), self.frame_of(image_id))
            self._cache.put(image_id, pixels)
        return pixels.copy()

    def detections(self, image_id: int, *, crowds: bool = True) -> "sv.Detections":
        """The annotations of an image as supervision knows them; see `nbhelpers.data.detections`."""
        from nbhelpers.data.detections import to_detections

        return to_detections(self, image_id, crowds=crowds)

    def subset(self, image_ids: Iterable[int]) -> "CocoSet":
        """The set of some images with their annotations; categories, records and paths are shared.

        Raises:
            BadInput: an id is not in the set.
        """
        wanted = {self.image_record(image_id)["id"] for image_id in image_ids}
        return replace(
            self,
            images=[image for image in self.images if image["id"] in wanted],
            annotations=[entry for entry in self.annotations if entry["image_id"] in wanted],
            frames={key: frame for key, frame in self.frames.items() if key in wanted},
        )

    def to_dict(self) -> dict[str, Any]:
        """The COCO document; the records are not copied."""
        return {
            "info": self.info,
            **self.extra,
            "images": self.images,
            "annotations": self.annotations,
            "categories": self.categories,
        }

    def save(self, path: Path) -> Path:
        """Write the COCO document as strict JSON, atomically; NaN in unknown keys becomes null."""
        document = self.to_dict()
        try:
            text = json.dumps(document, allow_nan=False)
        except (ValueError, TypeError):  # NaN, or numpy values of a caller: the slow way understands both
            text = json.dumps(plain(document), allow_nan=False)
        return write_atomic(Path(path), text + "\n")


def load_coco(path: Path, images: Path | None = None, cache_mib: float = 256) -> CocoSet:
    """Open a COCO file that is clean already (or was checked: see `validate`); images stay on disk.

    Args:
        path: the JSON file.
        images: the folder of the images; without it they are looked for beside the JSON, in `images/` there,
            and above an `annotations/` folder.
        cache_mib: bound of the cache of decoded images, MiB.

    Raises:
        BadInput: no COCO document, a record without what every record needs, or `images` is no folder.
    """
    path = Path(path)
    document = read_document(path).content
    _require_records(path, document)
    return from_document(document, path, image_folders(path, images), cache_mib)


def from_document(
    document: Mapping[str, Any], path: Path, folders: tuple[Path, ...], cache_mib: float = 256
) -> CocoSet:
    """Wrap a document whose records are sound."""
    info = document.get("info")
    return CocoSet(
        path=path,
        images=document["images"],
        annotations=document["annotations"],
        categories=document.get("categories") or [],
        info=info if isinstance(info, dict) else {},
        extra={key: value for key, value in document.items() if key not in _OWN_KEYS},
        folders=folders,
        cache_mib=cache_mib,
    )


_REQUIRED: dict[str, dict[str, type]] = {
    "images": {"id": int, "file_name": str},
    "annotations": {"id": int, "image_id": int, "category_id": int},
    "categories": {"id": int, "name": str},
}


def _require_records(path: Path, document: Mapping[str, Any]) -> None:
    """Refuse records that would break later, naming the first; `validate` says all and repairs."""
    for kind, fields in _REQUIRED.items():
        records = document.get(kind)
        if not isinstance(records, list):
            raise BadInput(f"{path}: {kind!r} is not a list; run validate-dataset on it")
        for index, record in enumerate(records):
            for key, wanted in fields.items():
                if not isinstance(record, dict) or type(record.get(key)) is not wanted:
                    raise BadInput(
                        f"{path}: {kind}[{index}]: {key!r} is missing or not {wanted.__name__}; "
                        "run validate-dataset on it, which repairs what can be repaired"
                    )
