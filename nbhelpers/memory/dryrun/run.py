"""The dry run: one step of a full-size model without weights and without a GPU."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput
from nbhelpers.memory.dryrun import steps
from nbhelpers.memory.dryrun.adapters import Adapt, default_lora
from nbhelpers.memory.dryrun.family import DryRunFamily, role_finder
from nbhelpers.memory.dryrun.ledger import Ledger
from nbhelpers.memory.dryrun.naming import Namer, consumers
from nbhelpers.memory.dryrun.plan import CUDA_CONTEXT, MemoryPlan
from nbhelpers.memory.dryrun.replay import replay, reserved_bytes
from nbhelpers.memory.shapes import Shapes
from nbhelpers.runtime.choice import Choice
from nbhelpers.runtime.hardware import gpus

if TYPE_CHECKING:
    import torch
    from torch import nn

# The least of the GPUs the package is meant for (a T4). It has no flash attention: its plans hold elsewhere.
_CAPABILITY = (7, 5)
# cuBLAS takes `:4096:2:16:8` by default and 32 MiB from compute capability 9.0, for each thread that uses it;
# the backward pass runs in a thread of its own. Source: aten/src/ATen/cuda/CublasHandlePool.cpp.
_WORKSPACE, _WORKSPACE_90 = (2 * 4096 + 8 * 16) * 1024, 4096 * 8 * 1024
_PACKED_ROLES = frozenset({"text.attention", "text.mlp"})


@dataclass(frozen=True)
class _Setting:
    """What one dry run was asked."""

    task: str
    shapes: Shapes
    quantize: str | None
    dtype: Choice
    checkpointing: bool
    device: str
    capability: tuple[int, int]


def dry_run(
    family: DryRunFamily,
    config: Any,
    task: str,
    shapes: Shapes | None = None,
    quantize: str | None = None,
    *,
    dtype: str = "auto",
    gradient_checkpointing: bool = True,
    lora: Adapt | None = None,
    attention: str | None = None,
    device: str = "cuda",
    capability: tuple[int, int] | None = None,
) -> MemoryPlan:
    """Predict the memory of one step from a configuration alone.

    - `infer`: the prompt through the model into its key-value cache, then one token at the full length.
    - `tune`: a LoRA step with AdamW; adapters in float32, the rest frozen.
    - `full`: all weights trained; weights, gradients and both AdamW states in `dtype`, as torch keeps them.
    - `attack`: frozen weights, gradient to the pixels.

    Not covered: autocast's copies, workspaces of convolutions, fused kernels of other packages, several GPUs.

    Args:
        family: of the model.
        config: a transformers configuration.
        task: see above.
        shapes: what goes through in a step.
        quantize: `nf4` or `int8` for the linear layers of the text model; None for none.
        dtype: `auto`, `float32`, `float16` or `bfloat16`.
        gradient_checkpointing: where the class has it; notes say when not.
        lora: puts adapters into the model for `tune`; rank 16 on the family's default roles by default.
        attention: `sdpa` or `eager`; the family's by default.
        device: `cpu` or `cuda`; nothing is asked of it except its compute capability, if it is there.
        capability: of the GPU; that of the first one here by default, or 7.5.

    Raises:
        BadInput: shapes or a task the family cannot take.
        Unavailable: the class cannot be run without values.
    """
    began = time.process_time()
    steps.check_task(task)
    family.check_task(task)
    capability = capability or next((gpu.capability for gpu in gpus()), _CAPABILITY)
    choice = family.compute_dtype(device, dtype, capability if device.startswith("cuda") else None)
    setting = _Setting(
        task,
        shapes or Shapes(),
        quantize,
        choice,
        gradient_checkpointing,
        device.partition(":")[0],
        capability,
    )
    model = family.meta_model(config, choice.value, attention)
    return _planned(family, config, model, lora or default_lora(family), setting, began)


def _planned(
    family: DryRunFamily, config: Any, model: "nn.Module", lora: Adapt, setting: _Setting, began: float
) -> MemoryPlan:
    find_role = role_finder(family)
    unpacked = _quantize(model, find_role, setting)
    if setting.task == "tune":
        model = lora(model)
    notes = steps.prepare(model, setting.task, setting.checkpointing)
    pixels = "meta" if setting.task == "attack" else "cpu"
    inputs = _in_dtype(family.example_inputs(config, setting.shapes, setting.task != "infer", pixels), model)
    optimizer = _optimizer(model, setting)
    ledger = _trace(model, inputs, optimizer, setting)
    namer = Namer(find_role, _vocabulary(config), unpacked)
    namer.learn(name for name, _ in model.named_parameters())
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return _plan(ledger, namer, inputs, trainable, notes, setting, began)


def _in_dtype(inputs: Mapping[str, Any], model: "nn.Module") -> dict[str, Any]:
    """The inputs with pixels in the type of the weights they meet, as a caller has to hand them over."""
    dtype = next(p.dtype for p in model.parameters() if p.is_floating_point())
    return {name: value.to(dtype) if name in steps.PIXELS else value for name, value in inputs.items()}


def _quantize(model: "nn.Module", find_role: Any, setting: _Setting) -> frozenset[tuple[int, ...]]:
    if setting.quantize is None:
        return frozenset()
    from nbhelpers.memory.dryrun.quantized import quantize_layers

    return quantize_layers(
        model, setting.quantize, setting.device, lambda name: find_role(f"{name}.weight") in _PACKED_ROLES
    )


def _optimizer(model: "nn.Module", setting: _Setting) -> "torch.optim.Optimizer | None":
    if setting.task not in {"tune", "full"}:
        return None
    import torch

    # torch updates all tensors at once on a GPU, one by one on a CPU; on the meta device it has to be told.
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(trained, foreach=setting.device == "cuda")


def _trace(
    model: "nn.Module",
    inputs: Mapping[str, Any],
    optimizer: "torch.optim.Optimizer | None",
    setting: _Setting,
) -> Ledger:
    from nbhelpers.memory.dryrun.kernels import device_kernels
    from nbhelpers.memory.dryrun.mixed import numbers_stay_real
    from nbhelpers.memory.dryrun.tracer import Marker, Tracer, enter_inputs, enter_model, module_paths

    ledger = Ledger()
    ledger.begin("weights")
    enter_model(ledger, model)
    enter_inputs(ledger, inputs)
    tracer, marker = Tracer(ledger), Marker(ledger, model, optimizer)
    kernels = device_kernels(setting.device, setting.capability)
    try:
        with kernels, numbers_stay_real(), module_paths(model, tracer), tracer:
            steps.run_step(model, inputs, setting.task, optimizer, setting.shapes.new_tokens, marker)
    except RuntimeError as error:  # torch says so of sizes that do not meet
        raise BadInput(
            f"{type(model).__name__} cannot take a step of {setting.shapes}: {error}; try a larger size"
        ) from error
    ledger.close()
    return ledger


def _vocabulary(config: Any) -> int:
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    return int(getattr(text, "vocab_size", 0) or 0)


def _plan(
    ledger: Ledger,
    namer: Namer,
    inputs: Mapping[str, Any],
    trainable: int,
    notes: tuple[str, ...],
    setting: _Setting,
    began: float,
) -> MemoryPlan:
    seen = replay(ledger)
    held = dict.fromkeys(("weight", "optimizer", "gradient"), 0)
    for number in seen.live:
        kind = ledger.labels[number].kind
        held[kind] = held.get(kind, 0) + ledger.sizes[number]
    cuda = setting.device == "cuda"
    ids = inputs.get("input_ids")
    return MemoryPlan(
        task=setting.task,
        device=setting.device,
        dtype=setting.dtype.value,
        dtype_reason=setting.dtype.reason,
        quantize=setting.quantize,
        shapes=setting.shapes,
        gradient_checkpointing=setting.checkpointing and setting.task != "infer" and not notes,
        static=held["weight"],
        activations=seen.allocated - held["weight"] - held["optimizer"] - held["gradient"],
        optimizer=held["optimizer"],
        gradients=held["gradient"],
        peak=reserved_bytes(ledger, _workspaces(setting)) if cuda else seen.allocated,
        context=CUDA_CONTEXT if cuda else 0,
        largest=tuple(consumers(ledger, seen.live, seen.phase, namer)[:5]),
        peak_phase=seen.phase,
        timeline=seen.timeline,
        phases=seen.phases,
        trainable=trainable,
        tokens=0 if ids is None else int(ids.shape[1]),
        notes=notes,
        seconds=time.process_time() - began,
    )


def _workspaces(setting: _Setting) -> tuple[int, ...]:
    size = _WORKSPACE_90 if setting.capability >= (9, 0) else _WORKSPACE
    return (size,) * (1 if setting.task == "infer" else 2)
