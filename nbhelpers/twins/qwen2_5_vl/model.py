"""The twin's architecture and its processor: stock classes, small numbers."""

from typing import TYPE_CHECKING, Any

from nbhelpers.twins.qwen2_5_vl.text import CHAT_TEMPLATE, build_tokenizer

if TYPE_CHECKING:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor

SIDE = 84  # pixels of a frame's side
PATCH = 14
MERGE = 2
_PIXELS = {"shortest_edge": SIDE * SIDE, "longest_edge": SIDE * SIDE}


def build_processor() -> "Qwen2_5_VLProcessor":
    """The stock processor with the twin's tokenizer; every frame or image becomes 84 x 84 pixels."""
    from transformers import Qwen2_5_VLProcessor, Qwen2VLImageProcessor
    from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

    # `min_pixels` and `max_pixels` would change the classes' own `size` for every other model too.
    shape: dict[str, Any] = {"patch_size": PATCH, "merge_size": MERGE, "temporal_patch_size": 2}
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=dict(_PIXELS), **shape),
        tokenizer=build_tokenizer(),
        video_processor=Qwen2VLVideoProcessor(size=dict(_PIXELS), cap_pixels_per_frame=False, **shape),
        chat_template=CHAT_TEMPLATE,
    )


def build_config(tokenizer: Any) -> "Qwen2_5_VLConfig":
    """The configuration of the tiny Qwen2.5-VL; token ids are those of `tokenizer`."""
    from transformers import Qwen2_5_VLConfig

    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 128,
        "intermediate_size": 344,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "initializer_range": 0.06,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 6, 6]},
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "tie_word_embeddings": True,
    }
    vision = {
        "depth": 3,
        "hidden_size": 96,
        "intermediate_size": 192,
        "num_heads": 4,
        "out_hidden_size": 128,
        "patch_size": PATCH,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": 2,
        "tokens_per_second": 2,
        "fullatt_block_indexes": [2],
        "initializer_range": 0.06,
    }
    ids = tokenizer.convert_tokens_to_ids
    return Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
        tie_word_embeddings=True,
    )


def build_model(tokenizer: Any, seed: int) -> "Qwen2_5_VLForConditionalGeneration":
    """A freshly drawn model in float32; the same seed gives the same weights."""
    import torch
    from transformers import Qwen2_5_VLForConditionalGeneration

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2_5_VLForConditionalGeneration(build_config(tokenizer))
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model
