"""Trainings that were finished before: known by what went into them, returned when their adapter is whole."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import read_json, sha256_file, sha256_value, write_json
from nbhelpers.errors import BadInput
from nbhelpers.teach.tuned import TunedTeacher

if TYPE_CHECKING:
    from nbhelpers.data.coco import CocoSet
    from nbhelpers.models import Loaded
    from nbhelpers.settings.sections import TeachSection

# Counted up when the same inputs would train to other weights.
RECIPE = 1
RECORD, ADAPTER = "training.json", "adapter"
_LIBRARIES = ("torch", "transformers", "peft", "albumentations")


def fingerprint(
    loaded: "Loaded", train: "CocoSet", val: "CocoSet", settings: "TeachSection", precision: str
) -> str:
    """A hash of all that the adapter depends on: pixels, annotations, settings, base model, versions."""
    from importlib.metadata import version

    wanted = settings.model_dump(
        include={"seed", "clip", "nms", "detector"}, exclude={"detector": {"model"}}
    )  # which model it is, its revision says
    image_processor = getattr(loaded.processor, "image_processor", None)
    return sha256_value(
        {
            "recipe": RECIPE,
            "train": content(train),
            "val": content(val),
            "settings": wanted,
            "precision": precision,
            "base": [loaded.revision, str(loaded.dtype), loaded.device.partition(":")[0], loaded.quantize],
            "pictures": None if image_processor is None else image_processor.to_dict(),
            "versions": {library: version(library) for library in _LIBRARIES},
        }
    )


def content(coco: "CocoSet") -> dict[str, Any]:
    """What a set holds, by content: where its files lie does not matter."""
    document = coco.to_dict()
    return {
        "images": [sha256_file(coco.image_path(image_id)) for image_id in coco.image_ids],
        "document": {key: document[key] for key in ("images", "annotations", "categories")},
    }


def remember(folder: Path, tuned: TunedTeacher, mark: str, max_minutes: float) -> None:
    """Write the record a later call knows this training by; the adapter is kept as a name."""
    record = asdict(tuned) | {"adapter": tuned.adapter.name}
    write_json(folder / RECORD, {"fingerprint": mark, "max_minutes": max_minutes, "training": record})


def finished(folder: Path, mark: str, max_minutes: float) -> TunedTeacher | None:
    """The training remembered in `folder`, if it is this one, whole, and not cut by a smaller deadline."""
    from nbhelpers.models import read_adapter

    path = folder / RECORD
    if not path.exists():
        return None
    record = read_json(path)
    if record.get("fingerprint") != mark:
        return None
    training = record["training"]
    if training["stopped"] == "deadline" and max_minutes > record["max_minutes"]:
        return None
    try:
        read_adapter(folder / training["adapter"])
    except BadInput:  # removed or damaged since: train again
        return None
    tuned = TunedTeacher(
        **{**training, "adapter": folder / training["adapter"], "roles": tuple(training["roles"])}
    )
    return replace(tuned, reused=True, resumed=False)
