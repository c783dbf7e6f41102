"""A ready subset on disk: short videos, each with question, answer and true frame times in `index.json`."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from nbhelpers.artifacts import read_json, sha256_file, sha256_value, write_atomic, write_json
from nbhelpers.data.clips.build import build_clips
from nbhelpers.data.clips.records import Clip, ClipSet
from nbhelpers.data.videos import VideoSet, encode_video, make_videos, probe_video, read_frames
from nbhelpers.errors import BadInput
from nbhelpers.runtime import progress

INDEX = "index.json"
_CRF = 12  # the picture is encoded a second time: finer than the first, so that it stays what it was
_STRIDE_S = 1.0  # many windows to choose from, so that every operation gets its turn


def make_samples(
    folder: Path | str,
    count: int = 20,
    videos: VideoSet | None = None,
    *,
    seed: int = 0,
    world: str = "shifted",
    full: bool = False,
    clips: ClipSet | None = None,
) -> ClipSet:
    """Write a ready subset: `count` clips as MP4 files of their own, and `index.json`.

    They are training samples: a clip that is in no part yet is in `train`. They are chosen so that
    operations and sources are as many and as even as they can be. Files that are there already for the same
    clips are kept.

    Args:
        folder: made if missing.
        count: number of clips.
        videos: to cut them from; drawn into `videos/` of the folder by default.
        seed: of videos and clips.
        world: of drawn videos.
        full: of drawn videos.
        clips: to choose from; cut out of the videos by default.

    Returns:
        The clips, as `load_clips` reads them.

    Raises:
        BadInput: a count below 1, or fewer clips in the videos.
    """
    folder = Path(folder)
    if count < 1:
        raise BadInput(f"make_samples: count is {count}; ask for at least 1")
    if clips is None:
        videos = videos or make_videos(folder / "videos", max(6, -(-count // 2)), seed, world, full)
        clips = build_clips(videos, stride_s=_STRIDE_S, seed=seed)
    if len(clips) < count:
        raise BadInput(f"{clips.path}: {len(clips)} clips can be cut, {count} were asked for; add videos")
    chosen = _even(clips.clips, count, seed)
    rows = [_write(folder, clip) for clip in progress(chosen, label="writing samples", unit="clip")]
    write_json(folder / INDEX, {"operations": clips.operations, "clips": rows})
    return load_clips(folder / INDEX)


def _even(clips: tuple[Clip, ...], count: int, seed: int) -> list[Clip]:
    """Clips in turn of the operation, then the source, of which fewest were taken so far."""
    rng = np.random.default_rng(seed)
    left = [clips[int(k)] for k in rng.permutation(len(clips))]
    taken: list[Clip] = []
    for _ in range(count):
        operations, sources = [one.operation for one in taken], [one.source for one in taken]
        best = min(left, key=lambda one: (operations.count(one.operation), sources.count(one.source)))
        left.remove(best)
        taken.append(best)
    return sorted(taken, key=lambda one: one.clip_id)


def _write(folder: Path, clip: Clip) -> dict[str, Any]:
    """Write a clip's video, unless it is there, and return its entry in the index."""
    source = {"clip": entry_of(clip), "video": sha256_file(clip.path), "crf": _CRF}
    name = f"{clip.clip_id}_{sha256_value(source)[:8]}.mp4"
    if not (folder / name).is_file():
        facts = probe_video(clip.path)
        within = (facts.times_s >= clip.offset_s - 1e-6) & (
            facts.times_s < clip.offset_s + clip.duration_s - 1e-6
        )
        frames = read_frames(clip.path, facts.times_s[within])
        write_atomic(folder / name, encode_video(frames.pixels, facts.fps, crf=_CRF, times_s=frames.times_s))
    own = replace(clip, file_name=name, offset_s=0.0, part=clip.part or "train")
    return entry_of(own) | {"video": clip.file_name}


def entry_of(clip: Clip) -> dict[str, Any]:
    """A clip as it stands in an index: everything but where the file lies on this machine."""
    return {key: value for key, value in asdict(clip).items() if key != "path"}


def clip_from(entry: Mapping[str, Any], folder: Path, where: str) -> Clip:
    """The clip of an index's entry.

    Raises:
        BadInput: a key is missing.
    """
    names = [name for name in Clip.__dataclass_fields__ if name not in ("path", "part", "next_visible")]
    lacking = [name for name in names if name not in entry]
    if lacking:
        raise BadInput(f"{where}: lacks {', '.join(lacking)}; write it with `make-samples`")
    values = {name: entry[name] for name in Clip.__dataclass_fields__ if name in entry and name != "path"}
    values["times_s"] = tuple(float(time) for time in entry["times_s"])
    return Clip(**values, path=folder / entry["file_name"])


def load_clips(path: Path | str) -> ClipSet:
    """Read an `index.json`, or the one in a folder.

    Raises:
        BadInput: no such file, no list of clips, or an entry that lacks something.
    """
    path = Path(path)
    path = path / INDEX if path.is_dir() else path
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("clips"), list):
        raise BadInput(f"{path}: has no list `clips`; write it with `make-samples`")
    clips = tuple(
        clip_from(entry, path.parent, f"{path}: clip {number}")
        for number, entry in enumerate(document["clips"])
    )
    return ClipSet(path, tuple(document.get("operations", ())), clips)
