"""The record of a finished training of SAM: by which a later call knows it."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import read_json, sha256_value, write_json
from nbhelpers.errors import BadInput
from nbhelpers.teach.tuned import TunedTeacher

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.models import Loaded
    from nbhelpers.settings.sections import TeachSection

# Raise it with every change of what a training with the same settings learns.
RECIPE = 2
RECORD, ADAPTER = "training.json", "adapter"
# What changes no step that is taken.
_NOT_INPUTS: Any = {
    **dict.fromkeys(("detector", "nms", "max_minutes", "tensorboard"), True),
    "segmenter": {"model", "embeddings_gib"},
}


def fingerprint(
    loaded: "Loaded", digest: str, train: "CocoSet", val: "CocoSet", settings: "TeachSection"
) -> str:
    """A hash of all an adapter depends on: weights, pictures, annotations, settings, libraries.

    Args:
        loaded: the base model.
        digest: of its encoder and processor, see `embeddings.encoder_digest`.
        train: to learn from.
        val: to choose the best step by.
        settings: the `teach` section; what only concerns the detector is left out.
    """
    import torch

    return sha256_value(
        {
            "recipe": RECIPE,
            "base": [loaded.name, loaded.revision, digest, str(loaded.dtype)],
            "device": loaded.device.partition(":")[0],
            "settings": settings.model_dump(exclude=_NOT_INPUTS),
            "sets": [_content(train), _content(val)],
            "torch": torch.__version__,
        }
    )


def _content(coco: "CocoSet") -> dict[str, Any]:
    """A set by its content: where its files lie does not matter."""
    from nbhelpers.artifacts import sha256_file

    return {
        "images": [sha256_file(coco.image_path(image["id"])) for image in coco.images],
        "document": {key: coco.to_dict()[key] for key in ("images", "annotations", "categories")},
    }


def write_record(folder: Path, tuned: TunedTeacher, mark: str, max_minutes: float) -> None:
    """Remember a training; the adapter is named by its place in `folder`."""
    given = asdict(tuned) | {"adapter": tuned.adapter.name}
    write_json(folder / RECORD, {"fingerprint": mark, "max_minutes": max_minutes, "training": given})


def finished(folder: Path, mark: str, max_minutes: float) -> TunedTeacher | None:
    """The training remembered in `folder`, if it is this one, whole, and not cut by a smaller deadline."""
    from nbhelpers.models import read_adapter

    path = folder / RECORD
    if not path.is_file():
        return None
    record = read_json(path)
    if record.get("fingerprint") != mark:
        return None
    given = record["training"]
    if given["stopped"] == "deadline" and max_minutes > record["max_minutes"]:
        return None
    try:
        read_adapter(folder / given["adapter"])
    except BadInput:  # removed or damaged since: it is trained again
        return None
    tuned = TunedTeacher(**{**given, "adapter": folder / given["adapter"], "roles": tuple(given["roles"])})
    return replace(tuned, reused=True, resumed=False)
