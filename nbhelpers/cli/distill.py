"""`nbhelpers train-student`: a student from COCO labels, and from teachers."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbhelpers.cli.options import Gpu, Images, Output, device_for, existing_file, existing_folder
from nbhelpers.cli.output import Answer, command, paths
from nbhelpers.distill.students import STUDENTS
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.distill import TrainedStudent
    from nbhelpers.distill.with_teachers import Taught
    from nbhelpers.settings import Settings

ROOM = "Student"
_KNOWN = ", ".join(STUDENTS)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(
        app,
        "train-student",
        ROOM,
        "train-student --data prepared --teachers teachers --auto-detect --output student",
    )
    def train_student(
        data: Annotated[
            Path,
            typer.Option(
                "--data", metavar="FILE|DIR", help="COCO JSON to learn from, or a folder of validate-dataset."
            ),
        ],
        output: Output,
        val: Annotated[
            Path | None,
            typer.Option("--val", metavar="FILE", help="COCO JSON to choose the best weights by."),
        ] = None,
        images: Images = None,
        teachers: Annotated[
            Path | None,
            typer.Option(metavar="DIR", help="Learn from these as well: a folder that train-teacher wrote."),
        ] = None,
        unlabelled: Annotated[
            Path | None, typer.Option(metavar="DIR", help="Images for the teachers to label.")
        ] = None,
        labelled: Annotated[
            float | None,
            typer.Option(
                min=0, max=1, help="Share of the images whose labels count; teachers label the others."
            ),
        ] = None,
        auto_detect: Annotated[
            bool, typer.Option("--auto-detect", help="Take the student that suits the annotations.")
        ] = False,
        student: Annotated[str | None, typer.Option(help=f"{_KNOWN}, or auto as with --auto-detect.")] = None,
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
            list[str] | None,
            typer.Option("--set", metavar="distill.KEY=VALUE", help="Any other setting."),
        ] = None,
        gpu: Gpu = None,
    ) -> Answer:
        """Train a prompt-free student; a second call resumes or returns at once.

        With teachers, they label the images without labels; --set distill.losses.logit and
        distill.losses.feature above 0 make the student learn from their class scores and feature maps too.
        What `augment` shows is applied with --set data.augment.lighting=poor and the like.
        """
        name = _student(student, auto_detect)
        given: dict[str, Any] = {"size": size, "image_size": image_size, "epochs": epochs, "batch": batch}
        given |= {"max_minutes": max_minutes, "seed": seed}
        settings = _settings(profile, given, labelled, setting or [])
        train, held_out = _sets(data, val, existing_folder(images, "--images"))
        if teachers is None and unlabelled is not None:
            raise BadInput("--unlabelled: only teachers can use these; give --teachers")
        device = device_for(gpu)
        taught = None
        if teachers is not None:
            name = _named(name, train, settings)
            taught = _taught(teachers, name, train, unlabelled, settings, output, device)
        elif labelled is not None:
            train = _few(train, settings)[0]
        from nbhelpers.data.augment import site_augmenter
        from nbhelpers.distill import train_student as run

        trained = run(
            train if taught is None else taught.train,
            held_out,
            settings.distill,
            output,
            device=device,
            student=name,
            augment=site_augmenter(settings.data, _say),
            teacher=None if taught is None else taught.teacher,
            say=_say,
        )
        return _answer(trained, taught, output, device)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _student(student: str | None, auto_detect: bool) -> str:
    if student is not None and student not in (*STUDENTS, "auto"):
        raise BadInput(f"--student {student}: use {_KNOWN} or auto")
    if auto_detect and student not in (None, "auto"):
        raise BadInput(f"--auto-detect and --student {student} exclude each other; give one")
    return student or "auto"


def _settings(
    profile: str, given: dict[str, Any], labelled: float | None, overrides: list[str]
) -> "Settings":
    from nbhelpers.settings import load_settings

    named = [f"distill.{key}={value}" for key, value in given.items() if value is not None]
    named += [] if labelled is None else [f"data.labelled={labelled}"]
    return load_settings(profile, [*overrides, *named])


def _sets(data: Path, val: Path | None, images: Path | None) -> "tuple[CocoSet, CocoSet]":
    """What to learn from and what to choose by."""
    from nbhelpers.data import load_coco, load_prepared

    if data.is_dir():
        if val is not None:
            raise BadInput(
                f"--val {val}: {data} is a prepared folder with a part of its own for this; leave it out"
            )
        prepared = load_prepared(data)
        return prepared.part("train"), prepared.parts[prepared.held_out]
    existing_file(data, "--data")
    if val is None:
        raise BadInput("train-student: give --val, a COCO file to choose the best weights by")
    return load_coco(data, images), load_coco(existing_file(val, "--val"), images)


def _few(train: "CocoSet", settings: "Settings") -> "tuple[CocoSet, bool]":
    """The images whose labels count, and whether there are others."""
    from nbhelpers.data import few_labels, labelled_share

    share, reason = labelled_share(train, settings.data)
    few = few_labels(train, share, settings.data.seed)
    _say(f"labels of {len(few.labelled.images)} of {len(train.images)} images: {reason}")
    return few.labelled, few.unlabelled is not None


def _named(name: str, train: "CocoSet", settings: "Settings") -> str:
    """The student, decided by people's labels: those of the teachers may say less or more."""
    from nbhelpers.distill.training import choose_student

    return choose_student(train, settings.distill, name)


def _taught(
    teachers: Path,
    name: str,
    train: "CocoSet",
    unlabelled: Path | None,
    settings: "Settings",
    output: Path,
    device: str,
) -> "Taught":
    from nbhelpers.distill.with_teachers import taught_by
    from nbhelpers.teach import GroundedSam

    existing_folder(unlabelled, "--unlabelled")
    labellers = GroundedSam.from_folder(teachers, device)
    if STUDENTS[name].task == "segment" and labellers.task != "segment":
        raise BadInput(
            f"--teachers {teachers}: they draw no masks, which {name} learns from; take a student of boxes, "
            f"or tune a segmenter"
        )
    few, others = _few(train, settings)
    beside = unlabelled if unlabelled is not None else (train if others else None)
    return taught_by(labellers, few, beside, settings.distill, output / "teachers", _say)


def _answer(trained: "TrainedStudent", taught: "Taught | None", output: Path, device: str) -> Answer:
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
        "labels": {part: vars(counts) for part, counts in trained.labels.items()},
        "history": trained.history,
        "plan": trained.plan,
        "paths": paths(best=trained.best, last=trained.last, folder=output)
        | ({} if taught is None else paths(labels=taught.run.path, features=taught.run.features)),
    }
    state = "finished before, taken as it is" if trained.reused else f"trained in {trained.seconds:.0f} s"
    counts = trained.labels["train"]
    text = (
        f"{trained.student}-{trained.size}, {trained.image_size} px, {trained.epochs} epochs, {state}\n"
        f"{counts.objects} objects on {counts.images} images, {counts.teachers} by teachers\n"
        f"licence: {trained.licence}\n{trained.best}"
    )
    return Answer(data, text)
