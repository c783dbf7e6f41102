"""`nbhelpers make-videos` and `nbhelpers make-samples`."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbhelpers.cli.options import Output
from nbhelpers.cli.output import Answer, command
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data.clips import ClipSet
    from nbhelpers.data.videos import VideoSet

ROOM = "Data"

Seed = Annotated[int, typer.Option(min=0, help="The same seed draws the same videos.")]
World = Annotated[
    str, typer.Option(help="shifted, or base: the site the small model in checkpoints/tiny was trained on.")
]
Full = Annotated[
    bool, typer.Option("--full", help="All ten operations, 1.6 to 26 s each, instead of a quick few.")
]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(app, "make-videos", ROOM, "make-videos --output videos --count 100 --samples 20")
    def make_videos(
        output: Output,
        count: Annotated[int, typer.Option(min=1, help="How many videos.")] = 100,
        seed: Seed = 0,
        world: World = "shifted",
        full: Full = False,
        main: Annotated[
            float | None,
            typer.Option(
                min=0, max=1, help="How often the usual order is followed; 0.6.", show_default=False
            ),
        ] = None,
        duration: Annotated[
            float | None, typer.Option(help="Mean length in seconds; 24, or 72 with --full.")
        ] = None,
        size: Annotated[int, typer.Option(help="Side of the square picture, pixels.")] = 168,
        fps: Annotated[int, typer.Option(help="Frames per second, a multiple of 10.")] = 10,
        cameras: Annotated[int, typer.Option(min=1, max=9, help="Most cameras that film one session.")] = 2,
        samples: Annotated[
            int, typer.Option(min=0, help="Also write this many clips with question and answer.")
        ] = 0,
        jobs: Annotated[int | None, typer.Option(min=1, help="Processes; one per core.")] = None,
    ) -> Answer:
        """Draw videos of packing work (MP4, H.264) with annotations.json.

        A call that was cut short goes on where it stopped.
        """
        from nbhelpers.data import videos as room
        from nbhelpers.data.clips import make_samples

        made = room.make_videos(
            output,
            count,
            seed,
            world,
            full,
            room.MAIN if main is None else main,
            duration_s=duration,
            size_px=size,
            fps=fps,
            cameras=cameras,
            jobs=jobs,
        )
        answer = _videos(made)
        if not samples:
            return answer
        cut = _samples(make_samples(output / "samples", samples, made, seed=seed))
        return Answer({**answer.data, "samples": cut.data}, f"{answer.text}\n{cut.text}")

    @command(app, "make-samples", ROOM, "make-samples --output samples --count 20")
    def make_samples_command(
        output: Output,
        count: Annotated[int, typer.Option("--count", "--samples", min=1, help="How many clips.")] = 20,
        videos: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE", help="annotations.json, or its folder, to cut from; drawn without it."
            ),
        ] = None,
        seed: Seed = 0,
        world: World = "shifted",
        full: Full = False,
    ) -> Answer:
        """Write short clips (MP4) and index.json: question, answer and true frame times of each."""
        from nbhelpers.data.clips import make_samples
        from nbhelpers.data.videos import load_videos

        if videos is not None and not videos.exists():
            raise BadInput(f"--videos {videos}: there is no such file or folder")
        given = load_videos(videos) if videos is not None else None
        return _samples(make_samples(output, count, given, seed=seed, world=world, full=full))


def _videos(made: "VideoSet") -> Answer:
    seconds = sum(video.duration_s for video in made.videos)
    data = {
        "annotations": str(made.path),
        "videos": len(made.videos),
        "sources": len(made.sources),
        "segments": len(made.segments),
        "operations": made.operations,
        "duration_s": seconds,
    }
    text = (
        f"{made.path}: {len(made.videos)} videos of {len(made.sources)} sessions, {seconds / 60:.0f} min, "
        f"{len(made.segments)} segments of {len(made.operations)} operations"
    )
    return Answer(data, text)


def _samples(made: "ClipSet") -> Answer:
    counts = Counter(clip.operation for clip in made.clips)
    data = {"index": str(made.path), "clips": len(made), "operations": counts}
    return Answer(data, f"{made.path}: {len(made)} clips of {len(counts)} operations")
