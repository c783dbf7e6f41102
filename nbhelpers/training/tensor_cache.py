"""Tensors kept on disk within a bound: what a frozen part of a model makes of an input, computed once."""

import contextlib
import hashlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nbhelpers.artifacts import write_atomic
from nbhelpers.errors import BadInput
from nbhelpers.runtime import GIB

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

Kept = tuple["Tensor", ...]

_SUFFIX = ".embedding"
_DIGEST_BYTES = 16
# When the bound is passed, files go until so much of it is used: not one by one with every input.
_KEPT_SHARE = 0.9
# Another process may write here too, so the folder itself is looked at again after so many files.
_LOOK_EVERY = 256


class TensorCache:
    """Tensors on disk, by a hash of the input and one of the model; the longest unused ones leave first.

    Several processes may use one folder: files appear and vanish whole, and a file that another process has
    taken away is computed again.

    Args:
        folder: made if missing; holds these files and nothing else.
        limit_gib: bound of all files in the folder. Another process's files count once the folder is looked
            at, after 256 own files at the latest.
        model_digest: hex digits of all the tensors depend on beside the input.
        dtype: the numbers are kept in; None keeps them as they come.

    Attributes:
        hits, misses: what `get` found and did not find.

    Raises:
        BadInput: a bound that is not above 0.
    """

    def __init__(
        self,
        folder: Path,
        limit_gib: float,
        model_digest: str,
        dtype: Literal["float16", "float32"] | None = None,
    ) -> None:
        if not limit_gib > 0:
            raise BadInput(f"kept tensors: a bound of {limit_gib} GiB; give one above 0")
        self.folder, self.dtype = Path(folder), dtype
        self.limit_bytes = int(limit_gib * GIB)
        self.hits = self.misses = 0
        self._digest = model_digest
        self._used, self._puts = self._look(), 0

    def path(self, key: str) -> Path:
        """Where the tensors of an input lie, or would lie."""
        return self.folder / f"{self._digest[:16]}-{key}-{self.dtype or 'as-is'}{_SUFFIX}"

    def get(self, key: str) -> "Kept | None":
        """The tensors of an input on the CPU, or None; a damaged file is removed with a warning.

        Args:
            key: hex digits of the input.
        """
        path = self.path(key)
        found = _read(path)
        if found is None:
            self.misses += 1
            return None
        with contextlib.suppress(FileNotFoundError):  # another process took it away after it was read
            os.utime(path)  # now the last one to leave
        self.hits += 1
        return found

    def put(self, key: str, tensors: "Kept") -> "Kept":
        """Keep tensors; returns them as `get` will give them, rounded to the cache's dtype, on the CPU."""
        import torch
        from safetensors.torch import save

        dtype = getattr(torch, self.dtype) if self.dtype else None
        rounded = tuple(level.detach().to("cpu", dtype or level.dtype) for level in tensors)
        data = save({f"level_{number}": level.contiguous() for number, level in enumerate(rounded)})
        content = hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest() + data
        write_atomic(self.path(key), content, sync=False)
        self._used += len(content)
        self._puts += 1
        if self._puts % _LOOK_EVERY == 0:
            self._used = self._look()
        if self._used > self.limit_bytes:
            self._used = self._make_room()
        return rounded

    def bytes_used(self) -> int:
        """Size of all files in the folder."""
        self._used = self._look()
        return self._used

    def _files(self) -> list[tuple[float, int, Path]]:
        """(last use, bytes, path) of every file, the longest unused first."""
        found = []
        for path in self.folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                facts = path.stat()
                found.append((facts.st_mtime, facts.st_size, path))
        return sorted(found)

    def _look(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _make_room(self) -> int:
        files = self._files()
        used = sum(size for _, size, _ in files)
        if used <= self.limit_bytes:
            return used
        for _, size, path in files:
            if used <= _KEPT_SHARE * self.limit_bytes:
                break
            path.unlink(missing_ok=True)
            used -= size
        return used


def _read(path: Path) -> "Kept | None":
    from safetensors.torch import load

    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    data = content[_DIGEST_BYTES:]
    if hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest() != content[:_DIGEST_BYTES]:
        log.warning("%s: is damaged; what it held is computed again", path)
        path.unlink(missing_ok=True)
        return None
    levels = load(data)
    return tuple(levels[f"level_{number}"] for number in range(len(levels)))
