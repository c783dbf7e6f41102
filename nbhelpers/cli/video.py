"""`nbhelpers tune-vlm` and `nbhelpers predict-video`: a vision-language model tuned on clips, and answers."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbhelpers.cli.options import Gpu, Output, device_for
from nbhelpers.cli.output import Answer, command, paths
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data.clips import Clip, ClipSet
    from nbhelpers.video import TunedVideo, VideoAnswer

ROOM = "Video"
_Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="video.KEY=VALUE", help="Any other setting.")
]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(app, "tune-vlm", ROOM, "tune-vlm --clips videos --output tuned")
    def tune_vlm(
        output: Output,
        clips: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE|DIR",
                help="index.json of clips or annotations.json of videos; without it videos are drawn.",
            ),
        ] = None,
        model: Annotated[
            str | None, typer.Option(metavar="NAME", help="Model instead of the profile's choice.")
        ] = None,
        max_minutes: Annotated[
            float | None, typer.Option(help="Tuning stops cleanly after this time, with a checkpoint.")
        ] = None,
        profile: Annotated[str, typer.Option(help="Where all other settings come from.")] = "auto",
        setting: _Settings = None,
        gpu: Gpu = None,
    ) -> Answer:
        """Tune a vision-language model with LoRA; a second call goes on, or returns at once.

        The clips are split by their source, unless they name their parts. Left in the folder: the adapter,
        training.json, checkpoints and TensorBoard scalars.
        """
        from nbhelpers.settings import load_settings
        from nbhelpers.video import clips_or_default, load_video_model, tune_video

        given = {"video.model": model, "video.max_minutes": max_minutes}
        named = [f"{key}={value}" for key, value in given.items() if value is not None]
        settings = load_settings(profile, [*(setting or []), *named])
        found = clips_or_default(clips, settings.video, output, _say)
        train, val = _part(found, "train"), _part(found, "val")
        loaded = load_video_model(settings.video, profile=settings.built_in, device=device_for(gpu), say=_say)
        tuned = tune_video(loaded, train, val, settings.video, output, operations=found.operations, say=_say)
        return _tuned(tuned, output)

    @command(
        app, "predict-video", ROOM, "predict-video --clips clips --adapter tuned/adapter --output said.json"
    )
    def predict_video(
        output: Annotated[
            Path | None, typer.Option("--output", metavar="FILE", help="Predictions file for evaluate-vlm.")
        ] = None,
        clips: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE|DIR",
                help="index.json of clips, or annotations.json of videos that are cut into clips.",
            ),
        ] = None,
        video: Annotated[
            Path | None, typer.Option("--video", metavar="FILE", help="One video to ask about instead.")
        ] = None,
        at_s: Annotated[
            float | None,
            typer.Option("--at", help="Second of the video that is asked about; its middle without it."),
        ] = None,
        adapter: Annotated[
            Path | None, typer.Option(metavar="DIR", help="Folder of an adapter that tune-vlm wrote.")
        ] = None,
        model: Annotated[
            str | None,
            typer.Option(metavar="NAME", help="Model; the adapter's own, or the profile's, without it."),
        ] = None,
        part: Annotated[str, typer.Option(help="Part asked about; all where there are none.")] = "test",
        constrained: Annotated[
            bool, typer.Option("--constrained", help="Let it write nothing but answers.")
        ] = False,
        view: Annotated[str, typer.Option(help="as_is; grey_frames or one_frame for leak tests.")] = "as_is",
        profile: Annotated[str, typer.Option(help="Whose models are tried.")] = "auto",
        setting: _Settings = None,
        gpu: Gpu = None,
    ) -> Answer:
        """Ask a model about clips, or about one video: operation, start, end and what comes next."""
        from nbhelpers.models import chain
        from nbhelpers.settings import load_settings
        from nbhelpers.video import VideoPredictor, packing

        if (clips is None) == (video is None):
            raise BadInput("predict-video: give either --clips or --video")
        settings, device = load_settings(profile, setting or []), device_for(gpu)
        names = (
            [model] if model else _base(adapter) or chain("video", settings.built_in, settings.video.model)
        )
        predictor = VideoPredictor.load(
            names, adapter, device=device, quantize=packing(settings.video, names[0], device)
        )
        if video is not None:
            from nbhelpers.video import clip_of_video

            asked = clip_of_video(video, at_s, settings.video.frames)
            return _said(predictor.predict([asked], constrained)[0], asked.name, predictor.describe())
        if output is None:
            raise BadInput("predict-video: give --output, the predictions file")
        assert clips is not None
        return _predicted(predictor, _asked(clips, part, settings.video), output, constrained, view)


def _part(clips: "ClipSet", name: str) -> "list[Clip]":
    if name not in clips.parts:
        raise BadInput(
            f"{clips.path}: has the parts {', '.join(clips.parts)}; tuning needs train and val (video.split)"
        )
    return list(clips.part(name).clips)


def _asked(path: Path, part: str, settings: Any) -> "ClipSet":
    from nbhelpers.video import clips_or_default

    found = clips_or_default(path, settings, path.parent, _say)
    if part not in found.parts:
        raise BadInput(f"--part {part}: {found.path} has the parts {', '.join(found.parts)}")
    return found.part(part)


def _base(adapter: Path | None) -> list[str]:
    """The model an adapter was made on."""
    from nbhelpers.models import read_adapter

    return [] if adapter is None else [read_adapter(adapter).base]


def _predicted(predictor: Any, clips: "ClipSet", output: Path, constrained: bool, view: str) -> Answer:
    from nbhelpers.video import predict_clips

    labels = [clips.path] if clips.path.is_file() else []
    made = predict_clips(
        predictor, clips.clips, output, constrained=constrained, view=view, label_files=labels
    )
    read = sum(row.answer is not None for row in made.rows)
    data = {
        "clips": len(made.rows),
        "answers": read,
        "parse_rate": read / len(made.rows),
        "clipped": sum(row.clipped for row in made.rows),
        "provenance": made.provenance,
        "paths": paths(predictions=output),
    }
    return Answer(data, f"{read} of {len(made.rows)} texts are answers\n{output}")


def _said(answer: "VideoAnswer", name: str, description: dict[str, Any]) -> Answer:
    data: dict[str, Any] = {"clip": name, "answer": answer.answer, "text": answer.text, "fault": answer.fault}
    data |= {"clipped": answer.clipped, "seconds": answer.seconds, "model": description}
    return Answer(data, f"{name}: {answer.text}" + (f"\nno answer: {answer.fault}" if answer.fault else ""))


def _tuned(tuned: "TunedVideo", output: Path) -> Answer:
    from nbhelpers.runtime import size_text, text_table

    named = {
        "OCA": "oca",
        "tIoU@0.5": "tiou_05",
        "AA@1": "aa1",
        "weighted": "weighted",
        "parsed": "parse_rate",
    }
    rows = [(word, f"{tuned.before[key]:.3f}", f"{tuned.after[key]:.3f}") for word, key in named.items()]
    lines = [
        f"{tuned.base}: {tuned.trainable:,} of {tuned.total:,} values trained ({', '.join(tuned.roles)}), "
        f"{tuned.steps} steps, ended by {tuned.stopped}, {tuned.seconds:.0f} s, "
        f"peak {size_text(tuned.peak_bytes)}",
        text_table(rows, ("validation clips", "before", "after")),
        str(tuned.adapter),
    ]
    data = {**vars(tuned), "paths": paths(adapter=tuned.adapter, folder=output)}
    return Answer(data, "\n\n".join(lines))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
