"""What a frozen vision tower makes of a clip: computed once, then handed to the model in place of pixels.

The families here call one module, `visual`, on the pixels of a batch and put what comes out where the
placeholders stand. While features are handed over, that module takes its own answer for an input: everything
else of the model's forward runs as it is, so positions, placement and losses are the same to the bit.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import sha256_value
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor, nn

FAMILIES = ("qwen2_5_vl", "qwen3_vl")
# The pixels of a clip go in under one of these names, their grid under the other.
_VISUAL_INPUTS = {"pixel_values_videos": "video_grid_thw", "pixel_values": "image_grid_thw"}


def plain_model(model: Any) -> Any:
    """The transformers model inside a peft model; others are given back as they are."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def why_not_kept(model_type: str, roles: tuple[str, ...]) -> str:
    """Why features cannot be kept in a tuning; empty where they can.

    Args:
        model_type: of the family.
        roles: that are trained.
    """
    if model_type not in FAMILIES:
        return f"{model_type}: its vision tower is not one whose features we know how to hand over"
    seen = [role for role in roles if role.startswith(("vision", "projector"))]
    return f"{', '.join(seen)} is trained, so what it makes of a clip changes" if seen else ""


def pixels_name(inputs: Mapping[str, Any]) -> str:
    """The name under which pixels go in.

    Raises:
        BadInput: there are none.
    """
    for name in _VISUAL_INPUTS:
        if name in inputs:
            return name
    raise BadInput(f"inputs {', '.join(inputs)}: hold no pixels")


def clip_features(model: Any, inputs: Mapping[str, "Tensor"]) -> "Tensor":
    """Run the vision tower and its projector on the pixels of one clip.

    Args:
        model: of one of `FAMILIES`, wrapped by peft or not.
        inputs: as the processor gives them.

    Returns:
        (visual tokens, width), on the model's device in its dtype, without gradient: the projector's output,
        and beside it, where the family has them, the deeper levels (Qwen3-VL's DeepStack).
    """
    import torch

    visual = plain_model(model).model.visual
    name = pixels_name(inputs)
    weights = next(visual.parameters())
    pixels = inputs[name].to(weights.device, visual.dtype)
    grid = inputs[_VISUAL_INPUTS[name]].to(weights.device)
    # Inside a training step autocast may be on; what is kept must not depend on who asked for it first.
    with torch.no_grad(), torch.autocast(weights.device.type, enabled=False):
        found = type(visual).forward(visual, pixels, grid_thw=grid)
    return torch.cat([found.pooler_output, *(getattr(found, "deepstack_features", None) or [])], dim=1)


@contextlib.contextmanager
def features_for_pixels(model: Any) -> Iterator[None]:
    """Inside, the model takes what `clip_features` gave, clip below clip, in place of pixels."""
    visual = plain_model(model).model.visual
    width = _width(visual)

    def unpacked(rows: "Tensor", grid_thw: Any = None, **_: Any) -> Any:
        from types import SimpleNamespace

        first, *deeper = rows.split(width, dim=1)
        return SimpleNamespace(pooler_output=first, deepstack_features=deeper)

    visual.forward = unpacked
    try:
        yield
    finally:
        del visual.forward


def _width(visual: "nn.Module") -> int:
    config: Any = visual.config
    return int(config.out_hidden_size)


def vision_digest(model: Any, processor: Any) -> str:
    """32 hex digits of all that features depend on beside the clip: weights, their dtype, the processor.

    About a second per GiB of weights.
    """
    from nbhelpers.models import tensor_digests

    weights = tensor_digests(plain_model(model).model.visual)
    return sha256_value({"weights": weights, "processor": _processing(processor)})[:32]


def pixels_digest(processor: Any) -> str:
    """32 hex digits of all that a clip's pixel values depend on beside the clip."""
    return sha256_value({"processor": _processing(processor)})[:32]


def _processing(processor: Any) -> list[dict[str, Any]]:
    parts = (getattr(processor, name, None) for name in ("image_processor", "video_processor"))
    return [part.to_dict() for part in parts if part is not None]
