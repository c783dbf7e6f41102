"""PaliGemma (Beyer et al. 2024): a SigLIP tower before a Gemma decoder; pictures first, then the prompt."""

from typing import Any

from nbhelpers.memory.shapes import Shapes
from nbhelpers.models.families.patterns import siglip_linears, siglip_roles, text_linears, text_roles
from nbhelpers.models.families.record import Family
from nbhelpers.models.families.tokens import IGNORED, after, pixels

_TEXT = r"model\.language_model\."
_VISION = r"model\.vision_tower\."


def paligemma_inputs(config: Any, shapes: Shapes, labels: bool, device: str) -> dict[str, Any]:
    """The placeholders of all pictures, begin, then the text; frames are pictures.

    With labels the second half of the text is the answer, which alone is read from left to right.
    `shapes.size` has no effect: the processor brings every picture to the tower's one size.

    Returns:
        input_ids, attention_mask, token_type_ids (1 in the answer): (batch, tokens) int64; pixel_values
        (batch * pictures, 3, side, side) float32.
    """
    import torch

    vision, count = config.vision_config, shapes.frames or shapes.images
    per_picture = (vision.image_size // vision.patch_size) ** 2
    prefix = [config.image_token_index] * per_picture * count
    inputs = after([*prefix, config.text_config.bos_token_id], config, shapes)
    ids = inputs["input_ids"]
    types = torch.zeros_like(ids)
    if labels:
        types[:, ids.shape[1] - (shapes.text_tokens + 1) // 2 :] = 1
        inputs["labels"] = ids.masked_fill(types == 0, IGNORED)
    inputs["token_type_ids"] = types
    if count:
        size = (shapes.batch * count, 3, vision.image_size, vision.image_size)
        inputs["pixel_values"] = pixels(size, device)
    return inputs


_PROJECTOR = r"model\.multi_modal_projector\.linear"

FAMILIES = (
    Family(
        model_type="paligemma",
        auto_class="AutoModelForImageTextToText",
        processor="AutoProcessor",
        inputs=frozenset({"text", "image"}),
        roles={
            **text_roles(_TEXT),
            **siglip_roles(_VISION),
            "projector": (_PROJECTOR + r"\.(weight|bias)",),
        },
        linears={**text_linears(_TEXT), **siglip_linears(_VISION), "projector": (_PROJECTOR,)},
        lora_roles=("text.attention",),
        build_inputs=paligemma_inputs,
        frozen=("vision.embedding", "vision.attention", "vision.mlp", "vision.norm", "vision.head"),
        image_tokens="fixed",
        licence="gemma",
        gated=True,
    ),
)
