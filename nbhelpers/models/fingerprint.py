"""Which weights a folder holds: whether they are whole, and a hash that tells two versions apart."""

import hashlib
from pathlib import Path

from nbhelpers.artifacts import read_json
from nbhelpers.errors import BadInput

_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_SINGLE = ("model.safetensors", "pytorch_model.bin")
# Of a larger file the header (names, shapes) and the tail are hashed: reading 8 GB would take longer than
# loading them, and no training leaves the last tensors as they were.
_WHOLE, _PART = 64 << 20, 1 << 20


def missing_weights(folder: Path) -> list[str]:
    """Names of weight files a model folder lacks; empty where they are all there."""
    for name in _INDEXES:
        if (folder / name).is_file():
            return sorted(part for part in shards(folder / name) if not (folder / part).is_file())
    return [] if any((folder / name).is_file() for name in _SINGLE) else [_SINGLE[0]]


def shards(index: Path) -> set[str]:
    """The file names an index of weights speaks of.

    Raises:
        BadInput: the index is no JSON object with a `weight_map`.
    """
    weight_map = dict(read_json(index) or {}).get("weight_map")
    if not isinstance(weight_map, dict):
        raise BadInput(f"{index}: has no weight_map; copy the file again")
    return set(map(str, weight_map.values()))


def folder_revision(folder: Path) -> str:
    """`sha256:` and 16 hex digits of the configuration and the weights; equal content gives equal text.

    Files above 64 MiB count by size, first and last MiB.
    """
    digest = hashlib.sha256()
    files = [folder / "config.json", *sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")])]
    for path in files:
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        _hash_file(path, digest)
    return f"sha256:{digest.hexdigest()[:16]}"


def _hash_file(path: Path, digest: "hashlib._Hash") -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _WHOLE:
            digest.update(file.read())
            return
        digest.update(file.read(_PART))
        file.seek(size - _PART)
        digest.update(file.read(_PART))
