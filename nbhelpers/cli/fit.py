"""`nbhelpers fit`: does a step of this model fit, before anything is downloaded?"""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbhelpers.cli.machine import ROOM
from nbhelpers.cli.output import Answer, command
from nbhelpers.errors import BadInput
from nbhelpers.runtime.hardware import GIB

if TYPE_CHECKING:
    from nbhelpers.memory import Budget, MemoryPlan

# A pebibyte: more than any machine has, and infinity is no number of bytes.
_MOST_GIB = 1 << 20


class Task(StrEnum):
    """What the step is for."""

    infer = "infer"
    tune = "tune"
    full = "full"
    attack = "attack"


class Quantize(StrEnum):
    """How the text layers are packed."""

    nf4 = "nf4"
    int8 = "int8"


class Device(StrEnum):
    """What the step runs on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def add_to(app: typer.Typer) -> None:
    """Register the commands of this room."""

    @command(
        app, "fit", ROOM, "fit qwen2.5-vl-3b --task tune --frames 8 --size 448 --quantize nf4 --budget 16"
    )
    def fit(
        model: Annotated[
            str, typer.Argument(metavar="MODEL", help="Catalogue name, hub id, tiny/... or a folder.")
        ],
        task: Annotated[Task, typer.Option(help="LoRA is tune; full trains all weights.")] = Task.infer,
        batch: Annotated[int, typer.Option(help="Samples in a step.")] = 1,
        images: Annotated[
            int | None, typer.Option(help="Pictures per sample; 1 where the model takes any.")
        ] = None,
        frames: Annotated[int, typer.Option(help="Video frames per sample.")] = 0,
        size: Annotated[
            int | None, typer.Option(help="Side of a picture or frame, pixels; by default the model's own.")
        ] = None,
        text_tokens: Annotated[int, typer.Option(help="Tokens of text per sample.")] = 128,
        new_tokens: Annotated[int, typer.Option(help="Tokens to generate.")] = 64,
        quantize: Annotated[Quantize | None, typer.Option(help="Pack the text layers.")] = None,
        dtype: Annotated[str, typer.Option(help="auto, float32, float16 or bfloat16.")] = "auto",
        no_checkpointing: Annotated[
            bool, typer.Option("--no-checkpointing", help="Keep all activations for the backward pass.")
        ] = False,
        budget: Annotated[
            float | None,
            typer.Option(metavar="GIB", help="Memory of a GPU; by default what is free here."),
        ] = None,
        device: Annotated[
            Device, typer.Option(help="auto: a GPU where --budget is given or one is here, else the CPU.")
        ] = Device.auto,
        capability: Annotated[
            str | None,
            typer.Option(
                metavar="X.Y", help="Of the GPU meant: 8.6 for a 3090; by default 7.5, or of one here."
            ),
        ] = None,
    ) -> Answer:
        """Predict the memory of one step from the model's configuration, without weights and without a GPU.

        Exits with 0 whether the step fits or not: the answer is in the text and in `fits` of --json.
        """
        from nbhelpers.memory import Shapes
        from nbhelpers.models.fitting import describe, plan

        kind = _device(device, budget)
        allowed = _budget(budget, kind)
        _check_inputs(model, images, frames)
        count = (0 if frames else 1) if images is None else images
        shapes = Shapes(batch, count, frames, size, text_tokens, new_tokens)
        found = plan(
            model, task.value, shapes, quantize.value if quantize else None, dtype=dtype,
            gradient_checkpointing=not no_checkpointing, device=kind, capability=_capability(capability),
        )  # fmt: skip
        return Answer({"model": model, **describe(found, allowed)}, _text(model, found, allowed))


def _device(device: Device, budget: float | None) -> str:
    if device is not Device.auto:
        return device.value
    from nbhelpers.runtime import gpus

    return "cuda" if budget is not None or gpus() else "cpu"


def _capability(given: str | None) -> tuple[int, int] | None:
    """Compute capability as CUDA counts it; it decides number formats and attention kernels.

    Raises:
        BadInput: not two numbers with a point between.
    """
    if given is None:
        return None
    major, _, minor = given.partition(".")
    if not (major.isdecimal() and minor.isdecimal() and len(given) < 6):
        raise BadInput(f"--capability {given}: give it as NVIDIA does, such as 7.5 (T4) or 8.6 (RTX 3090)")
    return int(major), int(minor)


def _budget(budget: float | None, device: str) -> "Budget":
    """The budget asked for, or all that this machine has free.

    Raises:
        BadInput: not above 0, or more than any machine has.
        Unavailable: a GPU's without a GPU here.
    """
    from nbhelpers.memory import Budget
    from nbhelpers.memory import budget as free_now

    if budget is None:
        free = free_now(limit_gib=float(_MOST_GIB), keep_free_gib=0.0, device=device)
        return Budget(free.bytes, "what is free here now")
    if not 0 < budget <= _MOST_GIB:
        raise BadInput(f"--budget {budget:g}: must be above 0 and at most {_MOST_GIB:,} GiB")
    return Budget(int(budget * GIB), "--budget")


def _check_inputs(model: str, images: int | None, frames: int) -> None:
    """Refuse pictures for a model of text; the families' example inputs would just leave them out."""
    from nbhelpers.models.catalog import full_config
    from nbhelpers.models.families import family_of

    family = family_of(full_config(model))
    if frames:
        family.check_task("video")
    if images:
        family.check_task("image")


def _text(model: str, found: "MemoryPlan", allowed: "Budget") -> str:
    reason = found.fits(allowed)[1]
    head = f"{model}, {found.task} in {found.quantize or found.dtype} on {found.device}: {reason}"
    lines: list[Any] = [head, f"{found.dtype}: {found.dtype_reason}", found.table()]
    lines += [f"Note: {note}" for note in found.notes]
    advice = found.advice()
    if advice:
        lines.append("What would make it smaller:\n" + "\n".join(f"- {idea}" for idea in advice))
    return "\n\n".join(lines)
