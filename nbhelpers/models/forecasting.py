"""What `load` would take on a machine, by dry run alone: also for a GPU that is not here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from nbhelpers.errors import BadInput
from nbhelpers.memory.budget import Budget
from nbhelpers.memory.shapes import Shapes
from nbhelpers.models.catalog import chain, find_entry
from nbhelpers.models.cores import on_all_cores
from nbhelpers.models.fitting import Target, plan
from nbhelpers.models.rungs import Refused, Rung
from nbhelpers.runtime.hardware import gpu_of, ram


@dataclass(frozen=True)
class Purpose:
    """What a notebook does with a model.

    Attributes:
        task: `infer`, `tune` or `attack`.
        shapes: one step's size.
        quantize: how the text layers are packed on a GPU; None for not at all.
    """

    task: str
    shapes: Shapes
    quantize: str | None = None


PURPOSES: Mapping[str, Purpose] = MappingProxyType(
    {
        "code": Purpose("infer", Shapes(images=0, text_tokens=512, new_tokens=1024), "nf4"),
        "degrade": Purpose("infer", Shapes(images=1, text_tokens=128, new_tokens=256)),
        "attack": Purpose("attack", Shapes(images=1, text_tokens=64)),
        "video": Purpose("tune", Shapes(images=0, frames=8, size=224, text_tokens=256), "nf4"),
        "detector": Purpose("tune", Shapes(images=1, text_tokens=16)),
        "segmenter": Purpose("tune", Shapes(images=1)),
    }
)


def this_machine(device: str = "cpu") -> Target:
    """The machine this runs on, as a target of dry runs: all its GPU has, or the main memory free now.

    Args:
        device: `cpu` or `cuda:N`, as `runtime.choose_device` chose it.

    Raises:
        Unavailable: the GPU is not there.
    """
    if device.startswith("cuda"):
        board = gpu_of(device)
        return Target(board.name, "cuda", board.total_bytes, board.capability)
    return Target("this CPU", "cpu", ram().available_bytes)


def forecast(
    purpose: str,
    profile: str,
    target: Target,
    *,
    reach: bool = False,
    candidates: Sequence[str] | None = None,
) -> list[Rung]:
    """Walk a chain as `load` does, up to the first rung that fits; nothing is loaded or downloaded.

    Args:
        purpose: a key of `PURPOSES`.
        profile: whose chain: cpu, t4 or rtx3090.
        target: the machine.
        reach: also ask whether the files can be had here; otherwise every model counts as reachable.
        candidates: names to try instead of the profile's chain.

    Returns:
        The rungs, the one that would be taken last; where none fits, the last is refused too.

    Raises:
        BadInput: an unknown purpose or profile.
    """
    if purpose not in PURPOSES:
        raise BadInput(f"purpose {purpose!r} is not known; known purposes: {', '.join(PURPOSES)}")
    rungs: list[Rung] = []
    for name in candidates or chain(purpose, profile):
        rungs.append(_rung(name, PURPOSES[purpose], target, reach))
        if rungs[-1].taken:
            break
    return rungs


def forecasts(
    targets: Mapping[str, Target], purposes: Sequence[str] = tuple(PURPOSES), *, reach: bool = False
) -> dict[tuple[str, str], list[Rung]]:
    """`forecast` of several purposes for several machines, on all cores.

    Args:
        targets: profile whose chain is walked -> machine.
        purposes: keys of `PURPOSES`.
        reach: see `forecast`.

    Returns:
        The rungs by (purpose, profile).
    """
    pairs = [(purpose, profile) for purpose in purposes for profile in targets]
    jobs = [(purpose, profile, targets[profile], reach) for purpose, profile in pairs]
    return dict(zip(pairs, on_all_cores(_walk, jobs, len(jobs)), strict=True))


def _walk(purpose: str, profile: str, target: Target, reach: bool) -> list[Rung]:
    return forecast(purpose, profile, target, reach=reach)


def _rung(name: str, purpose: Purpose, target: Target, reach: bool) -> Rung:
    try:
        if reach:
            _locate(name)
        return _fitting_rung(name, purpose, target)
    except Refused as refused:
        return Rung(name, refused.kind, False, refused.reason)
    except BadInput as error:
        return Rung(name, "unsupported", False, str(error))


def _locate(name: str) -> None:
    """Refuse what `load` could not reach from here."""
    from nbhelpers.models.hub import locate

    entry = find_entry(name)
    locate(name, "" if entry.is_twin else entry.id, None, entry.gated)


def _fitting_rung(name: str, purpose: Purpose, target: Target) -> Rung:
    packed = None if find_entry(name).is_twin or target.device == "cpu" else purpose.quantize
    planned = plan(
        name, purpose.task, purpose.shapes, packed, device=target.device, capability=target.capability
    )
    fits, reason = planned.fits(Budget(target.bytes, target.name))
    how = f"{planned.dtype}{f' with {packed} text layers' if packed else ''}"
    return Rung(name, "loaded" if fits else "too_large", fits, f"{how}: {reason}")
