"""Train a student from COCO labels: resumable, bounded in time, returned at once when it was done before."""

import logging
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import sha256_value
from nbhelpers.distill.auto import make_plan
from nbhelpers.distill.learnt import learnt_from
from nbhelpers.distill.links import link_images
from nbhelpers.distill.students import build_student, family_of, student_for
from nbhelpers.distill.trained import TrainedStudent, fingerprint, finished, remember
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.distill.batches.augmented import Augment
    from nbhelpers.settings.sections import DistillSection

__all__ = ["TrainedStudent", "choose_student", "train_student"]

log = logging.getLogger(__name__)


def train_student(
    train: "CocoSet",
    val: "CocoSet",
    settings: "DistillSection",
    folder: Path,
    device: str = "cpu",
    student: str = "auto",
    *,
    augment: "Augment | None" = None,
    teacher: Any = None,
    state_every_s: float = 20.0,
    say: Callable[[str], None] = log.info,
) -> TrainedStudent:
    """Train a student on `train`, choosing the best weights on `val`.

    Called again with the same images, annotations and settings it returns the finished training at once;
    after a kill it goes on from the last saved state and, on a CPU, ends in the same bits as an uninterrupted
    run with as many threads.

    Args:
        train: images and annotations to learn from; annotations may carry "weight" and "class_scores".
        val: images and annotations to choose the weights by.
        settings: the `distill` section; `auto` values are filled in by `make_plan`.
        folder: of this training. Left there are `best.pt`, `last.pt`, `training.json`; `fit/` with the
            records of every step and TensorBoard's files; `training_images/`, links to calibrate on.
        device: "cpu" or "cuda:0".
        student: a name of `STUDENTS`; "auto" takes `settings.student`, and "auto" there the one for the set's
            mode.
        augment: from (sample, seed) to the changed sample (`data.augment.build_augmenter`), applied to every
            image before it goes into a mosaic.
        teacher: what teachers gave for these images (`teacher_targets.TeacherTargets`).
        state_every_s: seconds between two saved states.
        say: takes the lines meant for people (the licence among them).

    Raises:
        BadInput: the set cannot be trained on; CheckFailed: the loss became NaN.
    """
    folder = Path(folder)
    name = choose_student(train, settings, student)
    family, plan = family_of(name), make_plan(train, settings, device)
    labels = {
        part: learnt_from(coco, part, family.task == "segment")
        for part, coco in (("train", train), ("val", val))
    }
    built = build_student(name, train.class_names, settings.size, plan.image_size, settings.seed)
    say(built.describe())
    say(f"licence: {family.licence_note}")
    beside = {"augment": _mark(augment), "teacher": _mark(teacher)}
    mark = fingerprint(train, val, settings, name, plan, device, beside)
    done = finished(folder, mark, settings.max_minutes)
    if done is not None:
        say(f"{folder.name}: this training was finished before; taken as it is")
        return done
    from nbhelpers.distill.session import Session

    session = Session(
        built.to(device), train, val, settings, plan, folder, mark, augment, teacher, state_every_s
    )
    trained = replace(session.run(), labels=labels, plan=asdict(plan))
    link_images(train, folder)
    remember(folder, trained, mark, settings.max_minutes)
    if trained.stopped != "deadline":  # a longer deadline may go on from it
        session.tidy()
    return trained


def choose_student(train: "CocoSet", settings: "DistillSection", student: str) -> str:
    """The student's name: the argument, else the settings, else by annotation mode."""
    for wanted in (student, settings.student):
        if wanted != "auto":
            return family_of(wanted).name
    from nbhelpers.data import detect_mode

    return student_for(detect_mode(train))


def _mark(given: Any) -> str | None:
    """What tells one augmenter or teacher from another: its `fingerprint`, else what it says of itself.

    Raises:
        BadInput: it says nothing but where it lies in memory, so that a resume could not know it again.
    """
    if given is None:
        return None
    if hasattr(given, "fingerprint"):
        return str(given.fingerprint)
    said = repr(given)
    if f"{id(given):x}" in said.lower():
        raise BadInput(f"{said}: give it an attribute `fingerprint`, by which a resume knows it again")
    return sha256_value(said)
