"""What fits: dry runs of models by name, kept on disk, and the table of models against machines."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import read_json, sha256_file, sha256_value, write_json
from nbhelpers.errors import BadInput
from nbhelpers.memory.budget import Budget
from nbhelpers.memory.shapes import Shapes
from nbhelpers.models.cores import on_all_cores
from nbhelpers.runtime import GIB, where

if TYPE_CHECKING:
    from nbhelpers.memory import MemoryPlan

# What the numbers of a plan rest on besides configuration and shapes.
_LIBRARIES = ("torch", "transformers", "peft")


@dataclass(frozen=True)
class Target:
    """A machine a step may have to fit.

    Attributes:
        name: for people.
        device: `cpu` or `cuda`.
        bytes: memory a process may take, the CUDA context included.
        capability: compute capability of a GPU.
    """

    name: str
    device: str
    bytes: int
    capability: tuple[int, int] | None = None


# What the driver leaves of 16 and 24 GB boards.
T4 = Target("T4", "cuda", int(14.7 * GIB), (7, 5))
RTX3090 = Target("RTX 3090", "cuda", int(23.6 * GIB), (8, 6))


@dataclass(frozen=True)
class Fit:
    """One cell of the table.

    Attributes:
        model: name in the catalogue.
        task: `infer`, `tune`, `full` or `attack`.
        precision: a dtype, `nf4` or `int8`.
        target: name of the machine.
        verdict: `fits`, `tight` (above 90 % of the budget), `too large` or `impossible`.
        needed: peak and context in bytes; None where impossible.
        reason: one sentence.
    """

    model: str
    task: str
    precision: str
    target: str
    verdict: str
    needed: int | None
    reason: str


def plan(
    name: str | Path,
    task: str = "infer",
    shapes: Shapes | None = None,
    quantize: str | None = None,
    *,
    dtype: str = "auto",
    gradient_checkpointing: bool = True,
    device: str = "cuda",
    capability: tuple[int, int] | None = None,
    use_cache: bool = True,
) -> "MemoryPlan":
    """Dry run of one step of a model by name; kept on disk by configuration, shapes and versions.

    Args:
        name: catalogue name, hub id, `tiny/...` or a folder with `config.json`.
        task: `infer`, `tune`, `full` or `attack`.
        shapes: what goes through in a step.
        quantize: `nf4`, `int8` or None.
        dtype: `auto`, `float32`, `float16` or `bfloat16`.
        gradient_checkpointing: compute activations again in the backward pass.
        device: `cpu` or `cuda`; no GPU is needed.
        capability: of the GPU; see `memory.dry_run`.
        use_cache: False computes anew and keeps nothing.

    Raises:
        BadInput: an unknown model (names the nearest), or shapes or a task it cannot take.
    """
    from nbhelpers.memory import MemoryPlan, dry_run
    from nbhelpers.models.catalog import full_config
    from nbhelpers.models.families import family_of

    config, shapes = full_config(name), shapes or Shapes()
    family = family_of(config)
    if shapes.frames:
        family.check_task("video")
    options: dict[str, Any] = {
        "dtype": dtype,
        "gradient_checkpointing": gradient_checkpointing,
        "device": device,
        "capability": capability or _capability(device),
    }
    file = _place(config, task, shapes, quantize, options)
    if use_cache and file.is_file():
        return MemoryPlan.from_dict(read_json(file))
    found = dry_run(family, config, task, shapes, quantize, **options)
    if use_cache:
        write_json(file, found.to_dict(), indent=None)
    return found


def _capability(device: str) -> tuple[int, int] | None:
    """That of the GPU here: another one gives another plan, so it belongs to the key."""
    from nbhelpers.runtime import gpus

    return next((gpu.capability for gpu in gpus()), None) if device.startswith("cuda") else None


def _place(config: Any, task: str, shapes: Shapes, quantize: str | None, options: Mapping[str, Any]) -> Path:
    """Where a plan is kept: by everything its numbers rest on."""
    question = {
        "config": config.to_dict(), "task": task, "shapes": shapes, "quantize": quantize, **options
    }  # fmt: skip
    versions = {library: metadata.version(library) for library in _LIBRARIES}
    key = sha256_value({**question, "versions": versions, "source": _source()})
    return where().scratch / "dry-runs" / f"{key}.json"


@cache
def _source() -> str:
    """Digest of the code that makes the numbers."""
    package = Path(__file__).resolve().parents[1]
    files = sorted(
        [*(package / "memory" / "dryrun").glob("*.py"), *(package / "models" / "families").glob("*.py")]
    )
    return sha256_value([sha256_file(file) for file in files])


def fits_table(
    names: Sequence[str],
    tasks: Sequence[str] = ("infer", "tune", "attack"),
    precisions: Sequence[str] = ("auto", "nf4"),
    targets: Sequence[Target] = (T4, RTX3090),
    shapes: Shapes | None = None,
) -> list[Fit]:
    """Which models fit which machines; dry runs that were made before are read from disk.

    Args:
        names: of the catalogue.
        tasks: see `plan`.
        precisions: dtypes, or `nf4` and `int8`.
        targets: machines.
        shapes: what goes through in a step.
    """
    wanted = [
        (name, task, precision, target, shapes)
        for name in names
        for task in tasks
        for precision in precisions
        for target in targets
    ]
    return on_all_cores(_fit, wanted, sum(not _known(*cell) for cell in wanted))


def _fit(name: str, task: str, precision: str, target: Target, shapes: Shapes | None) -> Fit:
    quantize, dtype = _packing(precision)
    try:
        found = plan(
            name, task, shapes, quantize, dtype=dtype, device=target.device, capability=target.capability
        )
    except BadInput as error:  # an attack on a model without pictures, a dtype the GPU lacks, nothing to pack
        return Fit(name, task, precision, target.name, "impossible", None, str(error))
    budget = Budget(target.bytes, target.name)
    return Fit(name, task, precision, target.name, found.verdict(budget), found.needed, found.fits(budget)[1])


def _packing(precision: str) -> tuple[str | None, str]:
    """`quantize` and `dtype` of a precision."""
    return (precision, "auto") if precision in {"nf4", "int8"} else (None, precision)


def _known(name: str, task: str, precision: str, target: Target, shapes: Shapes | None) -> bool:
    """Whether a cell's plan is on disk."""
    from nbhelpers.models.catalog import full_config

    quantize, dtype = _packing(precision)
    options = {
        "dtype": dtype, "gradient_checkpointing": True, "device": target.device,
        "capability": target.capability or _capability(target.device),
    }  # fmt: skip
    return _place(full_config(name), task, shapes or Shapes(), quantize, options).is_file()


def describe(found: "MemoryPlan", budget: Budget) -> dict[str, Any]:
    """A plan with its verdict and advice as plain values, without the curve."""
    fits, reason = found.fits(budget)
    given = {key: value for key, value in asdict(found).items() if key not in {"timeline", "phases"}}
    extra = {"needed": found.needed, "budget": budget.bytes, "fits": fits, "reason": reason}
    return {**given, **extra, "verdict": found.verdict(budget), "advice": found.advice()}
