"""One teacher in memory: its base model, and its adapter merged into it or beside it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbhelpers.errors import BadInput
from nbhelpers.teach.record import Part, TeachersRecord, needed


@dataclass
class Teacher:
    """A teacher that is ready to answer.

    Attributes:
        model: evaluating; the transformers class itself, its adapter's layers wrapped by peft or merged.
        processor: of the model.
        base, revision: of the base model.
        adapter: the adapter's folder, None without one.
        adapter_sha256: of its tensors, empty without one.
        merged: whether the adapter was added to the weights.
        reason: why it is this model.
    """

    model: Any
    processor: Any
    base: str
    revision: str
    adapter: Path | None
    adapter_sha256: str
    merged: bool
    reason: str

    @property
    def identity(self) -> dict[str, str]:
        """What decides the answers: equal identities, equal answers."""
        return {"revision": self.revision, "adapter": self.adapter_sha256}


def bring(
    source: Any, adapter: Path | None, *, merge: bool, device: str, revision: str | None = None
) -> Teacher:
    """Load a teacher.

    Args:
        source: a name of the catalogue, an id of the hub, a folder, a list of these to try in order, or a
            `Loaded`, which is used as it is and changed in place.
        adapter: folder of its adapter.
        merge: add the adapter to the weights: the same answers, a little faster.
        device: as `models.load` takes it.
        revision: of the base on the hub.

    Raises:
        BadInput: the adapter is damaged or was made for another model.
        NothingFits: none of the names could be loaded; says why for each.
    """
    from nbhelpers.models import Loaded, load, load_adapter, merge_adapter, read_adapter

    if isinstance(source, Loaded):
        loaded = source
    else:
        names = [source] if isinstance(source, str | Path) else source
        loaded = load([str(name) for name in names], task="infer", device=device, revision=revision)
    model, digest = loaded.model, ""
    if adapter is not None:
        digest = read_adapter(adapter).sha256
        wrapped = load_adapter(model, adapter)
        model = merge_adapter(wrapped) if merge else wrapped.get_base_model()
    model.eval().requires_grad_(False)
    return Teacher(
        model, loaded.processor, loaded.name, loaded.revision, adapter, digest, merge and adapter is not None,
        loaded.reason if loaded.rungs else "given",
    )  # fmt: skip


def bring_parts(
    folder: Path, record: TeachersRecord, merge: bool, device: str
) -> tuple[Teacher | None, Teacher | None]:
    """Load detector and segmenter as the record in `folder` names them, as far as its mode needs them.

    Raises:
        BadInput: a base model or an adapter is another one than the record speaks of.
    """
    detector, segmenter = (
        _bring_part(folder, part, merge, device) if part is not None and is_needed else None
        for part, is_needed in zip((record.detector, record.segmenter), needed(record.mode), strict=True)
    )
    return detector, segmenter


def _bring_part(folder: Path, part: Part, merge: bool, device: str) -> Teacher:
    """Load a teacher as the record in `folder` names it.

    Raises:
        BadInput: the base model or the adapter is another one than the record speaks of.
    """
    root = folder if folder.is_dir() else folder.parent
    adapter = None if part.adapter is None else root / part.adapter
    # On the hub the very commit is asked for; a folder's revision is a hash, which is compared below.
    commit = part.revision if part.revision and ":" not in part.revision else None
    teacher = bring(part.base, adapter, merge=merge, device=device, revision=commit)
    if part.revision and teacher.revision != part.revision:
        raise BadInput(
            f"{folder}: was made with revision {part.revision} of {part.base}, this is {teacher.revision}; "
            "bring that revision or tune the teachers again"
        )
    return teacher


def part_of(teacher: Teacher | None, folder: Path) -> Part | None:
    """What the record in `folder` says of a teacher; its adapter must lie below the folder.

    Raises:
        BadInput: it lies elsewhere.
    """
    if teacher is None:
        return None
    adapter = None
    if teacher.adapter is not None:
        root, own = Path(folder).resolve(), teacher.adapter.resolve()
        if not own.is_relative_to(root):
            raise BadInput(f"{teacher.adapter}: lies outside {folder}; copy the adapter there first")
        adapter = own.relative_to(root).as_posix()
    return Part(teacher.base, teacher.revision, adapter)


def account(teacher: Teacher) -> str:
    """A teacher in words."""
    if teacher.adapter is None:
        return f"{teacher.base}, untuned"
    return f"{teacher.base} with adapter {teacher.adapter.name}" + (", merged" if teacher.merged else "")
