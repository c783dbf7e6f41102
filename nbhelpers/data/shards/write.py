"""Clips to WebDataset shards: tar files that any reader of that format streams."""

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from nbhelpers.artifacts import (
    append_record,
    plain,
    read_records,
    sha256_file,
    sha256_value,
    to_json,
    write_atomic,
    write_json,
)
from nbhelpers.data.clips import Clip, ClipSet
from nbhelpers.data.clips.samples import entry_of
from nbhelpers.data.shards.records import INDEX, Shard, ShardSet, load_shards
from nbhelpers.errors import BadInput
from nbhelpers.runtime import progress

JOURNAL = ".shards.jsonl"
Picture = Literal["jpg", "png"]
_VERSION = 1
_QUALITY = 95


def write_shards(
    clips: ClipSet, folder: Path | str, max_mib: float = 64.0, picture: Picture = "jpg"
) -> ShardSet:
    """Write clips as WebDataset shards `clips-00000.tar` ... and `shards.json` with their checksums.

    A sample is `<clip id>.json` (question, answer, times ...) and `<clip id>.00.jpg`, `.01.jpg` ..., its
    frames. The same clips give the same bytes. A call that was cut short goes on after the last whole
    shard; shards that were harmed since are written again.

    Args:
        clips: in the order they are written; shuffle them before, readers go through shards in order.
        folder: made if missing.
        max_mib: a shard is closed before it grows beyond it; a single larger clip makes a shard of its own.
        picture: `jpg` of quality 95, or `png`, which keeps every bit.

    Raises:
        BadInput: no clip, two of one id, a bound of 0, or a video that cannot be read.
    """
    folder = Path(folder)
    _check(clips, max_mib, picture)
    key = _key(clips, max_mib, picture)
    done = _whole(folder, key, clips)
    if sum(len(shard.clips) for shard in done) < len(clips):
        (folder / INDEX).unlink(missing_ok=True)  # it may be of other clips
    with progress(total=len(clips), label="writing shards", unit="clip") as bar:
        bar.update(start := sum(len(shard.clips) for shard in done))
        for packed in _pack(clips.clips[start:], max_mib * 2**20, picture):
            shard = _store(folder, len(done), packed)
            append_record(folder / JOURNAL, {"key": key, "number": len(done), **plain(shard)})
            done.append(shard)
            bar.update(len(shard.clips))
    document = {"version": _VERSION, "picture": picture, "operations": clips.operations, "shards": done}
    write_json(folder / INDEX, document)
    return load_shards(folder)


def _check(clips: ClipSet, max_mib: float, picture: str) -> None:
    ids = [clip.clip_id for clip in clips.clips]
    twice = next((name for name in ids if ids.count(name) > 1), None)
    dotted = next((name for name in ids if "." in name or "/" in name), None)
    problems = (
        (not ids, "there is no clip to write"),
        (twice is not None, f"clip id {twice!r} occurs twice; give every clip its own"),
        (
            dotted is not None,
            f"clip id {dotted!r}: dots and slashes have a meaning in shards; leave them out",
        ),
        (not max_mib > 0, f"shards of {max_mib} MiB; give more than 0"),
        (picture not in ("jpg", "png"), f"pictures as {picture!r}; use jpg or png"),
    )
    for wrong, message in problems:
        if wrong:
            raise BadInput(f"write_shards: {message}")


def _key(clips: ClipSet, max_mib: float, picture: str) -> str:
    """What must agree for a shard on disk to be the one that is wanted: settings, clips and their videos."""
    videos = {clip.file_name: clip.path for clip in clips.clips}
    digests = {name: sha256_file(path) for name, path in videos.items() if path.is_file()}
    entries = [entry_of(clip) for clip in clips.clips]
    return sha256_value([_VERSION, _QUALITY, max_mib, picture, digests, entries])[:16]


def _whole(folder: Path, key: str, clips: ClipSet) -> list[Shard]:
    """Shards of an earlier call, from the first up to the first that is missing or harmed."""
    records = {one["number"]: one for one in read_records(folder / JOURNAL) if one.get("key") == key}
    done: list[Shard] = []
    while (record := records.get(len(done))) is not None:
        path = folder / record["file_name"]
        if not path.is_file() or sha256_file(path) != record["sha256"]:
            break
        done.append(
            Shard(record["file_name"], record["sha256"], record["size_bytes"], tuple(record["clips"]))
        )
    written = [name for shard in done for name in shard.clips]
    return done if written == [clip.clip_id for clip in clips.clips[: len(written)]] else []


@dataclass(frozen=True)
class _Sample:
    """A clip ready to be packed: file endings and their bytes."""

    name: str
    files: dict[str, bytes]

    @property
    def size(self) -> int:
        """Bytes in the tar: each file has a header of 512 and is filled up to as many."""
        return sum(512 + -(-len(data) // 512) * 512 for data in self.files.values())


def _pack(clips: Sequence[Clip], limit_bytes: float, picture: str) -> Iterator[list[_Sample]]:
    """Samples in groups that stay below the limit."""
    group: list[_Sample] = []
    for clip in clips:
        sample = _Sample(clip.clip_id, _files(clip, picture))
        if group and sum(one.size for one in group) + sample.size > limit_bytes:
            yield group
            group = []
        group.append(sample)
    if group:
        yield group


def _files(clip: Clip, picture: str) -> dict[str, bytes]:
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY] if picture == "jpg" else []
    files = {"json": to_json(entry_of(clip), indent=None).encode()}
    for number, pixels in enumerate(clip.frames()):
        _, encoded = cv2.imencode(f".{picture}", np.ascontiguousarray(pixels[..., ::-1]), options)
        files[f"{number:02d}.{picture}"] = encoded.tobytes()
    return files


def _store(folder: Path, number: int, samples: list[_Sample]) -> Shard:
    from webdataset import TarWriter

    buffer = io.BytesIO()
    writer = TarWriter(buffer, encoder=False, mtime=0)
    for sample in samples:
        writer.write({"__key__": sample.name, **sample.files})
    writer.close()
    data = buffer.getvalue()
    path = write_atomic(folder / f"clips-{number:05d}.tar", data)
    return Shard(path.name, hashlib.sha256(data).hexdigest(), len(data), tuple(one.name for one in samples))
