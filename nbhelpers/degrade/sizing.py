"""How many texts are written at once: by dry runs before anything is written, and again as prompts grow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbhelpers.degrade.chat import Asked
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from nbhelpers.memory import Budget
    from nbhelpers.models import Loaded

# (prompts, tokens, kind of the prompts) -> bytes
Needed = Callable[[int, int, tuple[bool, int]], int]
_SHARE = 0.9  # of the budget: what a dry run does not see has to fit beside it


@dataclass(frozen=True)
class Batch:
    """Prompts that are written together.

    Attributes:
        first: place of the first in the list of all.
        count: how many.
        tokens: of the longest, those of pictures included.
        predicted_bytes: what the dry run says such a batch needs, the weights included.
    """

    first: int
    count: int
    tokens: int
    predicted_bytes: int


def layout(
    asked: Sequence[Asked],
    lengths: Sequence[int],
    most: int,
    needed: "Needed",
    allowed_bytes: int,
) -> list[Batch]:
    """Divide prompts, in their order, into batches that fit.

    It is settled before the first text is written and kept, so that a resumed experiment pads and computes
    as it did before.

    Args:
        asked: all prompts; a batch holds such of one kind, see `Asked.kind`.
        lengths: tokens of each.
        most: prompts in a batch.
        needed: bytes of (prompts, tokens, kind); asked anew when prompts are longer than before.
        allowed_bytes: what a batch may need.

    Raises:
        BadInput: not even one prompt fits.
    """
    found: list[Batch] = []
    first = 0
    while first < len(asked):
        batch = _next(asked, lengths, most, needed, allowed_bytes, first)
        found.append(batch)
        first += batch.count
    return found


def _next(
    asked: Sequence[Asked], lengths: Sequence[int], most: int,
    needed: "Needed", allowed_bytes: int, first: int,
) -> Batch:  # fmt: skip
    kind, count = asked[first].kind, 1
    while count < most and first + count < len(asked) and asked[first + count].kind == kind:
        count += 1
    while True:
        tokens = max(lengths[first : first + count])
        bytes_needed = needed(count, tokens, kind)
        if bytes_needed <= allowed_bytes:
            return Batch(first, count, tokens, bytes_needed)
        if count == 1:
            raise BadInput(
                f"prompt {asked[first].name!r} of {tokens} tokens needs {bytes_needed / 2**30:.1f} GiB and "
                f"{allowed_bytes / 2**30:.1f} are allowed; take a smaller model or fewer new tokens"
            )
        count = -(-count // 2)


def dry_needs(loaded: "Loaded") -> "Needed":
    """Bytes a batch needs by dry run, each size asked once; tokens are rounded up to a multiple of 32.

    Args:
        loaded: the model.
    """
    from nbhelpers.memory import Shapes, dry_run

    known: dict[tuple[int, int, tuple[bool, int]], int] = {}
    number = str(loaded.dtype).removeprefix("torch.")

    def needed(count: int, tokens: int, kind: tuple[bool, int]) -> int:
        key = (count, -(-tokens // 32) * 32, kind)
        if key not in known:
            # A picture's placeholders are in `tokens` already and are counted twice: on the safe side.
            shapes = Shapes(batch=count, images=int(kind[0]), text_tokens=key[1], new_tokens=kind[1])
            plan = dry_run(
                loaded.family, loaded.config, "infer", shapes, loaded.quantize,
                dtype=number, device=loaded.device.partition(":")[0],
            )  # fmt: skip
            known[key] = plan.needed
        return known[key]

    return needed


def allowed(loaded: "Loaded", budget: "Budget | None" = None) -> int:
    """Bytes a batch may need, weights included: most of what is free and what the model holds."""
    from nbhelpers.memory import budget as memory_budget

    if budget is not None:
        return int(_SHARE * budget.bytes)
    free = memory_budget(1e6, 0.5 if loaded.device.startswith("cuda") else 1.0, loaded.device)
    held = sum(p.numel() * p.element_size() for p in loaded.model.parameters())
    return int(_SHARE * (free.bytes + held))


def used_share(device: str) -> float:
    """Share of the device's memory that is in use, by whomever, 0..1."""
    from nbhelpers.runtime.hardware import gpu_of, ram

    if device.startswith("cuda"):
        board = gpu_of(device)
        return 1 - board.free_bytes / board.total_bytes
    memory = ram()
    return 1 - memory.available_bytes / memory.total_bytes
