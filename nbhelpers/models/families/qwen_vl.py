"""Qwen2.5-VL and Qwen3-VL: pictures at their own size as a grid of patches, four patches to a token."""

from typing import TYPE_CHECKING, Any

from nbhelpers.memory.shapes import Shapes
from nbhelpers.models.families.patterns import Patterns, text_linears, text_roles, with_weights
from nbhelpers.models.families.record import Family
from nbhelpers.models.families.tokens import after, pixels, text_ids, text_labels

if TYPE_CHECKING:
    import torch

_TEXT = r"model\.language_model\."
_VISION = r"model\.visual\."
_SIDE_PX = 448  # where no size is given: these models have none of their own, they take a picture as it is
_SECONDS_PER_GRID = 1.0  # two frames a second, a pair of frames per step in time
_TIMESTAMP_TOKENS = 6  # "<0.2 seconds>" in Qwen's vocabulary: "<", "0", ".", "2", " seconds", ">"


def grid(config: Any, shapes: Shapes) -> tuple[int, int, int]:
    """Patches of a picture or a video in time, height and width.

    Args:
        config: its vision part gives patch, merge and frames per step.
        shapes: `size` is rounded to whole tokens; an odd number of frames is filled up with the last one.
    """
    vision = config.vision_config
    unit = vision.patch_size * vision.spatial_merge_size
    side = max(1, round((shapes.size or _SIDE_PX) / unit)) * vision.spatial_merge_size
    return max(1, -(-shapes.frames // vision.temporal_patch_size)), side, side


def _placeholders(config: Any, shapes: Shapes) -> list[int]:
    """Ids of one sample's pictures or video, with their markers."""
    time, height, width = grid(config, shapes)
    per_step = height * width // config.vision_config.spatial_merge_size**2
    start, end = config.vision_start_token_id, config.vision_end_token_id
    if not shapes.frames:
        return [start, *[config.image_token_id] * per_step, end] * shapes.images
    if config.model_type == "qwen2_5_vl":
        return [start, *[config.video_token_id] * per_step * time, end]
    stamp = text_ids(config, _TIMESTAMP_TOKENS, 1)[0].tolist()
    steps = [*stamp, start, *[config.video_token_id] * per_step, end] * time
    return [start, *steps, end]


def qwen_inputs(config: Any, shapes: Shapes, labels: bool, device: str) -> dict[str, Any]:
    """Token ids, masks, grids and flattened patches.

    Returns:
        input_ids, attention_mask, mm_token_type_ids (1 picture, 2 video): (batch, tokens) int64; pixel_values
        (patches, 3 * 2 * patch * patch) float32 with image_grid_thw (pictures, 3) int64; of a video the same
        under the names for videos, and second_per_grid_ts (Qwen2.5-VL: seconds per step in time).
    """
    inputs = after(_placeholders(config, shapes), config, shapes)
    ids = inputs["input_ids"]
    types = (ids == config.image_token_id).long() + 2 * (ids == config.video_token_id).long()
    inputs["mm_token_type_ids"] = types
    kind, each = ("video", 1) if shapes.frames else ("image", shapes.images)
    if each:
        inputs |= _patches(config, shapes, kind, shapes.batch * each, device)
    return inputs | ({"labels": text_labels(inputs, shapes)} if labels else {})


def _patches(config: Any, shapes: Shapes, kind: str, count: int, device: str) -> "dict[str, torch.Tensor]":
    import torch

    vision, size = config.vision_config, grid(config, shapes)
    values = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
    name = "pixel_values_videos" if kind == "video" else "pixel_values"
    patches = count * size[0] * size[1] * size[2]
    given = {name: pixels((patches, values), device), f"{kind}_grid_thw": torch.tensor([size] * count)}
    if kind == "video" and config.model_type == "qwen2_5_vl":
        given["second_per_grid_ts"] = torch.full((count,), _SECONDS_PER_GRID)
    return given


def _vision_linears(mlp: str, merger: str) -> Patterns:
    return {
        "vision.attention": (_VISION + r"blocks\.\d+\.attn\.(qkv|proj)",),
        "vision.mlp": (_VISION + rf"blocks\.\d+\.mlp\.({mlp})",),
        "projector": (_VISION + merger,),
    }


def _family(model_type: str, linears: Patterns, projector_norm: str, time: str) -> Family:
    weights = with_weights(linears)
    weights["projector"] += (_VISION + projector_norm,)
    return Family(
        model_type=model_type,
        auto_class="AutoModelForImageTextToText",
        processor="AutoProcessor",
        inputs=frozenset({"text", "image", "video"}),
        roles={
            **text_roles(_TEXT),
            "vision.embedding": (_VISION + r"(patch_embed\.proj|pos_embed)\.(weight|bias)",),
            "vision.norm": (_VISION + r"blocks\.\d+\.norm[12]\.(weight|bias)",),
            **weights,
        },
        linears={**text_linears(_TEXT), **linears},
        lora_roles=("text.attention",),
        build_inputs=qwen_inputs,
        frozen=("vision.embedding", "vision.attention", "vision.mlp", "vision.norm"),
        image_tokens="grid",
        time=time,
    )


FAMILIES = (
    _family(
        "qwen2_5_vl",
        # merger.mlp.1 is the activation between the two linear layers.
        _vision_linears(r"(gate|up|down)_proj", r"merger\.mlp\.(0|2)"),
        r"merger\.ln_q\.weight",
        "grid_seconds",
    ),
    _family(
        "qwen3_vl",
        _vision_linears(r"linear_fc[12]", r"(merger|deepstack_merger_list\.\d+)\.linear_fc[12]"),
        r"(merger|deepstack_merger_list\.\d+)\.norm\.(weight|bias)",
        "timestamps",
    ),
)
