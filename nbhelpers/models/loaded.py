"""What `load` gives back: the model, what was decided about it, and why it is this one."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nbhelpers.models.hub import Source
from nbhelpers.models.rungs import Rung, rungs_table
from nbhelpers.runtime import Choice, size_text

if TYPE_CHECKING:
    import torch

    from nbhelpers.memory import MemoryPlan
    from nbhelpers.models.families import Family

_WHERE = {
    "folder": "a local folder",
    "twin": "a twin of the project",
    "cache": "in the hub's cache",
    "hub": "fetched from the hub",
}


@dataclass
class Loaded:
    """A model ready for its task, and how it came about.

    Attributes:
        model: a transformers model on one device, in the state `prepare` describes for the task.
        processor: the family's processor or tokenizer.
        family: what is known of the architecture.
        dtype: number format of the weights that are not packed, and of the computation.
        device: `cpu` or `cuda:N`.
        rungs: every candidate tried, the last one taken.
        name: as it was asked for.
        revision: the hub's commit, or `sha256:...` of the folder's content.
        plan: the dry run of one step.
        quantize: `nf4`, `int8` or None.
        config: the model's configuration.
        source: where the files are.
        loader: `transformers` or `unsloth`, and why.
        seconds: reading the weights and moving them, processor included.
        peak_bytes: highest memory while loading: resident above the start, or torch's on the GPU.
    """

    model: Any
    processor: Any
    family: "Family"
    dtype: "torch.dtype"
    device: str
    name: str
    revision: str
    plan: "MemoryPlan"
    quantize: str | None
    config: Any
    source: Source
    loader: Choice
    seconds: float
    peak_bytes: int
    rungs: list[Rung] = field(default_factory=list)

    @property
    def reason(self) -> str:
        """Why it is this model: the reason of the rung that was taken."""
        return self.rungs[-1].reason

    def table(self) -> str:
        """All rungs, as text."""
        return rungs_table(self.rungs)


def taken_reason(loaded: Loaded, allowed_bytes: int) -> str:
    """One sentence: where the files were, what was decided, what a step is predicted to take."""
    packed = f" with {loaded.quantize} text layers" if loaded.quantize else ""
    number = str(loaded.dtype).removeprefix("torch.")
    return (
        f"{_WHERE[loaded.source.where]}; {loaded.device} in {number}{packed}; a step is predicted to take "
        f"{size_text(loaded.plan.needed)} of {size_text(allowed_bytes)}"
    )
