"""What tuning takes, predicted: a dry run of the very step that is trained, and hours from its arithmetic."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from nbhelpers.memory.shapes import Shapes

if TYPE_CHECKING:
    from torch import nn

    from nbhelpers.memory import MemoryPlan
    from nbhelpers.models import Family
    from nbhelpers.settings import VideoSection

ANSWER_TOKENS = 48  # JSON of four keys with the longest names, and the end of the turn
QUESTION_TOKENS = 128  # the question with eight times, the template around it
# Assumed, not measured: of a T4's 65 teraflops (fp16) a step of a 4-bit model, unpacked layer by layer,
# reaches about a seventh. Published steps of Qwen2.5-VL-7B on a T4 (220 s for 30) are no slower than that.
T4_FLOPS = 9e12


@dataclass(frozen=True)
class TuningPlan:
    """Dry runs of the two things that tuning does with the model in memory.

    Attributes:
        step: one training step as `answer_loss` takes it, with adapters and AdamW.
        look: a clip through the whole model without gradients, as answering and computing features need it.
        features: whether the step's pictures are features that were kept.
    """

    step: "MemoryPlan"
    look: "MemoryPlan"
    features: bool

    @property
    def peak(self) -> int:
        """The larger of the two, bytes."""
        return max(self.step.peak, self.look.peak)

    @property
    def needed(self) -> int:
        """What must be free, a GPU's context included, bytes."""
        return max(self.step.needed, self.look.needed)


def shapes_of(settings: "VideoSection", side_px: int | None, batch: int | None = None) -> Shapes:
    """The size of one training step.

    Args:
        settings: give frames and batch.
        side_px: side of a square frame; None takes 448.
        batch: clips; None takes the settings'.
    """
    return Shapes(
        batch=batch or settings.batch,
        images=0,
        frames=settings.frames,
        size=side_px,
        text_tokens=QUESTION_TOKENS + ANSWER_TOKENS,
    )


def tuning_plan(
    family: "Family",
    config: Any,
    settings: "VideoSection",
    *,
    quantize: str | None = None,
    device: str = "cuda",
    dtype: str = "auto",
    capability: tuple[int, int] | None = None,
    checkpointing: bool = True,
    side_px: int | None = None,
) -> TuningPlan:
    """Predict what tuning takes; no weights and no GPU are needed.

    Args:
        family: of the model.
        config: its configuration.
        settings: roles, rank, batch and frames.
        quantize: `nf4`, `int8` or None.
        device: `cpu` or `cuda`.
        dtype: of weights and activations; see `Family.compute_dtype`.
        capability: of the GPU; see `memory.dry_run`.
        checkpointing: compute activations again in the backward pass.
        side_px: side of a square frame; None takes the settings'.
    """
    from nbhelpers.memory import dry_run
    from nbhelpers.video.features import why_not_kept

    side = side_px or settings.size_px
    given: dict[str, Any] = {"device": device, "dtype": dtype, "capability": capability}
    kept = settings.keep_features and not why_not_kept(family.model_type, _roles(family, settings))
    fed = replace(family, build_inputs=_Inputs(family, kept))
    step = dry_run(
        fed, config, "tune", shapes_of(settings, side), quantize,
        gradient_checkpointing=checkpointing, lora=_adapt(family, settings, kept), **given,
    )  # fmt: skip
    look = dry_run(family, config, "infer", shapes_of(settings, side, 1), quantize, **given)
    return TuningPlan(step, look, kept)


def _roles(family: "Family", settings: "VideoSection") -> tuple[str, ...]:
    from nbhelpers.models import lora_roles

    return lora_roles(family, settings.roles)


def _adapt(family: "Family", settings: "VideoSection", kept: bool) -> "Callable[[nn.Module], nn.Module]":
    """Puts the adapter in; the model that comes back has `answer_loss` as its loss."""

    def adapt(model: "nn.Module") -> "nn.Module":
        from nbhelpers.models import add_lora

        report = add_lora(model, family, settings.roles, settings.r, settings.alpha, settings.dropout)
        return _step_module(report.model, kept)

    return adapt


def _step_module(model: Any, kept: bool) -> "nn.Module":
    from contextlib import nullcontext

    from torch import nn

    from nbhelpers.video.batches import answer_loss
    from nbhelpers.video.features import features_for_pixels

    class Step(nn.Module):
        """The whole model, whose forward is the loss of one batch."""

        supports_gradient_checkpointing = True

        def __init__(self) -> None:
            super().__init__()
            # The name peft gives it, by which the dry run knows whose weights are whose.
            self.base_model, self._whole = model.base_model, [model]

        def gradient_checkpointing_enable(self, *given: Any) -> None:
            model.gradient_checkpointing_enable(*given)
            for hook in getattr(model.get_base_model(), "_require_grads_hooks", ()):
                hook.remove()

        def forward(self, **batch: Any) -> Any:
            with features_for_pixels(model) if kept else nullcontext():
                return SimpleNamespace(loss=answer_loss(model, batch)["loss"])

    return Step()


@dataclass(frozen=True)
class _Inputs:
    """Builds a batch as `collate` makes it: labels in the last columns, features where pixels were."""

    family: "Family"
    kept: bool

    def __call__(self, config: Any, shapes: Shapes, labels: bool, device: str) -> dict[str, Any]:
        import torch

        inputs = self.family.build_inputs(config, shapes, False, device)
        if self.kept:
            vision = config.vision_config
            merged = vision.spatial_merge_size**2
            width = vision.out_hidden_size * (1 + len(getattr(vision, "deepstack_visual_indexes", ())))
            rows = int(inputs["video_grid_thw"].prod(dim=1).sum()) // merged
            inputs["pixel_values_videos"] = torch.empty(rows, width, device="meta")
        if labels:
            inputs["labels"] = inputs["input_ids"][:, -ANSWER_TOKENS:].clone()
        return inputs


def step_flops(plan: "MemoryPlan", parameters: int, checkpointing: bool = True) -> float:
    """Floating point operations of one step: two per weight and token forward, as many backward.

    The weights are frozen, so there is no product for their gradients; checkpointing adds a forward pass.

    Args:
        plan: of the step; gives tokens and batch.
        parameters: of the text model, which every token passes.
        checkpointing: whether it is on.
    """
    return (3 if checkpointing else 2) * 2.0 * parameters * plan.tokens * plan.shapes.batch


def expected_hours(
    plan: "MemoryPlan", parameters: int, steps: int, accumulate: int, flops: float = T4_FLOPS
) -> float:
    """Hours of a tuning on a GPU that does so many operations a second.

    Args:
        plan: of the step.
        parameters: of the text model.
        steps: optimiser steps.
        accumulate: micro-batches in each.
        flops: see `T4_FLOPS`.
    """
    return steps * accumulate * step_flops(plan, parameters, plan.gradient_checkpointing) / flops / 3600


def t4_table(names: Sequence[str], frames: Sequence[int] = (8,)) -> list[dict[str, Any]]:
    """What tuning the real models by the profile `t4` takes on a T4; no weights and no GPU are needed.

    Args:
        names: of the catalogue.
        frames: of a clip.

    Returns:
        Rows of model, frames, tokens of a clip, adapter values, GB that must be free, hours of the training.
    """
    from nbhelpers.models import family_of, full_config
    from nbhelpers.runtime import progress
    from nbhelpers.settings import load_settings

    settings, rows = load_settings("t4").video, list[dict[str, Any]]()
    for name, count in progress([(n, f) for n in names for f in frames], label="dry runs", unit="model"):
        config = full_config(name)
        family, own = family_of(config), settings.model_copy(update={"frames": count})
        found = tuning_plan(family, config, own, quantize="nf4", capability=(7, 5))
        hours = expected_hours(found.step, text_parameters(family, config), own.steps, own.accumulate)
        row = {"model": name, "frames": count, "tokens": found.step.tokens, "adapter": found.step.trainable}
        rows.append({**row, "GB": found.needed / 1e9, "hours": hours})
    return rows


def text_parameters(family: "Family", config: Any) -> int:
    """Values of the text layers that every token passes; embeddings are looked up."""
    from nbhelpers.models import count_roles

    counts = count_roles(family.meta_model(config), family)
    return sum(n for role, n in counts.items() if role.startswith("text") and role != "text.embedding")
