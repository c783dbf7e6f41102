"""`nbhelpers optimize-model`: a student as ONNX, in half precision or INT8."""

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from nbhelpers.cli.options import IMAGE_SUFFIXES, Images, Output, existing_file, existing_folder
from nbhelpers.cli.output import Answer, command
from nbhelpers.errors import BadInput

ROOM = "Export"


class Format(StrEnum):
    """File formats."""

    onnx = "onnx"
    tensorrt = "tensorrt"


class Quantize(StrEnum):
    """Number formats."""

    int8 = "int8"
    fp16 = "fp16"
    dynamic = "dynamic"
    none = "none"


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(
        app,
        "optimize-model",
        ROOM,
        "optimize-model --model best.pt --quantize int8 --calibration train.json --output engines",
    )
    def optimize_model(
        model: Annotated[Path, typer.Option(metavar="FILE", help="A trained student (.pt).")],
        output: Output,
        file_format: Annotated[Format, typer.Option("--format", help="File format.")] = Format.onnx,
        quantize: Annotated[
            Quantize, typer.Option(help="int8 (with ranges from images), dynamic, fp16 or none.")
        ] = Quantize.none,
        calibration: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE",
                help="COCO JSON whose images set the ranges of int8; without it (and without --images) the "
                "training images beside the model are taken.",
            ),
        ] = None,
        images: Images = None,
        calibration_images: Annotated[int, typer.Option(min=1, help="How many of them are used.")] = 64,
        opset: Annotated[int, typer.Option(min=17, help="ONNX operator set.")] = 18,
    ) -> Answer:
        """Write a student as ONNX, prove that it gives what torch gives, and make it smaller and faster."""
        existing_file(model, "--model")
        existing_folder(images, "--images")
        if quantize is Quantize.int8:
            source, said = calibration_source(model, calibration, images)
        else:
            source, said = None, ""
        settings = _signed_int8() if file_format is Format.tensorrt else None
        answer = _optimize(model, output, quantize, source, calibration_images, opset, settings)
        if file_format is Format.tensorrt:
            answer = _as_engine(answer)
        return replace(
            answer, text=f"{said}\n{answer.text}".strip(), data={**answer.data, "calibration": said}
        )


def calibration_source(model: Path, calibration: Path | None, images: Path | None) -> tuple[Any, str]:
    """Real images to take ranges from, and which they are, in words.

    Returns:
        A `CocoSet` or a list of image paths: of the COCO file, else of the folder, else the images the
        student was trained on, which `train_student` links beside it.

    Raises:
        BadInput: there are none.
    """
    if calibration is not None:
        from nbhelpers.data import load_coco

        coco = load_coco(existing_file(calibration, "--calibration"), images)
        return coco, f"calibrated on images of {calibration}"
    folder = images or model.parent / "training_images"
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
    if not files:
        where = f"--images {folder}: holds no image" if images else "no training images lie beside the model"
        raise BadInput(
            f"{where}; --quantize int8 needs some like those of later use: give --calibration FILE"
        )
    said = f"images in {images}" if images else f"the {len(files)} training images beside {model.name}"
    return files, f"calibrated on {said}"


def _optimize(
    model: Path, output: Path, quantize: Quantize, source: Any, limit: int, opset: int, settings: Any = None
) -> Answer:
    from nbhelpers.distill import load_student
    from nbhelpers.export import export_onnx, quantize_dynamic, quantize_static

    student = load_student(model)
    exported = export_onnx(student, output / f"{model.stem}.onnx", opset=opset)
    data: dict[str, Any] = {"model": str(model), "quantize": quantize.value, "onnx": exported}
    made = exported.path
    steps: dict[Quantize, Callable[[Path], Any]] = {
        Quantize.int8: lambda out: quantize_static(
            exported.path, out, source, settings=settings, limit=limit
        ),
        Quantize.dynamic: lambda out: quantize_dynamic(exported.path, out),
        Quantize.fp16: lambda out: export_onnx(student, out, opset=opset, half=True),
    }
    if quantize in steps:
        made = output / f"{model.stem}.{quantize.value}.onnx"
        data[quantize.value] = steps[quantize](made)
    data["difference_to_torch"] = _difference(student, made, source)
    data["paths"] = {"onnx": str(exported.path), "model": str(made)}
    return Answer(data, _text(data, exported.path, made))


def _signed_int8() -> Any:
    """TensorRT takes signed, symmetric 8-bit numbers only."""
    from nbhelpers.export import TENSORRT

    return TENSORRT


def _as_engine(answer: Answer) -> Answer:
    """Build a TensorRT engine from the file just made, or plan it and say why it cannot be built here."""
    from nbhelpers.export import build_engine, plan_engine, tensorrt_status

    made = Path(answer.data["paths"]["model"])
    engine = made.with_suffix(".engine")
    if tensorrt_status().value == "ready":
        built = build_engine(made, engine)
        paths = {**answer.data["paths"], "engine": str(engine)}
        return replace(answer, data={**answer.data, "engine": built, "paths": paths})
    plan = plan_engine(made, engine)
    how = f"planned in {plan.manifest}; where TensorRT and a GPU are, run:\n  {plan.trtexec_command}"
    text = f"{answer.text}\n{how}"
    error = f"{engine}: not built, {plan.reason}"
    return replace(answer, data={**answer.data, "plan": plan}, text=text, exit_code=1, error=error)


def _difference(student: Any, made: Path, source: Any) -> dict[str, Any]:
    """Largest absolute difference of the outputs, by meaning, on real images where there are some."""
    import numpy as np

    from nbhelpers.export import OnnxEngine, TorchEngine
    from nbhelpers.export.accuracy import output_differences
    from nbhelpers.export.calibration import iterate_images

    if source is None:
        shape = (student.image_size, student.image_size, 3)
        images = [np.random.default_rng(0).integers(0, 256, shape, np.uint8)]
    else:
        images = list(iterate_images(source, 8))
    kind = "noise" if source is None else "calibration images"
    found = output_differences(OnnxEngine(made), TorchEngine(student), images)
    return {"on": kind, "n": len(images), **found}


def _text(data: dict[str, Any], onnx: Path, made: Path) -> str:
    from nbhelpers.runtime import size_text

    files = dict.fromkeys((onnx, made))
    lines = [f"{path}  {size_text(path.stat().st_size)}" for path in files]
    found = {key: value for key, value in data["difference_to_torch"].items() if key not in ("on", "n")}
    parts = ", ".join(f"{name} {value:.2g}" for name, value in found.items())
    lines.append(f"largest difference to torch on {data['difference_to_torch']['on']}: {parts}")
    return "\n".join(lines)
