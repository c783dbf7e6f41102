"""`load`: the first model of a chain that is known, reachable, fits and loads, and the reason for each."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput
from nbhelpers.memory import Budget, release, watch
from nbhelpers.memory import budget as memory_budget
from nbhelpers.memory.shapes import Shapes
from nbhelpers.models.download import fetch_config, fetch_weights
from nbhelpers.models.hub import Source, locate
from nbhelpers.models.loaded import Loaded, taken_reason
from nbhelpers.models.loaders import How, load_model, load_processor, read_config
from nbhelpers.models.prepare import Task, check_finite, one_device, prepare
from nbhelpers.models.quantize import check_quantizable, check_quantize
from nbhelpers.models.rungs import NothingFits, Refused, Rung
from nbhelpers.runtime import GIB, Choice, choose_device, gpu_of, ram, size_text

if TYPE_CHECKING:
    from nbhelpers.memory import MemoryPlan
    from nbhelpers.models.families import Family

_TASKS = ("infer", "tune", "attack")


@dataclass(frozen=True)
class _Request:
    """What was asked for, the same for every candidate."""

    task: Task
    budget: Budget
    quantize: str | None
    device: str
    dtype: str
    checkpointing: bool | None
    shapes: Shapes
    revision: str | None
    attention: str | None


def load(
    candidates: str | Sequence[str],
    task: Task = "infer",
    budget: int | Budget | None = None,
    quantize: str | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    gradient_checkpointing: bool | None = None,
    shapes: Shapes | None = None,
    revision: str | None = None,
    attention: str | None = None,
) -> Loaded:
    """Load the first candidate that is known, reachable, fits by dry run and really loads.

    The network is asked only for what is in no folder and not in the cache, and only where the hub answers
    within two seconds. The configuration is fetched and the dry run made before any weight is.

    Args:
        candidates: names of the catalogue, ids of the hub, `tiny/...` for a twin, or folders; tried in order.
        task: `infer` and `attack` give a frozen, evaluating model, `tune` a training one.
        budget: bytes the step may take, as a number or a `Budget`; None is what the device has free.
        quantize: `nf4` or `int8` packs the text layers; None packs nothing.
        device: as `runtime.choose_device` takes it.
        dtype: as `Family.compute_dtype` takes it.
        gradient_checkpointing: None is on for `tune` where the class has it, off otherwise.
        shapes: one step's size for the dry run; None is one picture and 128 tokens.
        revision: branch, tag or commit on the hub, for all candidates.
        attention: attention implementation; None is the family's.

    Raises:
        BadInput: an argument that no candidate could meet.
        NothingFits: no candidate was taken; lists each with its reason.
    """
    names = [candidates] if isinstance(candidates, str) else list(candidates)
    if not names or task not in _TASKS:
        raise BadInput(f"load: give at least one name and a task of {', '.join(_TASKS)} (not {task!r})")
    check_quantize(quantize)
    where = choose_device(device)
    allowed = _budget(budget, where)
    request = _Request(
        task,
        allowed,
        quantize,
        where.value,
        dtype,
        gradient_checkpointing,
        shapes or Shapes(),
        revision,
        attention,
    )
    rungs: list[Rung] = []
    for name in names:
        loaded = _attempt(name, request, rungs)
        if loaded is not None:
            return loaded
    raise NothingFits(rungs)


def _budget(wanted: int | Budget | None, device: Choice) -> Budget:
    if isinstance(wanted, Budget):
        return wanted
    if wanted is not None:
        if wanted <= 0:
            raise BadInput(f"budget {wanted}: give the bytes a step may take, above 0")
        return Budget(wanted, "it was asked for")
    if device.value.startswith("cuda"):
        return memory_budget(gpu_of(device.value).total_bytes / GIB, keep_free_gib=0.5, device=device.value)
    return memory_budget(ram().total_bytes / GIB, keep_free_gib=1.0, device="cpu")


def _attempt(name: str, request: _Request, rungs: list[Rung]) -> Loaded | None:
    """Take one candidate and note its rung, or note why not."""
    try:
        loaded = _take(name, request)
    except Refused as refused:
        rungs.append(Rung(name, refused.kind, False, refused.reason))
        return None
    rungs.append(Rung(name, "loaded", True, taken_reason(loaded, request.budget.bytes)))
    loaded.rungs = rungs
    return loaded


def _take(name: str, request: _Request) -> Loaded:
    source, family, config = _find(name, request)
    how = _decide(family, config, request)
    plan = _fits(family, config, how, request)
    if source.where == "hub":
        source = fetch_weights(source)
    began = time.perf_counter()
    with watch(0.05) as seen:
        model, processor, loader = _bring(source, family, config, how)
    peak = sum(seen.gpu_peak_bytes.values()) if how.device.startswith("cuda") else seen.grown_bytes
    model.nbhelpers_base = (name, source.revision)  # what an adapter made on it will be bound to
    return Loaded(
        model, processor, family, model.dtype, how.device, name, source.revision, plan, how.quantize, config,
        source, loader, time.perf_counter() - began, peak,
    )  # fmt: skip


def _bring(source: Source, family: "Family", config: Any, how: How) -> tuple[Any, Any, Choice]:
    """Model, processor and loader; on a refusal the memory of what was loaded so far is given back."""
    assert source.folder is not None
    try:
        processor = load_processor(source.folder, family)
        model, loader = load_model(source.folder, family, config, how)
        prepare(model, how.task, how.checkpointing)
        check_finite(model, family, one_device(model))
    except Refused as refused:
        kind, reason = refused.kind, refused.reason
    else:
        return model, processor, loader
    model = None  # the handler is left and nothing is named: now nothing holds a half-loaded model
    release()
    raise Refused(kind, reason)


def _find(name: str, request: _Request) -> tuple[Source, "Family", Any]:
    """Where the files are and whose they are; on the hub only the configuration is fetched."""
    from nbhelpers.models.families import family_of

    repo, gated = _catalogue(name)
    source = locate(name, repo, request.revision, gated)
    if source.folder is None:
        source = fetch_config(source)
    assert source.folder is not None
    config = read_config(source.folder)
    return source, family_of(config), config


def _catalogue(name: str) -> tuple[str, bool]:
    """The hub's id and gate of a name the catalogue knows; an empty id for twins and names it does not."""
    from nbhelpers.models.catalog import catalog

    for entry in catalog().values():
        if name.lower() in {entry.name.lower(), entry.id.lower()} and not entry.is_twin:
            return entry.id, entry.gated
    return "", False


def _decide(family: "Family", config: Any, request: _Request) -> How:
    """Number format, packing and checkpointing by the family's rules."""
    check_quantizable(family, request.quantize)
    try:
        family.check_task("video" if request.shapes.frames else request.task)
        dtype = family.compute_dtype(request.device, request.dtype)
        checkpoints = bool(family.model_class(config).supports_gradient_checkpointing)
    except BadInput as error:
        reason = str(error)
    else:
        wanted = request.checkpointing
        checkpointing = (request.task == "tune" and checkpoints) if wanted is None else wanted
        attention = request.attention or family.attention
        return How(dtype, request.device, request.quantize, attention, checkpointing, request.task)
    raise Refused("unsupported", reason)


def _fits(family: "Family", config: Any, how: How, request: _Request) -> "MemoryPlan":
    """The dry run of one step.

    Raises:
        Refused: `too_large` by so many GiB, or `unsupported` where the shapes are none the model can take.
    """
    from nbhelpers.memory import dry_run

    try:
        plan = dry_run(
            family, config, how.task, request.shapes, how.quantize, dtype=how.dtype.value, device=how.device,
            gradient_checkpointing=how.checkpointing, attention=how.attention,
        )  # fmt: skip
    except BadInput as error:
        reason = str(error)
    else:
        over = plan.needed - request.budget.bytes
        if over <= 0:
            return plan
        raise Refused(
            "too_large",
            f"too large by {over / GIB:.1f} GiB: a step takes {size_text(plan.needed)}, allowed are "
            f"{size_text(request.budget.bytes)} ({request.budget.reason})",
        )
    raise Refused("unsupported", reason)
