"""Train a student from COCO labels: resumable, bounded in time, returned at once when it was done before."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import read_json, sha256_file, sha256_value, write_json
from nbhelpers.distill.auto import Plan, make_plan
from nbhelpers.distill.labels import LabelReport, write_training_folder
from nbhelpers.distill.students import Student, build_student, family_of, student_for
from nbhelpers.distill.ultralytics_quiet import LICENCE_NOTE

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.settings.sections import DistillSection

log = logging.getLogger(__name__)

# Counted up when the same settings would train to other weights, so that finished trainings are not taken for
# new ones.
RECIPE = 1
# What does not change the weights of the epochs that were run.
_NOT_INPUTS = {"max_minutes", "tensorboard"}


@dataclass(frozen=True)
class TrainedStudent:
    """A finished training.

    Attributes:
        best, last: student files (`load_student`): of the epoch with the highest validation AP, and of the
            last one.
        student, task, class_names, image_size: what was trained.
        epochs: run; `plan["epochs"]` were planned.
        seconds: of training, over all calls.
        history: one row per epoch, see `trainer.history_row`.
        stopped: why it ended: "epochs" (all done), "patience" (no improvement) or "deadline" (`max_minutes`).
        resumed: this call went on from a state left by a killed one.
        reused: nothing was trained; the same inputs and settings had been trained before.
        labels: per part, what the YOLO label format changed.
        plan: the numbers used and the reason of each.
    """

    best: Path
    last: Path
    student: str
    size: str
    task: str
    class_names: list[str]
    image_size: int
    epochs: int
    seconds: float
    history: list[dict[str, Any]]
    licence: str
    resumed: bool
    reused: bool
    stopped: str
    labels: dict[str, LabelReport] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)


def train_student(
    train: "CocoSet",
    val: "CocoSet",
    settings: "DistillSection",
    folder: Path,
    device: str = "cpu",
    student: str = "auto",
    *,
    state_every_s: float = 20.0,
    say: Callable[[str], None] = log.info,
) -> TrainedStudent:
    """Train a student on `train`, choosing the best epoch on `val`.

    Called again with the same images, annotations and settings it returns the finished training at once;
    after a kill
    it goes on from the last saved state and, on a CPU, ends in the same bits as an uninterrupted run.

    Args:
        train: images and annotations to learn from.
        val: images and annotations to choose the epoch by.
        settings: the `distill` section; `auto` values are filled in by `make_plan`.
        folder: of this training; `best.pt`, `last.pt`, `training.json`, `ultralytics.log` are left there.
        device: "cpu" or "cuda:0".
        student: a name of `STUDENTS`; "auto" takes `settings.student`, and "auto" there the one for the set's
            mode.
        state_every_s: seconds between two saved states.
        say: takes the lines meant for people (the licence among them).

    Raises:
        BadInput: the set cannot be trained on; CheckFailed: the loss became NaN.
    """
    folder = Path(folder)
    name = _choose(train, settings, student)
    plan = make_plan(train, settings, device)
    built = build_student(name, train.class_names, settings.size, plan.image_size, settings.seed)
    say(built.describe())
    say(f"licence: {LICENCE_NOTE}")
    mark = fingerprint(train, val, settings, name, plan, device)
    done = _finished(folder, mark, settings.max_minutes)
    if done is not None:
        say(f"{folder.name}: this training was finished before; taken as it is")
        return done
    return _train(built, train, val, settings, folder, device, plan, mark, state_every_s)


def _choose(train: "CocoSet", settings: "DistillSection", student: str) -> str:
    """The student's name: the argument, else the settings, else by annotation mode."""
    for wanted in (student, settings.student):
        if wanted != "auto":
            return family_of(wanted).name
    from nbhelpers.data import detect_mode

    return student_for(detect_mode(train))


def fingerprint(
    train: "CocoSet", val: "CocoSet", settings: "DistillSection", name: str, plan: Plan, device: str
) -> str:
    """A hash of all the weights depend on: pixels, annotations, settings, recipe and library versions."""
    import torch
    import ultralytics

    chosen = {key: value for key, value in settings.model_dump().items() if key not in _NOT_INPUTS}
    parts = {"train": _content(train), "val": _content(val)}
    versions = {"torch": torch.__version__, "ultralytics": ultralytics.__version__}
    return sha256_value(
        {
            "recipe": RECIPE,
            "settings": chosen,
            "student": name,
            "plan": asdict(plan),
            "device": device.partition(":")[0],
            "versions": versions,
            **parts,
        }
    )


def _content(coco: "CocoSet") -> dict[str, Any]:
    """What a set holds, by content: where its files lie does not matter."""
    return {
        "images": [sha256_file(coco.image_path(image["id"])) for image in coco.images],
        "document": {key: coco.to_dict()[key] for key in ("images", "annotations", "categories")},
    }


def _train(
    student: Student,
    train: "CocoSet",
    val: "CocoSet",
    settings: "DistillSection",
    folder: Path,
    device: str,
    plan: Plan,
    mark: str,
    state_every_s: float,
) -> TrainedStudent:
    folder.mkdir(parents=True, exist_ok=True)
    family = family_of(student.name)
    data, labels = write_training_folder(
        {"train": train, "val": val}, folder / "yolo", family.task, student.class_names, family.class_agnostic
    )
    from nbhelpers.distill.session import run_training

    control = run_training(student, data, settings, folder, device, plan, mark, state_every_s)
    trained = TrainedStudent(
        best=folder / "best.pt",
        last=folder / "last.pt",
        student=student.name,
        size=student.size,
        task=student.task,
        class_names=student.class_names,
        image_size=student.image_size,
        epochs=len(control.history),
        seconds=control.seconds_before,
        history=control.history,
        licence=student.licence,
        resumed=control.resumed_from > 0,
        reused=False,
        stopped=control.stopped,
        labels=labels,
        plan=asdict(plan),
    )
    _remember(folder, trained, mark, settings.max_minutes)
    if trained.stopped != "deadline":  # a longer deadline may go on from it
        (folder / "state.pt").unlink(missing_ok=True)
    return trained


def _remember(folder: Path, trained: TrainedStudent, mark: str, max_minutes: float) -> None:
    """Write the record by which a later call knows this training; paths are kept as names."""
    record = asdict(trained) | {"best": trained.best.name, "last": trained.last.name}
    hashes = {name: sha256_file(folder / name) for name in ("best.pt", "last.pt")}
    write_json(
        folder / "training.json",
        {"fingerprint": mark, "max_minutes": max_minutes, "sha256": hashes, "training": record},
    )


def _finished(folder: Path, mark: str, max_minutes: float) -> TrainedStudent | None:
    """The training remembered in `folder`, if it is this one, whole, and not cut by a smaller deadline."""
    path = folder / "training.json"
    if not path.exists():
        return None
    record = read_json(path)
    if record.get("fingerprint") != mark:
        return None
    if record["training"]["stopped"] == "deadline" and max_minutes > record["max_minutes"]:
        return None
    for name, digest in record["sha256"].items():
        if not (folder / name).exists() or sha256_file(folder / name) != digest:
            return None
    training = record["training"]
    labels = {part: LabelReport(**report) for part, report in training.pop("labels").items()}
    training |= {"best": folder / training["best"], "last": folder / training["last"], "labels": labels}
    return replace(TrainedStudent(**training), reused=True, resumed=False)
