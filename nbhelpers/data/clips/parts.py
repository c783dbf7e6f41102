"""Parts of a clip set that share no source, and the guard that fails when they do."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from nbhelpers.artifacts import sha256_file
from nbhelpers.data.clips.records import Clip, ClipSet
from nbhelpers.data.split import parse_split
from nbhelpers.data.stratify import stratify
from nbhelpers.errors import BadInput, CheckFailed


def split_clips(
    clips: ClipSet, shares: str = "train:0.7,val:0.15,test:0.15", seed: int = 0, by: str = "source"
) -> ClipSet:
    """Give every clip a part; clips of one source, whatever camera filmed them, stay together.

    Sources are spread so that every operation has about its share in every part. The result does not depend
    on the order of the clips.

    Args:
        clips: of at least as many sources as there are parts.
        shares: parts and their shares of the clips, see `nbhelpers.data.parse_split`.
        seed: chooses among equally good splits.
        by: `source` (subject and session), or `subject`, which keeps all sessions of a person together.

    Raises:
        BadInput: shares that cannot be read, another `by`, or fewer sources than parts.
    """
    wanted = parse_split(shares)
    if by not in ("source", "subject"):
        raise BadInput(
            f"split of clips by {by!r}: clips of one source belong together; use source or subject"
        )
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips.clips:
        groups[_unit(clip, by)].append(clip)
    if len(groups) < len(wanted):
        raise BadInput(f"{clips.path}: {len(groups)} {by}s cannot fill {len(wanted)} parts; name fewer parts")
    units = sorted(groups)
    names = list(wanted)
    part = _spread([groups[unit] for unit in units], clips.operations, np.array(list(wanted.values())), seed)
    part_of = {unit: names[index] for unit, index in zip(units, part.tolist(), strict=True)}
    done = tuple(replace(clip, part=part_of[_unit(clip, by)]) for clip in clips.clips)
    check_no_leak(done)
    return replace(clips, clips=done)


def _unit(clip: Clip, by: str) -> str:
    return clip.source if by == "source" else clip.source.partition("/")[0]


def _spread(
    groups: list[list[Clip]], operations: tuple[str, ...], shares: np.ndarray, seed: int
) -> np.ndarray:
    """Index of the part of every group, (groups,) int64."""
    counts = np.array(
        [[sum(clip.operation == name for clip in group) for name in operations] for group in groups]
    )
    sizes = np.array([len(group) for group in groups], np.int64)
    return stratify(counts.astype(float), counts.astype(float), sizes, shares, seed)


def check_no_leak(clips: ClipSet | Iterable[Clip]) -> None:
    """Fail when something is in two parts: a source, a video, or two files with the same content.

    Raises:
        CheckFailed: names it and both parts.
    """
    every = clips.clips if isinstance(clips, ClipSet) else tuple(clips)
    without = [clip.clip_id for clip in every if clip.part is None]
    if without:
        raise CheckFailed(
            f"clip {without[0]} is in no part; split the set first ({len(without)} of {len(every)})"
        )
    _one_home({(f"source {clip.source}", clip.part) for clip in every})
    _one_home({(f"video {clip.file_name}", clip.part) for clip in every})
    _one_home({(f"content of {name}", part) for name, part in _copies(every)})


def _one_home(places: set[tuple[str, str | None]]) -> None:
    home: dict[str, str | None] = {}
    for what, part in sorted(places, key=str):
        if home.setdefault(what, part) != part:
            raise CheckFailed(f"{what} is in the parts {home[what]} and {part}: scores would measure memory")


def _copies(clips: tuple[Clip, ...]) -> set[tuple[str, str | None]]:
    """Videos that have the size of another: only those can be copies. Copies bear the first one's name."""
    part_of = {clip.path: clip.part for clip in clips if clip.path.is_file()}
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in sorted(part_of):
        by_size[path.stat().st_size].append(path)
    first: dict[str, str] = {}
    return {
        (first.setdefault(sha256_file(path), path.name), part_of[path])
        for paths in by_size.values()
        if len(paths) > 1
        for path in paths
    }
