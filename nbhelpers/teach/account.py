"""What the tuning of the teachers left behind, as a file: numbers for reports, and what they rest on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nbhelpers.artifacts import read_json, sha256_file, sha256_value, write_json
from nbhelpers.errors import BadInput
from nbhelpers.teach.record import RECORD_FILE
from nbhelpers.teach.tuned import TunedTeacher

if TYPE_CHECKING:
    from nbhelpers.data import CocoSet
    from nbhelpers.settings import TeachSection
    from nbhelpers.teach.grounded_sam import Choice

T = TypeVar("T")
ACCOUNT = "tuned.json"
# What does not change which weights come out, only when the work stops or what is written beside it.
_NOT_INPUTS = {"max_minutes", "tensorboard"}
# Counted up when the same inputs would lead to other teachers.
_RECIPE = 2


def fingerprint(
    train: "CocoSet",
    val: "CocoSet",
    mode: str,
    settings: "TeachSection",
    names: Mapping[str, list[str]],
    device: str,
) -> str:
    """Hash of all the teachers rest on: images and labels, mode, settings, models to try, libraries.

    Args:
        train: by content: where its files lie does not matter.
        val: likewise.
        mode: annotation mode.
        settings: section `teach`.
        names: candidates by purpose.
        device: kind of device, `cpu` or `cuda`; the last digits differ between them.
    """
    chosen = {key: value for key, value in settings.model_dump().items() if key not in _NOT_INPUTS}
    versions = {name: metadata.version(name) for name in ("torch", "transformers", "peft")}
    rest = {"mode": mode, "settings": chosen, "names": names, "device": device.partition(":")[0]}
    sets = {"train": _content(train), "val": _content(val)}
    return sha256_value({"recipe": _RECIPE, "versions": versions, **rest, **sets})


def _content(coco: "CocoSet") -> dict[str, Any]:
    return {
        "pictures": [sha256_file(coco.image_path(image["id"])) for image in coco.images],
        "images": coco.images,
        "annotations": coco.annotations,
        "categories": coco.categories,
    }


def write_account(
    folder: Path,
    mark: str,
    first_choice: bool,
    max_minutes: float,
    tuned: Mapping[str, TunedTeacher],
    choices: "Sequence[Choice]",
) -> Path:
    """Write the account; it is written last, so that one that is there says the teachers are finished.

    Args:
        folder: of the teachers.
        mark: `fingerprint` of what they rest on.
        first_choice: whether each is the first model of its candidates.
        max_minutes: that each training was given.
        tuned: by name.
        choices: how the thresholds were chosen.
    """
    places = {name: one.adapter.relative_to(folder).as_posix() for name, one in tuned.items()}
    content = {
        "fingerprint": mark,
        "first_choice": first_choice,
        "max_minutes": max_minutes,
        "tuned": {name: asdict(one) | {"adapter": places[name]} for name, one in tuned.items()},
        "choices": [asdict(one) for one in choices],
    }
    return write_json(folder / ACCOUNT, content)


def read_tuned(folder: Path) -> dict[str, TunedTeacher]:
    """The accounts of the teachers in a folder, by name; empty where they were put together without tuning.

    Raises:
        BadInput: the file is there and is no such account.
    """

    def build(found: dict[str, Any]) -> dict[str, TunedTeacher]:
        return {name: _tuned(record, Path(folder)) for name, record in found.items()}

    return _read(folder, "tuned", build, {})


def read_choices(folder: Path) -> "list[Choice]":
    """How the thresholds were chosen; empty where the teachers were put together without tuning.

    Raises:
        BadInput: the file is there and is no such account.
    """
    from nbhelpers.teach.grounded_sam import Choice

    return _read(folder, "choices", lambda found: [Choice(**one) for one in found], [])


def _read(folder: Path, key: str, build: Callable[[Any], T], nothing: T) -> T:
    folder = Path(folder)  # or the record in it, as `read_teachers` takes both
    path = (folder.parent if folder.name == RECORD_FILE else folder) / ACCOUNT
    if not path.is_file():
        return nothing
    try:
        return build(read_json(path)[key])
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{path}: is no account of tuned teachers ({error!r}); tune them again into {path.parent.name}"
        ) from None


def _tuned(record: dict[str, Any], folder: Path) -> TunedTeacher:
    values = {**record, "adapter": folder / record["adapter"], "roles": tuple(record["roles"])}
    return replace(TunedTeacher(**values), resumed=False, reused=True)


def finished(folder: Path, mark: str, settings: "TeachSection") -> dict[str, TunedTeacher] | None:
    """The accounts of teachers that need no more work, or None.

    They do where something they rest on changed, a base model among it, an adapter is missing or damaged,
    their training was cut by a shorter deadline, or a smaller model had to stand in for the first choice,
    which may be there by now.
    """
    from nbhelpers.models import read_adapter
    from nbhelpers.teach.record import read_teachers

    path = Path(folder) / ACCOUNT
    if not path.is_file():
        return None
    record = read_json(path)
    if record.get("fingerprint") != mark or not record.get("first_choice"):
        return None
    tuned = read_tuned(folder)
    cut = any(one.stopped == "deadline" for one in tuned.values())
    if cut and settings.max_minutes > record["max_minutes"]:
        return None
    try:
        teachers = read_teachers(path.parent)
        for one in tuned.values():
            read_adapter(one.adapter)
    except BadInput:
        return None  # the trainings know better what is left of them
    parts = [part for part in (teachers.detector, teachers.segmenter) if part is not None]
    return tuned if all(_revision(part.base) == part.revision for part in parts) else None


def _revision(base: str) -> str | None:
    """The revision of a base model as it lies here now; None where it cannot be had."""
    from nbhelpers.models import catalog
    from nbhelpers.models.hub import locate
    from nbhelpers.models.rungs import Refused

    known = {alias: entry for entry in catalog().values() for alias in (entry.name, entry.id)}
    entry = known.get(base)
    repo = "" if entry is None or entry.is_twin else entry.id
    try:
        return locate(base, repo, None, entry is not None and entry.gated).revision
    except Refused:
        return None
