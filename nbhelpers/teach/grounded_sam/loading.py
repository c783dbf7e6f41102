"""One teacher in memory: its base model, and its adapter merged into it or beside it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


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
