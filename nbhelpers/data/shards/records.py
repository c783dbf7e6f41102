"""What is known of shards: tar files of clips, each with its checksum."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nbhelpers.artifacts import read_json
from nbhelpers.data.clips import Clip
from nbhelpers.errors import BadInput

INDEX = "shards.json"


@dataclass(frozen=True)
class Shard:
    """One tar file: its name, SHA-256, size and the ids of its clips, in order."""

    file_name: str
    sha256: str
    size_bytes: int
    clips: tuple[str, ...]


@dataclass(frozen=True)
class ShardSet:
    """The shards of a folder, in order, as `shards.json` lists them."""

    path: Path
    operations: tuple[str, ...]
    shards: tuple[Shard, ...]

    @property
    def num_clips(self) -> int:
        """Clips in all shards."""
        return sum(len(shard.clips) for shard in self.shards)


@dataclass(frozen=True)
class ShardClip(Clip):
    """A clip that carries its frames: `pixels` is (N, H, W, 3) uint8 RGB; `path` is the shard's."""

    pixels: np.ndarray = field(
        default_factory=lambda: np.empty((0, 0, 0, 3), np.uint8), repr=False, compare=False
    )

    def frames(self) -> np.ndarray:
        """Its frames, (N, H, W, 3) uint8 RGB."""
        return self.pixels


def load_shards(folder: Path | str) -> ShardSet:
    """Read a folder's `shards.json`.

    Raises:
        BadInput: there is none, or it is no list of shards.
    """
    path = Path(folder) / INDEX
    document = read_json(path)
    try:
        shards = tuple(_shard(entry) for entry in document["shards"])
        return ShardSet(path, tuple(document["operations"]), shards)
    except (KeyError, TypeError):
        raise BadInput(f"{path}: is no list of shards; write it with `write_shards`") from None


def _shard(entry: dict[str, Any]) -> Shard:
    return Shard(entry["file_name"], entry["sha256"], entry["size_bytes"], tuple(entry["clips"]))
