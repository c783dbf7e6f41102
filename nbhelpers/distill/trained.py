"""A finished training, its record on disk, and the hash by which it is known again."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import read_json, sha256_file, sha256_value, write_json
from nbhelpers.distill.auto import Plan
from nbhelpers.distill.learnt import LearntFrom

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.settings.sections import DistillSection

# Counted up when the same settings would train to other weights, so that finished trainings are not taken for
# new ones.
RECIPE = 2
# What does not change the weights of the steps that were taken.
_NOT_INPUTS = {"max_minutes", "tensorboard"}


@dataclass(frozen=True)
class TrainedStudent:
    """A finished training.

    Attributes:
        best, last: student files (`load_student`): of the validation with the highest AP, and of the end.
        student, size, task, class_names, image_size: what was trained.
        epochs: how often each image was seen; `plan["epochs"]` were planned.
        seconds: of training, over all calls.
        history: one row per epoch, see `history.epoch_rows`.
        licence: of the student's code and weights.
        stopped: why it ended: "epochs" (all done), "patience" (no improvement) or "deadline" (`max_minutes`).
        resumed: this call went on from what a killed one, or one with an earlier deadline, had left.
        reused: nothing was trained; the same inputs and settings had been trained before.
        labels: per part, what there was to learn from.
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
    labels: dict[str, LearntFrom] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)


def fingerprint(
    train: "CocoSet",
    val: "CocoSet",
    settings: "DistillSection",
    name: str,
    plan: Plan,
    device: str,
    beside: dict[str, Any],
) -> str:
    """A hash of all the weights depend on: pixels, annotations, settings, recipe and library versions.

    `beside` are plain values that tell what else was given: augmentation and teachers.
    """
    import cv2
    import torch

    chosen = {key: value for key, value in settings.model_dump().items() if key not in _NOT_INPUTS}
    return sha256_value(
        {
            "recipe": RECIPE,
            "settings": chosen,
            "student": name,
            "plan": asdict(plan),
            "device": device.partition(":")[0],
            "versions": {"torch": torch.__version__, "cv2": cv2.__version__, **family_versions(name)},
            "train": _content(train),
            "val": _content(val),
            "beside": beside,
        }
    )


def family_versions(name: str) -> dict[str, str]:
    """Versions of the libraries a family's network comes from."""
    from importlib.metadata import version

    from nbhelpers.distill.students import family_of

    return {library: version(library) for library in family_of(name).libraries}


def _content(coco: "CocoSet") -> dict[str, Any]:
    """What a set holds, by content: where its files lie does not matter."""
    return {
        "images": [sha256_file(coco.image_path(image["id"])) for image in coco.images],
        "document": {key: coco.to_dict()[key] for key in ("images", "annotations", "categories")},
    }


def remember(folder: Path, trained: TrainedStudent, mark: str, max_minutes: float) -> None:
    """Write the record by which a later call knows this training; paths are kept as names."""
    record = asdict(trained) | {"best": trained.best.name, "last": trained.last.name}
    hashes = {name: sha256_file(folder / name) for name in ("best.pt", "last.pt")}
    write_json(
        folder / "training.json",
        {"fingerprint": mark, "max_minutes": max_minutes, "sha256": hashes, "training": record},
    )


def finished(folder: Path, mark: str, max_minutes: float) -> TrainedStudent | None:
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
    labels = {part: LearntFrom(**counts) for part, counts in training.pop("labels").items()}
    training |= {"best": folder / training["best"], "last": folder / training["last"], "labels": labels}
    return replace(TrainedStudent(**training), reused=True, resumed=False)
