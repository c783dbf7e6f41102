"""The answer of a dry run."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from nbhelpers.memory.budget import Budget
from nbhelpers.memory.dryrun.naming import Consumer
from nbhelpers.memory.shapes import Shapes
from nbhelpers.runtime.hardware import GIB
from nbhelpers.runtime.tables import size_text, text_table

# What a process takes on a GPU before torch allocates anything: driver context, loaded kernels, handles of
# libraries. Not measured here: reports lie between 0.3 and 0.6 GiB by GPU, driver and release (pytorch#20532;
# CUDA 12 loads kernels lazily).
CUDA_CONTEXT = GIB // 2
# A plan above this share of the budget fits, but leaves no room for what it does not cover.
TIGHT = 0.9


@dataclass(frozen=True)
class MemoryPlan:
    """Memory of one step, in bytes, at the moment of the highest demand.

    `static + optimizer + gradients + activations` is what tensors take at that moment. On a GPU `peak` is
    what torch's allocator reserves for it, so it is larger by rounding and gaps; on a CPU it is the sum.

    Attributes:
        task: `infer`, `tune`, `full` or `attack`.
        device: `cpu` or `cuda`.
        dtype: of weights and activations; `dtype_reason` says why.
        quantize: `nf4`, `int8` or None.
        shapes: what goes through in a step.
        gradient_checkpointing: whether layers compute their activations again in the backward pass.
        static: weights, buffers and adapters.
        activations: all else that is live at the peak: activations, inputs, caches, gradients of activations.
        optimizer: states of AdamW.
        gradients: of the trained weights.
        peak: compare with `torch.cuda.max_memory_reserved`, on a CPU with resident memory above the
            libraries' own.
        context: what the GPU process takes beside it.
        largest: the five largest consumers at the peak.
        peak_phase: phase in which the peak falls.
        timeline: (event index, live bytes) over the step.
        phases: (event index, phase name) on the same axis.
        trainable: number of values that are trained.
        tokens: length of the token sequence, 0 where there is none.
        notes: what a person should know about this plan.
        seconds: processor time the dry run took.
    """

    task: str
    device: str
    dtype: str
    dtype_reason: str
    quantize: str | None
    shapes: Shapes
    gradient_checkpointing: bool
    static: int
    activations: int
    optimizer: int
    gradients: int
    peak: int
    context: int
    largest: tuple[Consumer, ...]
    peak_phase: str
    timeline: tuple[tuple[int, int], ...]
    phases: tuple[tuple[int, str], ...]
    trainable: int
    tokens: int
    notes: tuple[str, ...]
    seconds: float

    @property
    def needed(self) -> int:
        """What must be free: the peak and the context beside it, bytes."""
        return self.peak + self.context

    @property
    def gaps(self) -> int:
        """What a GPU's allocator reserves at the peak beyond the tensors themselves, bytes; 0 on a CPU."""
        return self.peak - self.static - self.optimizer - self.gradients - self.activations

    def fits(self, budget: Budget | float) -> tuple[bool, str]:
        """Whether a budget is enough, and one sentence why.

        Args:
            budget: bytes allowed; a number is GiB.
        """
        allowed = budget if isinstance(budget, Budget) else Budget(int(budget * GIB), "as asked")
        left = allowed.bytes - self.needed
        needs = f"needs {size_text(self.needed)} of {size_text(allowed.bytes)} ({allowed.reason})"
        if left < 0:
            return False, f"does not fit: {needs}, {size_text(-left)} too much"
        if self.needed > TIGHT * allowed.bytes:
            return True, f"fits, but tight: {needs}, {size_text(left)} left"
        return True, f"fits: {needs}, {size_text(left)} left"

    def verdict(self, budget: Budget | float) -> str:
        """`fits`, `tight` (above 90 % of the budget) or `too large`."""
        fits, reason = self.fits(budget)
        return ("tight" if "tight" in reason else "fits") if fits else "too large"

    def advice(self) -> list[str]:
        """What would make it smaller, the most effective first; empty where nothing stands out."""
        from nbhelpers.memory.dryrun.advice import advice

        return advice(self)

    def table(self) -> str:
        """The parts and the largest consumers as text."""
        parts = [
            ("weights and adapters", self.static),
            ("optimizer states", self.optimizer),
            ("gradients of weights", self.gradients),
            ("activations", self.activations),
            ("rounding and gaps of the allocator", self.gaps),
            ("peak", self.peak),
            ("CUDA context", self.context),
        ]
        rows = [(name, size_text(size)) for name, size in parts if size]
        most = [(consumer.name, size_text(consumer.bytes)) for consumer in self.largest]
        return (
            text_table(rows, ("part", "memory"))
            + "\n\n"
            + text_table(most, ("largest at the peak", "memory"))
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> "MemoryPlan":
        """The plan that `to_dict` wrote."""
        values = {item.name: given[item.name] for item in fields(cls)}
        values["shapes"] = Shapes(**given["shapes"])
        values["largest"] = tuple(Consumer(**one) for one in given["largest"])
        values["notes"] = tuple(given["notes"])
        for name in ("timeline", "phases"):
            values[name] = tuple((index, value) for index, value in given[name])
        return cls(**values)
