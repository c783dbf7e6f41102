"""Where the image file of a record lies: as named, in a sub-folder, or by its base name as a last resort."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from nbhelpers.errors import BadInput

How = Literal["exact", "absolute", "sub_folder", "base_name", "ambiguous", "outside", "missing"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where a file name led.

    Attributes:
        path: the image file; None where there is none or no single one.
        how: `exact` (folder/name), `absolute` (the name is a full path that exists), `sub_folder` (the whole
            name matches below a sub-folder), `base_name` (only the last part, or the last few, match),
            `ambiguous` (several match equally well), `outside` (the name leaves the folder), `missing`.
        folder: the folder of search the file was found in, None where it was not.
    """

    path: Path | None
    how: How
    folder: Path | None = None

    @property
    def relative(self) -> str | None:
        """The name under which the file is found at once: POSIX, relative to the folder of search."""
        if self.path is None or self.folder is None:
            return None
        return PurePosixPath(os.path.relpath(self.path, self.folder)).as_posix()


class ImageIndex:
    """All files below some folders by base name, listed once and only when a name is not where it says."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)

    @cached_property
    def _by_name(self) -> dict[str, list[tuple[Path, Path]]]:
        found: dict[str, list[tuple[Path, Path]]] = defaultdict(list)
        for folder in self.folders:
            for parent, subfolders, names in os.walk(folder):
                subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
                for name in sorted(names):
                    found[_key(name)].append((folder, Path(parent, name)))
        return found

    def named(self, name: str) -> list[tuple[Path, Path]]:
        """(folder of search, path) of each file of that base name; case and Unicode form are ignored."""
        seen: set[Path] = set()
        pairs = self._by_name.get(_key(name), [])
        return [pair for pair in pairs if not (pair[1] in seen or seen.add(pair[1]))]  # type: ignore[func-returns-value]


def image_folders(document: Path, images: Path | None = None) -> tuple[Path, ...]:
    """The folders in which a document's images are looked for, in order.

    `images` alone where it is given; else the folder of the JSON, `images/` in it, and, where the JSON lies
    in `annotations/` (the layout of the official sets), the folder above and `images/` in that.

    Raises:
        BadInput: `images` is given and is no folder.
    """
    if images is not None:
        if not Path(images).is_dir():
            raise BadInput(f"{images}: there is no such folder; name the folder that holds the images")
        return (Path(images),)
    roots = [Path(document).parent]
    if roots[0].absolute().name == "annotations":
        roots.append(roots[0].absolute().parent)
    return tuple(folder for root in roots for folder in (root, root / "images") if folder.is_dir())


def resolve_image(file_name: str, folder: Path | Sequence[Path], index: ImageIndex | None = None) -> Resolved:
    """Find the file an image record names.

    In this order: the name below a folder as it stands; with backslashes read as slashes; a full path that
    lies below a folder; the file below a folder whose path shares the longest end with the name (a full or
    Windows path loses its start, case and Unicode form are ignored); a full path elsewhere on this machine.
    A name that climbs out of the folder with `..` is never followed.

    Args:
        file_name: `file_name` of a COCO image record.
        folder: the folder or folders of search, tried in order.
        index: the listing of those folders; pass one to list them once for many names.
    """
    folders = (Path(folder),) if isinstance(folder, str | Path) else tuple(folder)
    parts = _parts(file_name)
    if not parts:
        return Resolved(None, "missing")
    direct = _direct(file_name, parts, folders)
    if direct is not None:
        return direct
    similar = _similar(parts, index or ImageIndex(folders))
    if similar is not None:
        return similar
    if Path(file_name).is_absolute() and ".." not in parts and _is_file(Path(file_name)):
        return Resolved(Path(file_name), "absolute")
    return Resolved(None, "outside" if _climbs(parts) else "missing")


def _parts(file_name: str) -> list[str]:
    """The name's components without drive, root and `.`; empty for what cannot be a path."""
    if not file_name or "\0" in file_name or len(file_name) > 4096:
        return []
    windows = PureWindowsPath(file_name)
    text = file_name[len(windows.drive) :] if windows.drive else file_name
    return [part for part in PurePosixPath(text.replace("\\", "/")).parts if part not in {"/", "//", "."}]


def _direct(file_name: str, parts: list[str], folders: tuple[Path, ...]) -> Resolved | None:
    for folder in folders:
        for name in dict.fromkeys([file_name, "/".join(parts)]):
            path = folder / name
            if _below(path, folder) and _is_file(path):
                how: How = "absolute" if Path(name).is_absolute() else "exact"
                return Resolved(path, how, folder)
    return None


def _similar(parts: list[str], index: ImageIndex) -> Resolved | None:
    """The file that shares the longest end with the name; None without one, `ambiguous` with several."""
    scores: dict[tuple[int, bool], list[tuple[Path, Path]]] = defaultdict(list)
    for folder, path in index.named(parts[-1]):
        shared = _shared_end(path.relative_to(folder).parts, parts)
        scores[shared, path.name == parts[-1]].append((folder, path))
    if not scores:
        return None
    best = max(scores)
    if len(scores[best]) > 1:
        return Resolved(None, "ambiguous")
    folder, path = scores[best][0]
    return Resolved(path, "sub_folder" if best[0] == len(parts) else "base_name", folder)


def _shared_end(left: Sequence[str], right: Sequence[str]) -> int:
    count = 0
    for one, other in zip(reversed(left), reversed(right), strict=False):
        if _key(one) != _key(other):
            break
        count += 1
    return count


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _below(path: Path, folder: Path) -> bool:
    """Whether the path stays in the folder by its letters; links inside a folder may lead anywhere."""
    root = os.path.abspath(folder)  # noqa: PTH100 - Path.absolute keeps `..`, Path.resolve follows links
    return os.path.commonpath([root, os.path.abspath(path)]) == root  # noqa: PTH100


def _climbs(parts: Sequence[str]) -> bool:
    depth = 0
    for part in parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def _is_file(path: Path) -> bool:
    """`Path.is_file`, False for names the file system cannot hold (too long, not encodable)."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
