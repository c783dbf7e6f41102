"""What tuning takes, predicted: the encoder on one picture at a time, then a step of the decoder alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from nbhelpers.memory.shapes import Shapes
from nbhelpers.teach.sam.batches import PROMPTS, SamBatch

if TYPE_CHECKING:
    from torch import nn

    from nbhelpers.memory import MemoryPlan
    from nbhelpers.models import Family
    from nbhelpers.settings.sections import SamSettings


@dataclass(frozen=True)
class TuningPlan:
    """Dry runs of the two things that tuning does with the whole model in memory.

    Attributes:
        encoder: one picture through the encoder, without gradients, and one box through the decoder.
        decoder: one step of the decoder from kept embeddings, with its loss, adapters and AdamW.
    """

    encoder: "MemoryPlan"
    decoder: "MemoryPlan"

    @property
    def peak(self) -> int:
        """The larger of the two, bytes."""
        return max(self.encoder.peak, self.decoder.peak)

    @property
    def needed(self) -> int:
        """What must be free, a GPU's context included, bytes."""
        return max(self.encoder.needed, self.decoder.needed)


def tuning_plan(
    family: "Family",
    config: Any,
    settings: "SamSettings",
    *,
    device: str = "cuda",
    dtype: str = "auto",
    capability: tuple[int, int] | None = None,
    prompts: int = PROMPTS,
) -> TuningPlan:
    """Predict what tuning takes; no weights and no GPU are needed.

    The decoder's step is that of a full batch: as many objects in every picture as a batch takes. Autocast's
    own copies are not covered: where they matter, plan with `dtype="float32"`, which is above them.

    Args:
        family: of the model.
        config: its configuration.
        settings: roles, rank and batch count.
        device: `cpu` or `cuda`.
        dtype: of weights and activations; see `Family.compute_dtype`.
        capability: of the GPU; see `memory.dry_run`.
        prompts: objects of one picture in a batch, at most.
    """
    from nbhelpers.memory import dry_run

    given: dict[str, Any] = {"device": device, "dtype": dtype, "capability": capability}
    encoder = dry_run(family, config, "infer", Shapes(batch=1), **given)
    inputs = _Inputs(family, settings.batch, prompts, settings.points, encoder.dtype)
    kept = replace(family, build_inputs=inputs)
    decoder = dry_run(
        kept, config, "tune", Shapes(batch=settings.batch), gradient_checkpointing=False,
        lora=_adapt(family, settings), **given,
    )  # fmt: skip
    return TuningPlan(encoder, decoder)


def _adapt(family: "Family", settings: "SamSettings") -> "Callable[[nn.Module], nn.Module]":
    """Puts the adapter in; the model that comes back takes a batch and has a loss."""

    def adapt(model: "nn.Module") -> "nn.Module":
        from nbhelpers.models import add_lora

        report = add_lora(model, family, settings.roles, settings.r, settings.alpha, settings.dropout)
        return _step_module(report.model, settings.focal)

    return adapt


def _step_module(model: "nn.Module", focal: float) -> "nn.Module":
    from torch import nn

    from nbhelpers.teach.sam.decoder import DecoderLoss, PromptedDecoder

    class Step(nn.Module):
        """The whole model, whose forward is the loss of one batch."""

        def __init__(self) -> None:
            super().__init__()
            # The name peft gives it, by which the dry run knows whose weights are whose.
            self.base_model, self._decoder = model.base_model, [PromptedDecoder(model)]

        def forward(self, **batch: Any) -> Any:
            return SimpleNamespace(loss=DecoderLoss(focal)(self._decoder[0], SamBatch(**batch))["loss"])

    return Step()


@dataclass(frozen=True)
class _Inputs:
    """Builds a batch without values, as `Family.build_inputs` is called."""

    family: "Family"
    pictures: int
    prompts: int
    points: int
    dtype: str

    def __call__(self, config: Any, shapes: Shapes, labels: bool, device: str) -> dict[str, Any]:
        import torch

        from nbhelpers.teach.sam.decoder import target_side

        count, side = self.pictures * self.prompts, target_side(config)
        levels = tuple(self._level(shape) for shape in level_shapes(self.family, config))
        return {
            "levels": levels,
            "picture": torch.arange(self.pictures).repeat_interleave(self.prompts),
            "boxes": torch.empty(count, 4, device="meta"),
            "points": torch.empty(count, self.points, 2, device="meta") if self.points else None,
            "target": torch.empty(count, side, side, device="meta"),
            "valid": torch.empty(count, side, side, device="meta"),
        }

    def _level(self, shape: Sequence[int]) -> Any:
        import torch

        return torch.empty(self.pictures, *shape, device="meta", dtype=getattr(torch, self.dtype))


def level_shapes(family: "Family", config: Any) -> list[tuple[int, int, int]]:
    """Shapes (C, h, w) of the feature maps of one picture, finest first; found on the meta device."""
    import torch

    model: Any = family.meta_model(config)
    side = int(config.prompt_encoder_config.image_size)
    with torch.no_grad():
        found = model.get_image_embeddings(torch.empty(1, 3, side, side, device="meta"))
    levels = found if isinstance(found, list | tuple) else [found]
    return [(level.shape[1], level.shape[2], level.shape[3]) for level in levels]
