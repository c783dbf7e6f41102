"""A ready subset: clips with question, answer and true frame times in `index.json`."""

from dataclasses import asdict
from pathlib import Path

from nbhelpers.artifacts import read_json, write_json
from nbhelpers.data.clips.build import build_clips
from nbhelpers.data.clips.records import Clip, ClipSet
from nbhelpers.data.videos import VideoSet, make_videos


def make_samples(
    folder: Path | str, count: int = 20, videos: VideoSet | None = None, seed: int = 0
) -> ClipSet:
    """Write `count` clips and `index.json` with question, answer and true frame times."""
    folder = Path(folder)
    videos = videos or make_videos(folder / "videos", count, seed)
    clips = build_clips(videos, seed=seed)
    chosen = clips.clips[:: max(1, len(clips) // count)][:count]
    rows = [{k: v for k, v in asdict(c).items()} for c in chosen]
    write_json(folder / "index.json", {"operations": clips.operations, "clips": rows})
    return load_clips(folder / "index.json")


def load_clips(path: Path | str) -> ClipSet:
    """Read an `index.json`, or the one in a folder."""
    path = Path(path)
    path = path / "index.json" if path.is_dir() else path
    document = read_json(path)
    clips = tuple(
        Clip(**{**row, "times_s": tuple(row["times_s"]), "path": Path(row["path"])})
        for row in document["clips"]
    )
    return ClipSet(path, tuple(document["operations"]), clips)
