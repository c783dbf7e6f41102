"""Gemma-3 with images: a SigLIP tower, 256 tokens per picture whatever its size, a Gemma text model."""

from typing import Any

from nbhelpers.memory.shapes import Shapes
from nbhelpers.models.families.patterns import siglip_linears, siglip_roles, text_linears, text_roles
from nbhelpers.models.families.record import Family
from nbhelpers.models.families.tokens import after, pixels, text_ids, text_labels

_TEXT = r"model\.language_model\."
_VISION = r"model\.vision_tower\."


def gemma3_inputs(config: Any, shapes: Shapes, labels: bool, device: str) -> dict[str, Any]:
    """Per picture or frame: begin, `mm_tokens_per_image` placeholders, end; blank lines around each.

    `shapes.size` has no effect: the processor brings every picture to the tower's one size.

    Returns:
        input_ids, attention_mask, token_type_ids (1 on placeholders): (batch, tokens) int64; pixel_values
        (batch * pictures, 3, side, side) float32.
    """
    count = shapes.frames or shapes.images
    # A run of line breaks is one token of the vocabulary; any ordinary id stands for it here.
    blank = text_ids(config, 1, 1).item()
    placeholders = [config.image_token_index] * config.mm_tokens_per_image
    picture = [config.boi_token_index, *placeholders, config.eoi_token_index, blank]
    prefix = [config.get_text_config().bos_token_id, *[blank] * bool(count), *picture * count]
    inputs = after(prefix, config, shapes)
    inputs["token_type_ids"] = (inputs["input_ids"] == config.image_token_index).long()
    if count:
        side = config.vision_config.image_size
        inputs["pixel_values"] = pixels((shapes.batch * count, 3, side, side), device)
    return inputs | ({"labels": text_labels(inputs, shapes)} if labels else {})


FAMILIES = (
    Family(
        model_type="gemma3",
        auto_class="AutoModelForImageTextToText",
        processor="AutoProcessor",
        inputs=frozenset({"text", "image"}),
        roles={
            **text_roles(_TEXT),
            **siglip_roles(_VISION),
            # A bare matrix and a norm: there is no nn.Linear here for LoRA to wrap.
            "projector": (r"model\.multi_modal_projector\..+",),
        },
        linears={**text_linears(_TEXT), **siglip_linears(_VISION)},
        lora_roles=("text.attention",),
        build_inputs=gemma3_inputs,
        frozen=("vision.embedding", "vision.attention", "vision.mlp", "vision.norm", "vision.head"),
        fp16_compute=False,
        image_tokens="fixed",
        licence="gemma",
        gated=True,
    ),
)
