"""SmolVLM (Marafioti et al. 2025): a picture is cut into tiles, and seen once more as a whole."""

from typing import Any

from nbhelpers.memory.shapes import Shapes
from nbhelpers.models.families.patterns import siglip_linears, siglip_roles, text_linears, text_roles
from nbhelpers.models.families.record import Family
from nbhelpers.models.families.tokens import after, pixels, text_ids, text_labels

_TEXT = r"model\.text_model\."
_VISION = r"model\.vision_model\."
_PROJECTOR = r"model\.connector\.modality_projection\.proj"
_TILES = 4  # tiles along the longest edge in the published processors
# Text around frames, counted in pieces of the published vocabulary, where every digit is a token:
# "You are provided the following series of eight frames from a 0:00:04 [H:MM:SS] video.\n"
_VIDEO_INTRO = 29
_FRAME_STAMP = 10  # "\nFrame from 00:01:"


def tiles_along(config: Any, shapes: Shapes) -> int:
    """Tiles along each side of a square picture; 0 where it is not cut.

    Args:
        config: its tower's picture size is the side of a tile.
        shapes: `size` is the processor's `longest_edge`, to which it enlarges smaller pictures too.
    """
    tile = config.vision_config.image_size
    along = -(-(shapes.size or _TILES * tile) // tile)
    return along if along > 1 else 0


def tokens_per_tile(config: Any) -> int:
    """Placeholders that stand for one tile, after `scale_factor` squared of them were folded into one."""
    vision = config.vision_config
    return int((vision.image_size // vision.patch_size) ** 2 / config.scale_factor**2)


def _picture(config: Any, along: int) -> list[int]:
    """Ids of one picture: tiles with their row and column, then the whole; markers are ordinary ids here."""
    fake, position, line, whole = text_ids(config, 4, 1)[0].tolist()
    seen = [config.image_token_id] * tokens_per_tile(config)
    # The last line break and the one before the whole picture are one token, so there are as many as rows.
    rows = [*[fake, position, *seen] * along, line] * along
    return [*rows, fake, whole, *seen, fake]


def smolvlm_inputs(config: Any, shapes: Shapes, labels: bool, device: str) -> dict[str, Any]:
    """Pictures as tiles with row and column markers; frames of a video whole, each after its time stamp.

    Returns:
        input_ids, attention_mask: (batch, tokens) int64; pixel_values (batch, tiles, 3, side, side) float32;
        pixel_attention_mask (batch, tiles, side, side) int64.
    """
    import torch

    along = 0 if shapes.frames else tiles_along(config, shapes)
    picture = _picture(config, along)
    if shapes.frames:
        words = text_ids(config, _VIDEO_INTRO + 1, 1)[0].tolist()
        stamp = text_ids(config, _FRAME_STAMP, 1)[0].tolist()
        prefix = [*words[:-1], *[*stamp, *picture] * shapes.frames, words[-1]]
    else:
        prefix = picture * shapes.images
    inputs = after(prefix, config, shapes)
    tiles = (shapes.frames or shapes.images) * (along * along + 1)
    if tiles:
        side = config.vision_config.image_size
        inputs["pixel_values"] = pixels((shapes.batch, tiles, 3, side, side), device)
        inputs["pixel_attention_mask"] = torch.ones((shapes.batch, tiles, side, side), dtype=torch.int64)
    return inputs | ({"labels": text_labels(inputs, shapes)} if labels else {})


FAMILIES = (
    Family(
        model_type="smolvlm",
        auto_class="AutoModelForImageTextToText",
        processor="AutoProcessor",
        inputs=frozenset({"text", "image", "video"}),
        roles={
            **text_roles(_TEXT),
            **siglip_roles(_VISION),
            "projector": (_PROJECTOR + r"\.weight",),
        },
        linears={**text_linears(_TEXT), **siglip_linears(_VISION), "projector": (_PROJECTOR,)},
        lora_roles=("text.attention",),
        build_inputs=smolvlm_inputs,
        frozen=("vision.embedding", "vision.attention", "vision.mlp", "vision.norm"),
        image_tokens="tiles",
        time="timestamps",
    ),
)
