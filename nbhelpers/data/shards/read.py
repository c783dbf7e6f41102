"""Clips back from WebDataset shards."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nbhelpers.artifacts import sha256_file
from nbhelpers.data.clips import Clip
from nbhelpers.data.clips.samples import clip_from
from nbhelpers.data.shards.records import Shard, ShardClip, load_shards
from nbhelpers.errors import BadInput


def read_shards(
    folder: Path | str, *, check: bool = True, worker: int = 0, workers: int = 1
) -> Iterator[ShardClip]:
    """Go through the clips of a folder's shards, in order, one shard in memory at a time.

    Args:
        folder: with `shards.json`.
        check: compare every shard with its checksum before it is read.
        worker: which of `workers` this is; worker k reads the shards k, k + workers ...
        workers: how many share the work.

    Raises:
        BadInput: a shard that is missing, harmed or lacks a clip; names it and the mend.
    """
    if not 0 <= worker < workers:
        raise BadInput(f"read_shards: worker {worker} of {workers}; count from 0")
    shards = load_shards(folder)
    for shard in shards.shards[worker::workers]:
        yield from _clips(shards.path.parent / shard.file_name, shard, check)


def _clips(path: Path, shard: Shard, check: bool) -> Iterator[ShardClip]:
    import webdataset

    if not path.is_file():
        raise BadInput(f"{path}: the shard is missing; `write_shards` with the same clips writes it again")
    if check and sha256_file(path) != shard.sha256:
        raise BadInput(f"{path}: the shard is harmed (its SHA-256 differs); `write_shards` writes it again")
    names = []
    for sample in webdataset.WebDataset([str(path)], shardshuffle=False, empty_check=False):
        names.append(sample["__key__"])
        yield _clip(sample, path)
    if tuple(names) != shard.clips:
        raise BadInput(
            f"{path}: {len(names)} clips were found, its list has {len(shard.clips)}; write it again"
        )


def _clip(sample: Mapping[str, Any], path: Path) -> ShardClip:
    where = f"{path}: clip {sample['__key__']}"
    if "json" not in sample:
        raise BadInput(f"{where}: has no JSON; the shard is none of `write_shards`")
    entry = json.loads(sample["json"])
    clip = clip_from(entry, path.parent, where)
    endings = sorted(name for name in sample if name.endswith((".jpg", ".png")))
    if len(endings) != len(clip.times_s):
        raise BadInput(f"{where}: {len(endings)} frames for {len(clip.times_s)} times; write it again")
    pixels = np.stack([_picture(sample[name], where) for name in endings])
    values = {name: getattr(clip, name) for name in Clip.__dataclass_fields__}
    return ShardClip(**{**values, "path": path}, pixels=pixels)


def _picture(data: bytes, where: str) -> np.ndarray:
    import cv2

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise BadInput(f"{where}: a frame is no picture; write the shard again")
    return np.ascontiguousarray(pixels[..., ::-1])
