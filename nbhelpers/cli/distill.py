"""`nbhelpers train-student`: a student from COCO labels."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbhelpers.cli.options import Gpu, Images, Output, device_for, existing_file, existing_folder
from nbhelpers.cli.output import Answer, command, paths
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.distill import TrainedStudent
    from nbhelpers.settings import DistillSection

ROOM = "Student"
_STUDENTS = ("yolov8", "yolov8_seg", "fastsam")


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(
        app,
        "train-student",
        ROOM,
        "train-student --data prepared/train.json --val prepared/val.json --auto-detect --output student",
    )
    def train_student(
        data: Annotated[Path, typer.Option("--data", metavar="FILE", help="COCO JSON to learn from.")],
        val: Annotated[
            Path, typer.Option("--val", metavar="FILE", help="COCO JSON to choose the best epoch by.")
        ],
        output: Output,
        images: Images = None,
        auto_detect: Annotated[
            bool, typer.Option("--auto-detect", help="Take the student that suits the annotations.")
        ] = False,
        student: Annotated[
            str | None, typer.Option(help="yolov8, yolov8_seg, fastsam, or auto as with --auto-detect.")
        ] = None,
        size: Annotated[str | None, typer.Option(help="n, s, m, l or x, from small to large.")] = None,
        image_size: Annotated[
            int | None, typer.Option(help="Side of the input, pixels; a multiple of 32.")
        ] = None,
        epochs: Annotated[int | None, typer.Option(min=1, help="How often each image is seen.")] = None,
        batch: Annotated[int | None, typer.Option(min=1, help="Images per step.")] = None,
        max_minutes: Annotated[float | None, typer.Option(help="Stop cleanly after this time.")] = None,
        seed: Annotated[int | None, typer.Option(min=0, help="Of weights and augmentation.")] = None,
        profile: Annotated[str, typer.Option(help="Where all other settings come from.")] = "auto",
        setting: Annotated[
            list[str] | None, typer.Option("--set", metavar="distill.KEY=VALUE", help="Any other setting.")
        ] = None,
        gpu: Gpu = None,
    ) -> Answer:
        """Train a prompt-free student from COCO labels; a second call resumes or returns at once."""
        name = _student(student, auto_detect)
        existing_file(data, "--data")
        existing_file(val, "--val")
        existing_folder(images, "--images")
        given: dict[str, Any] = {"size": size, "image_size": image_size, "epochs": epochs, "batch": batch}
        given |= {"max_minutes": max_minutes, "seed": seed}
        settings = _settings(profile, given, setting or [])
        device = device_for(gpu)
        from nbhelpers.data import load_coco
        from nbhelpers.distill import train_student as train

        trained = train(
            load_coco(data, images),
            load_coco(val, images),
            settings,
            output,
            device=device,
            student=name,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
        return _answer(trained, output, device)


def _student(student: str | None, auto_detect: bool) -> str:
    if student is not None and student not in (*_STUDENTS, "auto"):
        raise BadInput(f"--student {student}: use {', '.join(_STUDENTS)} or auto")
    if auto_detect and student not in (None, "auto"):
        raise BadInput(f"--auto-detect and --student {student} exclude each other; give one")
    return student or "auto"


def _settings(profile: str, given: dict[str, Any], overrides: list[str]) -> "DistillSection":
    from nbhelpers.settings import load_settings

    named = [f"distill.{key}={value}" for key, value in given.items() if value is not None]
    return load_settings(profile, [*overrides, *named]).distill


def _answer(trained: "TrainedStudent", output: Path, device: str) -> Answer:
    data = {
        "student": trained.student,
        "size": trained.size,
        "task": trained.task,
        "class_names": trained.class_names,
        "image_size": trained.image_size,
        "epochs": trained.epochs,
        "seconds": trained.seconds,
        "device": device,
        "licence": trained.licence,
        "stopped": trained.stopped,
        "resumed": trained.resumed,
        "reused": trained.reused,
        "history": trained.history,
        "plan": trained.plan,
        "paths": paths(best=trained.best, last=trained.last, folder=output),
    }
    state = "finished before, taken as it is" if trained.reused else f"trained in {trained.seconds:.0f} s"
    text = (
        f"{trained.student}-{trained.size}, {trained.image_size} px, {trained.epochs} epochs, {state}\n"
        f"licence: {trained.licence}\n{trained.best}"
    )
    return Answer(data, text)
