"""The clips a tuning starts from: those given, or drawn videos cut into clips and split by source."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbhelpers.data.clips import ClipSet
    from nbhelpers.settings import VideoSection


def clips_or_default(
    given: Path | str | None,
    settings: "VideoSection",
    root: Path,
    say: Callable[[str], None] = print,
) -> "ClipSet":
    """Clips in parts that share no source.

    Args:
        given: `index.json` of clips, `annotations.json` of videos, or a folder with one of them; None draws
            videos in `root/videos`, which are taken as they are the next time.
        settings: the `video` section.
        root: where drawn videos go.
        say: takes the line meant for people.

    Raises:
        BadInput: the files cannot be used.
        CheckFailed: one source is in two parts.
    """
    from nbhelpers.data.clips import build_clips, check_no_leak, split_clips
    from nbhelpers.data.videos import load_videos, make_videos

    ready = None if given is None else _index(Path(given))
    if ready is not None:
        clips = ready
    else:
        videos = (
            make_videos(
                Path(root) / "videos", settings.videos, settings.seed, settings.world, main=settings.main,
                duration_s=settings.video_s, size_px=settings.video_px, cameras=settings.cameras,
            )
            if given is None
            else load_videos(given)
        )  # fmt: skip
        clips = build_clips(
            videos,
            settings.frames,
            settings.spacings_s,
            settings.sampling,
            settings.stride_s,
            seed=settings.seed,
        )
    parted = clips if clips.parts else split_clips(clips, settings.split, settings.seed)
    check_no_leak(parted)
    say(_said(parted))
    return parted


def _index(path: Path) -> "ClipSet | None":
    """The clips of an `index.json`; None where there is no such file."""
    from nbhelpers.data.clips import load_clips

    file = path / "index.json" if path.is_dir() else path
    return load_clips(file) if file.name == "index.json" and file.is_file() else None


def _said(clips: "ClipSet") -> str:
    words = []
    for name in clips.parts:
        part = clips.part(name).clips
        words.append(f"{name} {len(part)} of {len({clip.source for clip in part})} sources")
    return f"{len(clips)} clips: {', '.join(words)}"
