"""SAM (Kirillov et al. 2023) and SAM 2 (Ravi et al. 2024) on single pictures: a mask for a box or points."""

from dataclasses import replace
from typing import Any

from nbhelpers.errors import BadInput
from nbhelpers.memory.shapes import Shapes
from nbhelpers.models.families.patterns import Patterns, with_weights
from nbhelpers.models.families.record import Family
from nbhelpers.models.families.tokens import pixels

_WEIGHT = r"\.(weight|bias)"
_DECODER = r"mask_decoder\."
_HEADS = r"[qkv]_proj|o_proj|out_proj"


def mask_inputs(config: Any, shapes: Shapes, labels: bool, device: str) -> dict[str, Any]:
    """Square pictures at the model's one size with one box each; the class has no loss, so no labels.

    Returns:
        pixel_values (batch, 3, side, side) float32; input_boxes (batch, 1, 4) float32, XYXY in pixels of the
        resized picture.

    Raises:
        BadInput: not exactly one picture per sample, or a size that is not the model's.
    """
    import torch

    side = config.prompt_encoder_config.image_size
    if shapes.frames or shapes.images != 1:
        raise BadInput(f"{config.model_type}: takes one picture per sample; use images=1 and a larger batch")
    if shapes.size not in (None, side):
        raise BadInput(f"size {shapes.size}: this {config.model_type} takes pictures of {side} px only")
    box = torch.tensor([0.25, 0.25, 0.75, 0.6]) * side
    return {
        "pixel_values": pixels((shapes.batch, 3, side, side), device),
        "input_boxes": box.expand(shapes.batch, 1, 4).clone(),
    }


def _decoder_linears(mlp: str) -> Patterns:
    layers = _DECODER + r"transformer\.(layers\.\d+\.\w+|final_attn_token_to_image)"
    return {
        "mask_decoder.attention": (layers + rf"\.({_HEADS})",),
        "mask_decoder.mlp": (_DECODER + rf"transformer\.layers\.\d+\.mlp\.({mlp})",),
    }


def _decoder_roles() -> Patterns:
    heads = r"(output_hypernetworks_mlps|iou_prediction_head|pred_obj_score_head)\..+"
    return {
        "mask_decoder.norm": (
            _DECODER + r"transformer\.(layers\.\d+\.layer_norm\d|layer_norm_final_attn)" + _WEIGHT,
            _DECODER + r"upscale_layer_norm" + _WEIGHT,
        ),
        "mask_decoder.tokens": (_DECODER + r"(iou_token|mask_tokens|obj_score_token)\.weight",),
        "mask_decoder.upscale": (_DECODER + r"(upscale_conv[12]|conv_s[01])" + _WEIGHT,),
        "mask_decoder.heads": (_DECODER + heads,),
        # The random projection of positions is shared by picture and prompts; it is the prompt encoder's.
        "prompt_encoder": (r"(prompt_encoder|shared_image_embedding)\..+",),
    }


def _sam() -> Family:
    tower = r"vision_encoder\."
    linears = {
        "vision.attention": (tower + r"layers\.\d+\.attn\.(qkv|proj)",),
        "vision.mlp": (tower + r"layers\.\d+\.mlp\.lin[12]",),
        **_decoder_linears(r"lin[12]"),
    }
    roles = {
        **with_weights(linears),
        **_decoder_roles(),
        "vision.embedding": (tower + r"pos_embed", tower + r"patch_embed\.projection" + _WEIGHT),
        "vision.norm": (tower + r"layers\.\d+\.layer_norm[12]" + _WEIGHT,),
        "vision.neck": (tower + r"neck\..+",),
    }
    roles["vision.attention"] += (tower + r"layers\.\d+\.attn\.rel_pos_[hw]",)
    return _family("sam", roles, linears)


def _sam2() -> Family:
    tower = r"vision_encoder\.backbone\."
    linears = {
        "vision.attention": (tower + r"blocks\.\d+\.attn\.(qkv|proj)",),
        "vision.mlp": (tower + r"blocks\.\d+\.mlp\.(proj_in|proj_out)",),
        **_decoder_linears(r"proj_in|proj_out"),
    }
    roles = {
        **with_weights(linears),
        **_decoder_roles(),
        "vision.embedding": (
            tower + r"(pos_embed|pos_embed_window)",
            tower + r"patch_embed\.projection" + _WEIGHT,
        ),
        "vision.norm": (tower + r"blocks\.\d+\.layer_norm[12]" + _WEIGHT,),
        "vision.downsample": (tower + r"blocks\.\d+\.proj" + _WEIGHT,),
        "vision.neck": (r"vision_encoder\.neck\..+",),
        # Stands for the memory of earlier frames, of which a single picture has none.
        "vision.memory": (r"no_memory_embedding",),
    }
    return _family("sam2", roles, linears)


def _family(model_type: str, roles: Patterns, linears: Patterns) -> Family:
    kept = (*(role for role in roles if role.startswith("vision.")), "prompt_encoder")
    return Family(
        model_type=model_type,
        auto_class="AutoModelForMaskGeneration",
        processor="AutoProcessor",
        inputs=frozenset({"image"}),
        roles=roles,
        linears=linears,
        lora_roles=("mask_decoder.attention",),
        build_inputs=mask_inputs,
        frozen=kept,
        own_loss=False,
    )


_SAM2 = _sam2()
# Published SAM 2 folders call themselves `sam2_video`; the auto class takes Sam2Model for single pictures.
FAMILIES = (_sam(), _SAM2, replace(_SAM2, model_type="sam2_video"))
