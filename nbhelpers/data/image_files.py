"""Image files of a prepared set: ordinary ones linked, odd ones rewritten as plain RGB under safe names."""

import contextlib
import hashlib
import io
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from nbhelpers.artifacts import write_atomic
from nbhelpers.data.images import Frame, ImageFacts, probe_image, read_image
from nbhelpers.runtime import progress

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet

How = Literal["hard_linked", "symlinked", "copied", "rewritten"]

# What Pillow, OpenCV and the trainers read alike, by Pillow's name of the format.
PLAIN_FORMATS = {"JPEG", "MPO", "PNG", "BMP", "WEBP"}
PLAIN_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
MOST_NAME_BYTES = 120


@dataclass(frozen=True)
class Placed:
    """Where one image went.

    Attributes:
        image_id: id of the image record.
        source: its `file_name` before.
        file_name: its name now, POSIX, relative to the images folder.
        how: hard link, symbolic link, copy, or written anew.
        reasons: what was odd about it and is no longer, empty for an ordinary image.
    """

    image_id: Any
    source: str
    file_name: str
    how: How
    reasons: tuple[str, ...] = ()


def place_images(
    coco: "CocoSet", folder: Path, copy: bool = False, names: Mapping[Any, str] | None = None
) -> tuple["CocoSet", list[Placed]]:
    """Put every image of a set into `folder`, keeping sub-folders.

    Ordinary files are hard-linked, else symbolically linked, else copied. Files that tools read differently
    (EXIF orientation, palette, CMYK, 16-bit, alpha, rare formats) are written anew as plain RGB in the frame
    of their annotations: JPEG (quality 95, no chroma subsampling) where they were JPEG, else PNG. Names that
    are not plain ASCII, or that two images would share, become safe ones. Files already in place are left;
    each file appears whole or not at all.

    Args:
        coco: the set; it is not changed.
        folder: where the images go.
        copy: copy rather than link, for a folder that will be moved to another disk.
        names: image id to the name wanted in `folder`; without it the set's own name.

    Returns:
        The set with its new names, looking for images in `folder`, and where each image went, in its order.

    Raises:
        BadInput: an image is missing or cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = names or {image["id"]: image["file_name"] for image in coco.images}
    safe = _safe_names(wanted)
    placed = [
        _place(coco, image, (wanted[image["id"]], safe[image["id"]]), folder, copy)
        for image in progress(coco.images, label="place images", unit="image")
    ]
    images = [{**image, "file_name": item.file_name} for image, item in zip(coco.images, placed, strict=True)]
    frames: dict[int, Frame] = dict.fromkeys(coco.image_ids, "displayed")
    return replace(coco, images=images, folders=(folder,), frames=frames), placed


def _place(
    coco: "CocoSet", image: dict[str, Any], names: tuple[str, str], folder: Path, copy: bool
) -> Placed:
    """Bring one image to its place; `names` are the name wanted and the safe one it gets."""
    wanted, name = names
    path = coco.image_path(image["id"])
    facts = probe_image(path)
    reasons = _reasons(facts)
    renamed = ("file name",) if name != plain_path(wanted) else ()
    if reasons:
        name = str(PurePosixPath(name).with_suffix(".jpg" if facts.format in {"JPEG", "MPO"} else ".png"))
        write_atomic(folder / name, _encode(path, coco.frame_of(image["id"]), name))
        how: How = "rewritten"
    else:
        how = _link(path.resolve(), folder / name, copy)
    return Placed(image["id"], image["file_name"], name, how, reasons + renamed)


def _reasons(facts: ImageFacts) -> tuple[str, ...]:
    odd = tuple(facts.odd.split(", ")) if facts.odd else ()
    return odd if facts.format in PLAIN_FORMATS else (*odd, f"format {facts.format}")


def _encode(path: Path, frame: Frame, name: str) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.fromarray(read_image(path, frame))
    if name.endswith(".jpg"):
        image.save(buffer, "JPEG", quality=95, subsampling=0)
    else:
        image.save(buffer, "PNG")
    return buffer.getvalue()


def _link(source: Path, target: Path, copy: bool) -> How:
    """Make `target` the same file as `source`, by the cheapest way the file systems allow."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and target.samefile(source) and not copy:
        return "symlinked" if target.is_symlink() else "hard_linked"
    ways: list[tuple[How, Any]] = [("hard_linked", os.link), ("symlinked", os.symlink)]
    for how, make in [] if copy else ways:
        # Another file system, a file of someone else's, or no right to make links: the next way will do.
        with contextlib.suppress(OSError), _replacing(target) as temporary:
            make(source, temporary)
            return how
    if not _is_copy(source, target):
        with _replacing(target) as temporary:
            shutil.copy2(source, temporary)
    return "copied"


@contextlib.contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """A free name beside `target` that takes its place when the block ends well."""
    temporary = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _is_copy(source: Path, target: Path) -> bool:
    if target.is_symlink() or not target.is_file() or target.samefile(source):
        return False
    one, other = source.stat(), target.stat()
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def _safe_names(wanted: Mapping[Any, str]) -> dict[Any, str]:
    """Image id to a safe name no other image has, also where letter case and suffix do not count."""
    taken: set[str] = set()
    safe: dict[Any, str] = {}
    for image_id, file_name in sorted(wanted.items(), key=lambda item: (not _is_safe(item[1]), item[0])):
        name = _safe(file_name)
        if _stem(name) in taken:
            name = _tagged(name, file_name)
        while _stem(name) in taken:
            name = _tagged(name, f"{image_id} {name}")
        taken.add(_stem(name))
        safe[image_id] = name
    return safe


def _stem(name: str) -> str:
    """What names a label file: trainers put `1.txt` beside both `1.jpg` and `1.png`."""
    return name.rpartition(".")[0].casefold()


def _is_safe(file_name: str) -> bool:
    return _safe(file_name) == plain_path(file_name)


def plain_path(file_name: str) -> str:
    """The name as a relative POSIX path without `..` or a leading `images/`; of a full path the last part."""
    text = file_name.replace("\\", "/")
    parts = [part for part in text.split("/") if part not in {"", ".", ".."}]
    if text.startswith("/") or text[1:2] == ":":
        parts = parts[-1:]
    if len(parts) > 1 and parts[0] == "images":
        parts = parts[1:]
    return "/".join(parts)


def _safe(file_name: str) -> str:
    """A name of plain ASCII letters with a known suffix; what had to be changed leaves a short hash in it."""
    path = PurePosixPath(plain_path(file_name))
    suffix = path.suffix if path.suffix.lower() in PLAIN_SUFFIXES else ".png"
    stems = [*path.parent.parts, path.name[: -len(path.suffix)] if path.suffix else path.name]
    cleaned = "/".join(_clean(stem) for stem in stems) + suffix
    changed = cleaned != str(path) and cleaned != str(path.with_suffix(suffix))
    return _tagged(cleaned, file_name) if changed else cleaned


def _clean(part: str) -> str:
    kept = "".join(letter if _is_plain(letter) else "_" for letter in part)[:MOST_NAME_BYTES]
    return kept.strip(" .").lstrip("-") or "_"


def _is_plain(letter: str) -> bool:
    return letter.isascii() and letter.isprintable() and letter not in '<>:"|?*%#\\'


def _tagged(name: str, text: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}{dot}{suffix}"


def count_ways(placed: Iterable[Placed]) -> dict[str, int]:
    """How many images were linked, copied and written anew."""
    ways: dict[str, int] = {"hard_linked": 0, "symlinked": 0, "copied": 0, "rewritten": 0}
    for item in placed:
        ways[item.how] += 1
    return ways
