"""`nbhelpers evaluate-vlm`: scores of answers about clips, beside floors and leak tests."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbhelpers.cli.options import existing_file
from nbhelpers.cli.output import Answer, command, paths
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.artifacts import Metric
    from nbhelpers.data.clips import ClipSet
    from nbhelpers.metrics.predictions import Evaluation, Predictions

ROOM = "Video"
_File = Path | None


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(
        app,
        "evaluate-vlm",
        ROOM,
        "evaluate-vlm --clips clips --predictions said.json --output scores",
    )
    def evaluate_vlm(
        clips: Annotated[Path, typer.Option(metavar="FILE|DIR", help="index.json of the clips.")],
        predictions: Annotated[Path, typer.Option(metavar="FILE", help="What predict-video wrote.")],
        part: Annotated[str, typer.Option(help="Scored part; all clips where there are no parts.")] = "test",
        train: Annotated[
            _File,
            typer.Option(
                metavar="FILE|DIR", help="Clips to learn the floors from; by default the set's part train."
            ),
        ] = None,
        text_only: Annotated[
            _File, typer.Option(metavar="FILE", help="Predictions of a model that saw grey frames.")
        ] = None,
        single_frame: Annotated[
            _File, typer.Option(metavar="FILE", help="Predictions of a model that saw one frame.")
        ] = None,
        draws: Annotated[int, typer.Option(min=1, help="Bootstrap samples of the intervals.")] = 1000,
        strict: Annotated[
            bool, typer.Option("--strict", help="Fail where the model is not above every floor.")
        ] = False,
        output: Annotated[
            _File, typer.Option(metavar="DIR", help="Folder for results.json and figures; made if missing.")
        ] = None,
    ) -> Answer:
        """Score a predictions file: operation, segment and next operation, with intervals and floors.

        Refused is a file that does not say which model made it, that was edited, whose inputs are not those
        of the clips, or that was made from the labels.
        """
        from nbhelpers.data.clips import load_clips
        from nbhelpers.metrics.predictions import evaluate_predictions, load_predictions
        from nbhelpers.video import read_answer

        everything = load_clips(clips)
        scored, learned = _scored(everything, part), _train(everything, train)
        said = load_predictions(existing_file(predictions, "--predictions"))
        given = {"text_only": text_only, "single_frame": single_frame}
        leaks = {name: load_predictions(path) for name, path in given.items() if path is not None}
        found = evaluate_predictions(said, scored.clips, learned.clips, read_answer, leaks=leaks, draws=draws)
        written = {} if output is None else _write(output, found, said, scored)
        data = {**_document(found, said, scored), "paths": paths(**written)}
        failed = [check.name for check in found.checks if not check.ok]
        if strict and failed:
            return Answer(data, _text(found, said), exit_code=1, error=f"not met: {', '.join(failed)}")
        return Answer(data, "\n".join([_text(found, said), *map(str, written.values())]))


def _scored(clips: "ClipSet", part: str) -> "ClipSet":
    if not clips.parts:
        return clips
    if part not in clips.parts:
        raise BadInput(f"--part {part}: {clips.path} has the parts {', '.join(clips.parts)}")
    return clips.part(part)


def _train(clips: "ClipSet", given: Path | None) -> "ClipSet":
    from nbhelpers.data.clips import load_clips

    if given is None and "train" not in clips.parts:
        raise BadInput(f"{clips.path}: has no part train to learn the floors from; give one with --train")
    other = clips if given is None else load_clips(given)
    return other.part("train") if "train" in other.parts else other


def _document(found: "Evaluation", said: "Predictions", scored: "ClipSet") -> dict[str, Any]:
    return {
        "phase": "video",
        "clips": str(scored.path),
        "n": found.scores.n,
        "provenance": said.provenance,
        "versions": said.versions,
        "inputs_sha256": said.inputs_sha256,
        "metrics": found.metrics(),
        **found.as_dict(),
    }


def _write(output: Path, found: "Evaluation", said: "Predictions", scored: "ClipSet") -> dict[str, Path]:
    from nbhelpers.artifacts import write_json
    from nbhelpers.metrics.predictions import timeline_rows
    from nbhelpers.metrics.temporal import confusion
    from nbhelpers.plots import confusion_matrix, save_figure, timelines

    names = {"results": "results.json", "timeline": "timeline.png", "confusion": "confusion.png"}
    made = {name: output / file for name, file in names.items()}
    clips, answers, operations = scored.clips, found.guarded.answers, scored.operations
    counts, columns = confusion(clips, answers, operations)
    title = f"{said.provenance.model}, {found.scores.n} clips"
    write_json(made["results"], _document(found, said, scored))
    save_figure(timelines(timeline_rows(clips, answers), operations, title), made["timeline"])
    save_figure(confusion_matrix(counts, operations, columns, title), made["confusion"])
    return made


def _text(found: "Evaluation", said: "Predictions") -> str:
    from nbhelpers.metrics.temporal import SCORES
    from nbhelpers.runtime import text_table

    made, drawn = said.provenance, found.scores.resampling
    head = f"{made.model}, adapter {made.adapter or 'none'}: {found.scores.n} clips"
    beside = {**found.floor_metrics(), **{name: one.metrics() for name, one in found.leaks.items()}}
    rows = [
        [name, _interval(found, name), *(_value(one.get(name)) for one in beside.values())] for name in SCORES
    ]
    table = text_table(rows, ["score", f"model, {drawn.level:.0%} interval", *beside])
    classes = [
        [name, str(row.n), f"{row.oca:.3f}", f"{row.tiou_05:.3f}", f"{row.aa1:.3f}"]
        for name, row in found.scores.per_class.items()
    ]
    per_class = text_table(classes, ["operation", "n", "oca", "tiou_05", "aa1"])
    checks = [
        f"[{'OK' if one.ok else 'FAIL'}] {one.name}: {one.value:.3f}, wanted {one.bar}"
        for one in found.checks
    ]
    notes = [
        f"intervals over {drawn.units} {drawn.unit}: {drawn.why}",
        f"the procedure alone tells {found.procedure.value:.3f} of the next operations from the true one",
        *([] if found.guarded.training_known else ["what the model was tuned on is not recorded"]),
    ]
    return "\n\n".join([head, table, "\n".join(notes), per_class, "\n".join(checks)])


def _interval(found: "Evaluation", name: str) -> str:
    low, high = found.scores.intervals[name]
    return f"{getattr(found.scores, name):.3f}  {low:.3f} to {high:.3f}"


def _value(metric: "Metric | None") -> str:
    return "-" if metric is None else f"{metric.value:.3f}"
