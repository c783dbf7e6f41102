"""Parts of a clip set that share no source, and the guard that fails when they do."""

from dataclasses import replace

import numpy as np

from nbhelpers.data.clips.records import ClipSet
from nbhelpers.data.split import parse_split
from nbhelpers.errors import CheckFailed


def split_clips(
    clips: ClipSet, shares: str = "train:0.7,val:0.15,test:0.15", seed: int = 0, by: str = "source"
) -> ClipSet:
    """The same clips, each in a part; all clips of a source are in one part."""
    parts = parse_split(shares)
    sources = sorted({clip.source for clip in clips.clips})
    order = np.random.default_rng(seed).permutation(len(sources))
    bounds = np.cumsum(list(parts.values())) * len(sources)
    names = list(parts)
    part_of = {
        sources[k]: names[min(int(np.searchsorted(bounds, rank, side="right")), len(names) - 1)]
        for rank, k in enumerate(order)
    }
    done = tuple(replace(clip, part=part_of[clip.source]) for clip in clips.clips)
    check_no_leak(found := ClipSet(clips.path, clips.operations, done, clips.skipped))
    return found


def check_no_leak(clips: ClipSet) -> None:
    """Fail when one source is in two parts.

    Raises:
        CheckFailed: names the source and the parts.
    """
    home: dict[str, str | None] = {}
    for clip in clips.clips:
        if home.setdefault(clip.source, clip.part) != clip.part:
            raise CheckFailed(f"source {clip.source} is in the parts {home[clip.source]} and {clip.part}")
