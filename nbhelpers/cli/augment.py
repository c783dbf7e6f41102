"""`nbhelpers augment`: what conditions do to one's own pictures, seen first and written then."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbhelpers.cli.data import ROOM
from nbhelpers.cli.options import Data, Images, existing_file, existing_folder
from nbhelpers.cli.output import Answer, command, paths
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.data.augment import Conditions

Lighting = Annotated[str, typer.Option(help="stable, variable or poor.")]
Camera = Annotated[str, typer.Option(help="fixed, moving or shaky.")]
Background = Annotated[str, typer.Option(help="clean, busy or changing.")]
Distance = Annotated[str, typer.Option(help="fixed, variable or close.")]
Intensity = Annotated[str, typer.Option(help="low, medium or high.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(
        app,
        "augment",
        ROOM,
        "augment --data train.json --lighting poor --characteristics partially_hidden --preview seen.png",
    )
    def augment(
        data: Data,
        images: Images = None,
        characteristics: Annotated[
            str, typer.Option(metavar="A,B", help="Of the objects, such as partially_hidden,low_contrast.")
        ] = "",
        lighting: Lighting = "stable",
        camera: Camera = "fixed",
        background: Background = "clean",
        distance: Distance = "fixed",
        intensity: Intensity = "medium",
        seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same.")] = 0,
        preview: Annotated[
            Path | None,
            typer.Option(metavar="FILE", help="Draw originals and results, boxes and masks; .png or .jpg."),
        ] = None,
        draws: Annotated[int, typer.Option(min=1, help="Versions of each picture in the preview.")] = 3,
        output: Annotated[
            Path | None,
            typer.Option(metavar="DIR", help="Write the set with augmented copies; a cut run goes on."),
        ] = None,
        copies: Annotated[int, typer.Option(min=1, help="Of each picture, for --output.")] = 1,
    ) -> Answer:
        """Choose augmentation by what a site is like, see it, and write the augmented set.

        Without --preview and --output the pipeline is only listed: each transform, its strength and
        probability, and which word asked for it.
        """
        from nbhelpers.data import load_coco
        from nbhelpers.data.augment import Conditions

        existing_file(data, "--data")
        existing_folder(images, "--images")
        words = tuple(word.strip() for word in characteristics.split(",") if word.strip())
        conditions = Conditions(words, lighting, camera, background, distance, intensity, seed)
        coco = load_coco(data, images)
        pipeline, text = _pipeline(conditions)
        shown = _preview(coco, conditions, preview, draws)
        written, line = _written(coco, conditions, output, copies)
        lines = [text, *([f"drawn: {shown}"] if shown else []), *line]
        files = paths(preview=shown, annotations=Path(written["path"]) if written else None)
        return Answer({**pipeline, "written": written, "paths": files}, "\n\n".join(lines))


def _pipeline(conditions: "Conditions") -> tuple[dict[str, Any], str]:
    """The rules as data and as a table, with the notes below it."""
    from nbhelpers.data.augment import pipeline_info, rules_for
    from nbhelpers.runtime import text_table

    rows, notes = pipeline_info(conditions), rules_for(conditions).notes
    columns = ("step", "transform", "strength", "probability", "asked_by", "reason")
    table = text_table([[str(row[key]) for key in columns] for row in rows], columns)
    text = "\n".join([table if rows else "nothing is asked for", "", *notes]).rstrip()
    return {"pipeline": rows, "notes": list(notes)}, text


def _preview(coco: "CocoSet", conditions: "Conditions", path: Path | None, draws: int) -> Path | None:
    """Draw the grid into a file, where one is named."""
    if path is None:
        return None
    from nbhelpers.data.augment import build_augmenter, preview
    from nbhelpers.plots import save_figure

    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise BadInput(f"--preview {path}: name a file that ends in .png or .jpg")
    save_figure(preview(coco, build_augmenter(conditions), draws=draws), path, max_kb=2000)
    return path


def _written(
    coco: "CocoSet", conditions: "Conditions", output: Path | None, copies: int
) -> tuple[dict[str, Any] | None, list[str]]:
    """Write the set, where a folder is named."""
    if output is None:
        return None, []
    from nbhelpers.artifacts import plain
    from nbhelpers.data.augment import write_augmented

    done = write_augmented(coco, conditions, output, copies)
    counts = f"{done.originals} originals, {done.copies} copies ({done.made} made now)"
    return plain(done), [f"{done.path}: {counts}, {done.annotations} annotations"]
