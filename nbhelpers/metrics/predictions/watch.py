"""While a model predicts, nobody in this process may open the files of labels.

Python tells an audit hook of every file it is asked to open (PEP 578). The hook here raises when the file is
one of those watched, by whatever path or link it was named.

Not seen: a file opened before, files opened by C code or by another process, and a copy under another name.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbhelpers.errors import BadInput

_Identity = tuple[int, int]  # device and number of the file: the same for every link to it


class _Watch:
    """The files of labels watched now, how often each, and those that were touched."""

    def __init__(self) -> None:
        self.files: dict[_Identity, list[str]] = {}
        self.touched: list[str] = []
        self.hooked = False

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Called by the interpreter; it cannot be removed, and does nothing while nothing is watched."""
        if event != "open" or not self.files or isinstance(arguments[0], int):
            return
        names = self.files.get(_identity(arguments[0]) or (-1, -1))
        if names:
            self.touched.append(names[-1])
            raise BadInput(_message(names[-1]))


_WATCH = _Watch()


@contextmanager
def labels_unread(files: Iterable[Path | str]) -> Iterator[None]:
    """Make opening any of these files an error inside the block, in all threads of this process.

    Args:
        files: where labels stand, such as `annotations.json` or `index.json`.

    Raises:
        BadInput: there is no such file; or it was opened, also where the code that did so hid the error.
    """
    watched = [(_watched(Path(file)), str(file)) for file in files]
    if watched and not _WATCH.hooked:
        sys.addaudithook(_WATCH.hook)
        _WATCH.hooked = True
    seen = len(_WATCH.touched)
    for identity, name in watched:
        _WATCH.files.setdefault(identity, []).append(name)
    try:
        yield
    finally:
        for identity, name in watched:
            _WATCH.files[identity].remove(name)
            if not _WATCH.files[identity]:
                del _WATCH.files[identity]
    hidden = [name for name in _WATCH.touched[seen:] if name in {own for _, own in watched}]
    if hidden:
        raise BadInput(_message(hidden[0]))


def _watched(path: Path) -> _Identity:
    identity = _identity(path)
    if identity is None:
        raise BadInput(f"{path}: there is no such file of labels to watch")
    return identity


def _identity(path: Any) -> _Identity | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a path may be bytes here
    except (OSError, ValueError, TypeError):
        return None  # such a path opens nothing that is watched
    return found.st_dev, found.st_ino


def _message(name: str) -> str:
    return f"{name}: holds the labels and was opened while predictions were made, so these are not kept"
