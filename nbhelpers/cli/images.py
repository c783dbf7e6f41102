"""`nbhelpers infer`: a model or teachers on images of one's own, drawn and as JSON."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbhelpers.cli.options import IMAGE_SUFFIXES, Confidence, Gpu, Output, Teachers, device_for
from nbhelpers.cli.output import Answer, command
from nbhelpers.cli.scores import ROOM, open_predictor
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_STUDENT_CONFIDENCE = 0.25


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(app, "infer", ROOM, "infer photos --model student/best.pt --output found")
    def infer(
        source: Annotated[
            Path, typer.Argument(metavar="IMAGE_OR_FOLDER", help="An image, or a folder of them.")
        ],
        output: Output,
        model: Annotated[
            Path | None, typer.Option(metavar="FILE", help="A .pt, .onnx or .engine file.")
        ] = None,
        teachers: Teachers = None,
        confidence: Confidence = None,
        iou: Annotated[
            float | None,
            typer.Option(
                min=0, max=1, help="Overlap above which the weaker box goes; 0.7, or the teachers' own."
            ),
        ] = None,
        gpu: Gpu = None,
    ) -> Answer:
        """Run a model or teachers over images, draw what it finds and write it as predictions.json.

        predictions.json is a COCO document: images, categories and, as annotations, what was found, with
        scores. The drawn images keep their names and folders. Files of a folder that cannot be read as
        images are named and left out.
        """
        from nbhelpers.artifacts import write_json

        if (model is None) == (teachers is None):
            raise BadInput("infer: give either --model or --teachers")
        files = list(_files(source, output))
        engine, own_iou = open_predictor(model, teachers, device_for(gpu))
        least = _STUDENT_CONFIDENCE if confidence is None and teachers is None else confidence
        iou = own_iou if iou is None else iou
        unreadable: list[dict[str, str]] = []
        readable = _readable(files, source, unreadable)
        images, annotations = _run(engine, readable, source, output, least, iou)
        categories = [{"id": i, "name": name} for i, name in enumerate(engine.class_names, 1)]
        name = (model or teachers or Path()).name
        info = {"model": name, "engine": engine.name, "confidence": least, "iou": iou}
        info |= {"unreadable": unreadable}
        document = {"info": info, "images": images, "categories": categories, "annotations": annotations}
        path = write_json(output / "predictions.json", document)
        left_out = f", {len(unreadable)} files left out" if unreadable else ""
        text = f"{len(images)} images, {len(annotations)} objects found{left_out}\n{path}"
        drawn = [str(output / image["drawn"]) for image in images]
        return Answer({**document, "paths": {"predictions": str(path), "drawn": drawn}}, text)


def _files(source: Path, output: Path) -> Iterator[Path]:
    """The images meant by `source`; those drawn by an earlier call into a folder below it are left out."""
    if source.is_file():
        yield source
        return
    if not source.is_dir():
        raise BadInput(f"{source}: there is no such image or folder")
    if output.resolve() == source.resolve():
        raise BadInput(f"--output {output}: is the folder of the images; name another one")
    skip = output.resolve()
    found = sorted(p for p in source.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
    found = [path for path in found if not path.resolve().is_relative_to(skip)]
    if not found:
        raise BadInput(f"{source}: holds no image; known suffixes: {', '.join(sorted(IMAGE_SUFFIXES))}")
    yield from found


def _readable(
    files: list[Path], source: Path, unreadable: list[dict[str, str]]
) -> Iterator[tuple[Path, "NDArray[np.uint8]"]]:
    """Each file and its picture; of a folder, damaged files are said, added to `unreadable` and passed over.

    Raises:
        BadInput: the one image asked for, or every image of the folder, cannot be read.
    """
    from nbhelpers.data import read_image
    from nbhelpers.runtime import progress

    for path in progress(files, label="images", unit="image"):
        try:
            image = read_image(path)
        except BadInput as error:
            if len(unreadable) + 1 == len(files):
                raise
            print(f"left out: {error}", file=sys.stderr, flush=True)
            unreadable.append({"file": path.relative_to(source).as_posix(), "reason": str(error)})
        else:
            yield path, image


def _run(
    engine: Any,
    pictures: Iterator[tuple[Path, "NDArray[np.uint8]"]],
    source: Path,
    output: Path,
    confidence: float | None,
    iou: float,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Predict, draw and collect; COCO `images` and `annotations`."""
    from nbhelpers.metrics import to_coco_results

    root = source if source.is_dir() else source.parent
    ids = list(range(1, len(engine.class_names) + 1))
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (path, image) in enumerate(pictures, 1):
        found = engine.predict(image, confidence=confidence, iou=iou)
        name = path.relative_to(root)
        drawn = _draw(image, found, engine.class_names, output, name, path)
        height, width = image.shape[:2]
        record = {
            "id": number,
            "file_name": name.as_posix(),
            "width": width,
            "height": height,
            "drawn": drawn,
        }
        images.append(record)
        for result in to_coco_results(number, found, ids):
            _, _, box_width, box_height = result["bbox"]
            extra = {"id": len(annotations) + 1, "area": box_width * box_height, "iscrowd": 0}
            annotations.append({**extra, **result})
    return images, annotations


def _draw(image: Any, found: Any, names: list[str], output: Path, name: Path, source: Path) -> str:
    """Write the drawn image as JPEG, or as PNG where the source is one; never over the source itself."""
    from PIL import Image

    from nbhelpers.plots import draw_detections

    suffix = ".png" if name.suffix.lower() == ".png" else ".jpg"
    target = output / "drawn" / name.with_name(name.stem + suffix)
    if target.resolve() == source.resolve():
        raise BadInput(f"{target}: would be overwritten; name another --output")
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw_detections(image, found, names)).save(target, quality=90)
    return target.relative_to(output).as_posix()
