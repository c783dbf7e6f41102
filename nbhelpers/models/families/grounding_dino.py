"""Grounding DINO (Liu et al. 2023) and MM Grounding DINO (Zhao et al. 2024): boxes for a prompt."""

from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput
from nbhelpers.memory.shapes import Shapes
from nbhelpers.models.families.patterns import with_weights
from nbhelpers.models.families.record import Family
from nbhelpers.models.families.tokens import pixels, text_ids

if TYPE_CHECKING:
    import torch

# Fixed in the class's code: it finds the phrases of a prompt by these ids of BERT's vocabulary.
_CLS, _SEP, _STOP, _QUESTION = 101, 102, 1012, 1029
_SIDE_PX = 800

_SWIN = r"model\.backbone\.conv_encoder\.model\.swin\."
_BERT = r"model\.text_backbone\."
_ENCODER = r"model\.encoder\.layers\.\d+\."
_DECODER = r"model\.decoder\.layers\.\d+\."
_HEADS = r"(query|key|value|out_proj)"
_WEIGHT = r"\.(weight|bias)"

# `fusion.attention` holds the queries and keys between picture and text, `fusion.values` what they pass on;
# `sampling` says where deformable attention looks and how much each place counts. Of BERT's attention LoRA
# takes queries, keys and values. All roles named `attention` together, at rank 16, are the usual 2.5 million.
_LINEARS = {
    "backbone.attention": (_SWIN + r"encoder\.layers\.\d+\.blocks\.\d+\.attention\.[qkvo]_proj",),
    "backbone.mlp": (_SWIN + r"encoder\.layers\.\d+\.blocks\.\d+\.mlp\.fc[12]",),
    "text.attention": (_BERT + r"encoder\.layer\.\d+\.attention\.self\.(query|key|value)",),
    "text.mlp": (_BERT + r"encoder\.layer\.\d+\.(intermediate|output)\.dense",),
    "fusion.attention": (_ENCODER + r"fusion_layer\.attn\.(vision|text)_proj",),
    "fusion.values": (_ENCODER + r"fusion_layer\.attn\.(values|out)_(vision|text)_proj",),
    "encoder.attention": (
        _ENCODER + r"text_enhancer_layer\.self_attn\." + _HEADS,
        _ENCODER + r"deformable_layer\.self_attn\.(value|output)_proj",
    ),
    "encoder.sampling": (_ENCODER + r"deformable_layer\.self_attn\.(sampling_offsets|attention_weights)",),
    "encoder.mlp": (_ENCODER + r"(text_enhancer|deformable)_layer\.fc[12]",),
    "decoder.attention": (
        _DECODER + r"(self_attn|encoder_attn_text)\." + _HEADS,
        _DECODER + r"encoder_attn\.(value|output)_proj",
    ),
    "decoder.sampling": (_DECODER + r"encoder_attn\.(sampling_offsets|attention_weights)",),
    "decoder.mlp": (_DECODER + r"fc[12]",),
}
_LORA_ROLES = (
    "backbone.attention",
    "text.attention",
    "fusion.attention",
    "encoder.attention",
    "decoder.attention",
)
_WEIGHTS = with_weights(_LINEARS)

_ROLES = {
    **_WEIGHTS,
    "backbone.embedding": (_SWIN + r"embeddings\.patch_embeddings\.projection" + _WEIGHT,),
    "backbone.attention": (
        *_WEIGHTS["backbone.attention"],
        _SWIN + r"encoder\.layers\.\d+\.blocks\.\d+\.attention\.relative_position_bias\..+",
    ),
    "backbone.downsample": (_SWIN + r"encoder\.layers\.\d+\.downsample\.reduction" + _WEIGHT,),
    "backbone.norm": (
        _SWIN + r"(embeddings\.norm|layernorm|encoder\.layers\.\d+\.downsample\.norm)" + _WEIGHT,
        _SWIN + r"encoder\.layers\.\d+\.blocks\.\d+\.layernorm_(before|after)" + _WEIGHT,
        r"model\.backbone\.conv_encoder\.model\.hidden_states_norms\..+",
    ),
    # Backbones other than Swin, as one.
    "backbone.other": (r"model\.backbone\.conv_encoder\.model\.(?!swin\.|hidden_states_norms\.).+",),
    "text.embedding": (_BERT + r"embeddings\.\w+_embeddings\.weight",),
    "text.attention": (
        *_WEIGHTS["text.attention"],
        _BERT + r"encoder\.layer\.\d+\.attention\.output\.dense" + _WEIGHT,
    ),
    "text.norm": (_BERT + r".+\.LayerNorm" + _WEIGHT,),
    "projector.vision": (r"model\.input_proj_vision\..+",),
    "projector.text": (r"model\.text_projection" + _WEIGHT,),
    "fusion.norm": (_ENCODER + r"fusion_layer\.layer_norm_(vision|text)" + _WEIGHT,),
    "fusion.gate": (_ENCODER + r"fusion_layer\.(vision|text)_param",),
    "encoder.embedding": (r"model\.level_embed",),
    "encoder.norm": (
        _ENCODER + r"text_enhancer_layer\.layer_norm_(before|after)" + _WEIGHT,
        _ENCODER + r"deformable_layer\.(self_attn|final)_layer_norm" + _WEIGHT,
    ),
    "decoder.norm": (r"model\.decoder\.layer_norm" + _WEIGHT, _DECODER + r"\w+_layer_norm" + _WEIGHT),
    "decoder.position": (r"model\.decoder\.reference_points_head\..+",),
    "queries": (r"model\.query_position_embeddings\.weight",),
    # First stage: which places of the encoded picture become queries.
    "heads.proposal": (r"model\.(enc_output|enc_output_norm|encoder_output_(bbox|class)_embed)\b.*",),
    "heads.box": (r"(model\.decoder\.)?bbox_embed\..+",),
    "heads.class": (r"(model\.decoder\.)?class_embed\..+",),
}


def detector_inputs(config: Any, shapes: Shapes, labels: bool, device: str) -> dict[str, Any]:
    """Square pictures and a prompt `[CLS] words . words . [SEP]`, the same for all.

    Returns:
        pixel_values (batch, 3, side, side) float32; pixel_mask (batch, side, side) int64; input_ids,
        token_type_ids, attention_mask (batch, text_tokens) int64; labels: per picture `class_labels` (1,)
        int64, the number of the phrase, and `boxes` (1, 4) float32, centre and size as shares of the picture.

    Raises:
        BadInput: not exactly one picture per sample, or fewer than four text tokens.
    """
    import torch

    if shapes.frames or shapes.images != 1:
        raise BadInput(f"{config.model_type}: takes one picture per sample; use images=1 and a larger batch")
    if shapes.text_tokens < 4:
        raise BadInput(f"text_tokens {shapes.text_tokens}: a prompt is [CLS] word . [SEP], so 4 or more")
    side = shapes.size or _SIDE_PX
    ids = _prompt(config, shapes)
    inputs = {
        "pixel_values": pixels((shapes.batch, 3, side, side), device),
        "pixel_mask": torch.ones((shapes.batch, side, side), dtype=torch.int64),
        "input_ids": ids,
        "token_type_ids": torch.zeros_like(ids),
        "attention_mask": torch.ones_like(ids),
    }
    return inputs | ({"labels": _boxes(shapes.batch)} if labels else {})


def _prompt(config: Any, shapes: Shapes) -> "torch.Tensor":
    """(batch, text_tokens): phrases of two words with a stop, between [CLS] and [SEP]; one prompt for all."""
    count = min(shapes.text_tokens, config.max_text_len)  # the processor cuts longer prompts
    ids = text_ids(config, count, 1, avoid=(_CLS, _SEP, _STOP, _QUESTION))
    ids[:, 3::3] = _STOP
    ids[:, 0], ids[:, -2], ids[:, -1] = _CLS, _STOP, _SEP
    return ids.expand(shapes.batch, -1).clone()


def _boxes(batch: int) -> "list[dict[str, torch.Tensor]]":
    import torch

    box = torch.tensor([[0.5, 0.5, 0.4, 0.3]])
    return [{"class_labels": torch.tensor([0]), "boxes": box.clone()} for _ in range(batch)]


def _family(model_type: str) -> Family:
    return Family(
        model_type=model_type,
        auto_class="AutoModelForZeroShotObjectDetection",
        processor="AutoProcessor",
        inputs=frozenset({"text", "image"}),
        roles=_ROLES,
        linears=_LINEARS,
        lora_roles=_LORA_ROLES,
        build_inputs=detector_inputs,
        frozen=("text.embedding", "text.attention", "text.mlp", "text.norm"),
        attention="eager",
    )


FAMILIES = (_family("grounding-dino"), _family("mm-grounding-dino"))
