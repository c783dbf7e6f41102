"""`nbhelpers evaluate`: COCO's numbers for a model, for teachers or for a file of predictions."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbhelpers.cli.options import Data, Gpu, Images, Teachers, device_for, existing_file
from nbhelpers.cli.output import Answer, command
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.metrics import DetectionScores

ROOM = "Measure and use"
STUDENT_IOU = 0.7  # as students are trained and exported


class Kind(StrEnum):
    """What is compared."""

    bbox = "bbox"
    segm = "segm"


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(app, "evaluate", ROOM, "evaluate --data prepared/test.json --model student/best.pt --kind segm")
    def evaluate(
        data: Data,
        kind: Annotated[Kind, typer.Option(help="Compare boxes or masks.")] = Kind.bbox,
        model: Annotated[
            Path | None,
            typer.Option(metavar="FILE", help="A .pt, .onnx or .engine file to run over the images."),
        ] = None,
        teachers: Teachers = None,
        images: Images = None,
        predictions: Annotated[
            Path | None, typer.Option(metavar="FILE", help="COCO results instead of a model.")
        ] = None,
        gpu: Gpu = None,
    ) -> Answer:
        """Score a model, teachers, or predictions on file, against a COCO file with COCO's twelve numbers."""
        if sum(given is not None for given in (model, teachers, predictions)) != 1:
            raise BadInput("evaluate: give either --model or --teachers with the images, or --predictions")
        existing_file(data, "--data")
        if predictions is not None:
            from nbhelpers.metrics import evaluate_coco

            existing_file(predictions, "--predictions")
            return _answer(evaluate_coco(data, predictions, kind.value))
        engine, iou = open_predictor(model, teachers, device_for(gpu))
        return _answer(_score_model(data, images, engine, iou, model or teachers, kind))


def open_predictor(model: Path | None, teachers: Path | None, device: str) -> tuple[Any, float]:
    """What `--model` or `--teachers` means, with one `predict` for all, and the overlap of its suppression.

    Raises:
        BadInput: the file or folder holds none.
    """
    if teachers is not None:
        from nbhelpers.teach import AsStudent, GroundedSam

        labeller = AsStudent(GroundedSam.from_folder(teachers, device))
        return labeller, labeller.nms
    from nbhelpers.export import open_engine

    assert model is not None
    return open_engine(model, device), STUDENT_IOU


def _score_model(
    data: Path, images: Path | None, engine: Any, iou: float, source: Path | None, kind: Kind
) -> "DetectionScores":
    from nbhelpers.data import load_coco
    from nbhelpers.distill import run_on_set
    from nbhelpers.metrics import evaluate_coco

    if kind is Kind.segm and engine.task != "segment":
        raise BadInput(f"{source}: finds boxes only; evaluate it with --kind bbox")
    found = run_on_set(engine, load_coco(data, images), iou=iou)
    return evaluate_coco(found.ground_truth, found.results, kind.value)


def _answer(scores: "DetectionScores") -> Answer:
    from nbhelpers.runtime import text_table

    data: dict[str, Any] = {
        "kind": scores.kind,
        "stats": scores.stats,
        "named": scores.named(),
        "per_class": scores.per_class,
        "n_images": scores.n_images,
        "n_annotations": scores.n_annotations,
        "backend": scores.backend,
    }
    # COCO writes -1 where there was nothing to find.
    whole = [(name, f"{value:.3f}" if value >= 0 else "n/a") for name, value in scores.named().items()]
    rows = [
        (name, _text(row["ap"]), _text(row["ap50"]), str(row["n"])) for name, row in scores.per_class.items()
    ]
    head = f"{scores.kind}, {scores.n_images} images, {scores.n_annotations} annotations"
    text = "\n\n".join([head, text_table(whole), text_table(rows, ("class", "AP", "AP50", "n"))])
    return Answer(data, text)


def _text(value: float | int | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
