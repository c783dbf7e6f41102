"""`nbhelpers validate-dataset` and `nbhelpers draw-scenes`."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbhelpers.cli.options import Data, Images, Output, existing_file, existing_folder
from nbhelpers.cli.output import Answer, command, one_line
from nbhelpers.errors import BadInput, CheckFailed

if TYPE_CHECKING:
    from nbhelpers.data import Prepared

ROOM = "Data"


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(
        app,
        "validate-dataset",
        ROOM,
        "validate-dataset --data trainval.json --images photos --output prepared --generate-configs",
    )
    def validate_dataset(
        data: Data,
        output: Output,
        images: Images = None,
        split: Annotated[str, typer.Option(help="Parts and their shares.")] = "train:0.7,val:0.15,test:0.15",
        generate_configs: Annotated[
            bool,
            typer.Option(
                "--generate-configs", help="Also write .mode_config.json and settings.generated.yaml."
            ),
        ] = False,
        strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
        decode: Annotated[
            str, typer.Option(help="How far image files are looked at: none, headers or full.")
        ] = "full",
        seed: Annotated[int, typer.Option(min=0, help="Of the split.")] = 0,
    ) -> Answer:
        """Check a COCO file, repair what can be repaired, split it, and account for every record.

        The output folder is self-contained: one JSON per part, images/, statistics.json and
        validation_report.json with every error, warning and repair, item by item.
        """
        from nbhelpers.data import prepare

        existing_file(data, "--data")
        existing_folder(images, "--images")
        if decode not in ("none", "headers", "full"):
            raise BadInput(f"--decode {decode}: use none, headers or full")
        # A report of an earlier call must not be taken for this one's.
        (output / "validation_report.json").unlink(missing_ok=True)
        try:
            prepared = prepare(
                data,
                images,
                output,
                split=split,
                strict=strict,
                seed=seed,
                generate_configs=generate_configs,
                decode=decode,  # type: ignore[arg-type]
            )
        except CheckFailed as error:
            return _refused(output, error)
        return _prepared(prepared, output)

    @command(app, "draw-scenes", ROOM, "draw-scenes --output scenes --count 300 --size 320")
    def draw_scenes(
        output: Output,
        count: Annotated[int, typer.Option(min=1, help="How many scenes.")] = 300,
        size: Annotated[int, typer.Option(min=64, max=2048, help="Side of a scene, pixels.")] = 160,
        seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same scenes.")] = 0,
        world: Annotated[str, typer.Option(help="base, or shifted: other colours and light.")] = "base",
    ) -> Answer:
        """Draw small warehouse scenes with exact masks as a COCO set."""
        from nbhelpers import data

        coco = data.draw_scenes(output, count=count, size=(size, size), seed=seed, world=world)
        numbers = {
            "images": len(coco.images),
            "annotations": len(coco.annotations),
            "classes": coco.class_names,
        }
        text = f"{coco.path}: {numbers['images']} scenes, {numbers['annotations']} objects"
        return Answer({"data": str(coco.path), **numbers}, text)


def _refused(output: Path, error: CheckFailed) -> Answer:
    """Nothing usable is left, or strictness forbids to go on; the report says why."""
    from nbhelpers.artifacts import read_json

    path = output / "validation_report.json"
    if not path.is_file():
        return Answer({}, exit_code=1, error=str(error))
    report: dict[str, Any] = read_json(path)
    return Answer({**report, "paths": {"report": str(path)}}, _summary(report), 1, str(error))


def _prepared(prepared: "Prepared", output: Path) -> Answer:
    from nbhelpers.runtime import text_table

    files = {
        "report": output / "validation_report.json",
        "statistics": output / "statistics.json",
        "images": output / "images",
        "mode_config": output / ".mode_config.json",
        "settings": output / "settings.generated.yaml",
        **{name: output / f"{name}.json" for name in prepared.parts},
    }
    paths = {name: str(path) for name, path in files.items() if path.exists()}
    report = prepared.report.to_dict()
    parts = [(name, str(len(p.images)), str(len(p.annotations))) for name, p in prepared.parts.items()]
    table = text_table(parts, ("part", "images", "annotations"))
    text = f"{_summary(report)}\n\n{table}\n\nmode: {prepared.mode}\nwritten to {output}"
    return Answer({**report, "counts": prepared.counts, "paths": paths}, text)


def _summary(report: dict[str, Any]) -> str:
    """The counts of a report and its findings, one line per kind, as tables."""
    from nbhelpers.runtime import text_table

    columns = ("in", "kept", "repaired", "dropped")
    counts = [(name, *(str(report[name][key]) for key in columns)) for name in ("images", "annotations")]
    kinds = [(item["severity"], item["code"], item["action"]) for item in report["items"]]
    example = {kind: item["message"] for kind, item in reversed([*zip(kinds, report["items"], strict=True)])}
    rows = [(*kind, str(count), one_line(example[kind], 90)) for kind, count in Counter(kinds).items()]
    rows.sort(key=lambda row: ("error", "warning", "info").index(row[0]))
    tables = [text_table(counts, ("", *columns))]
    tables += [text_table(rows, ("severity", "code", "action", "count", "example"))] if rows else []
    return "\n\n".join(tables)
