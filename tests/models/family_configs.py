"""Small configurations of every family, and random models built from them."""

import torch
from transformers import CONFIG_MAPPING

from nbhelpers.models import family_of

TEXT = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.2,
}
GEMMA = {**TEXT, "query_pre_attn_scalar": 8, "sliding_window": 16}
TOWER = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "patch_size": 8,
}
QWEN_IDS = {
    "image_token_id": 310,
    "video_token_id": 311,
    "vision_start_token_id": 312,
    "vision_end_token_id": 313,
}
SWIN = {
    "model_type": "swin",
    "embed_dim": 16,
    "depths": [1, 1, 1, 1],
    "num_heads": [1, 1, 2, 2],
    "window_size": 4,
    "image_size": 64,
    "patch_size": 2,
    "out_features": ["stage2", "stage3", "stage4"],
    "drop_path_rate": 0.0,
}
DETECTOR = {
    "backbone_config": SWIN,
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "num_queries": 6,
    "text_config": {
        "model_type": "bert",
        "vocab_size": 1100,
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "intermediate_size": 32,
    },
}
RESNET = {
    "model_type": "resnet",
    "embedding_size": 8,
    "hidden_sizes": [8, 8, 16, 16],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
    "out_features": ["stage2", "stage3", "stage4"],
}
PROMPTS = {"hidden_size": 32, "image_size": 64, "patch_size": 8, "mask_input_channels": 4}
MASKS = {
    "hidden_size": 32,
    "mlp_dim": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "iou_head_hidden_dim": 32,
}

SMALL = {
    "qwen2": {**TEXT, "initializer_range": 0.2},
    "gemma2": GEMMA,
    "gemma3_text": GEMMA,
    "gemma3": {
        "text_config": GEMMA,
        "vision_config": {**TOWER, "image_size": 32},
        "mm_tokens_per_image": 4,
        "boi_token_index": 310,
        "eoi_token_index": 311,
        "image_token_index": 312,
    },
    "paligemma": {
        "text_config": {"model_type": "gemma", **TEXT},
        "vision_config": {
            "model_type": "siglip_vision_model",
            **TOWER,
            "image_size": 32,
            "vision_use_head": False,
            "projection_dim": 32,
        },
        "image_token_index": 312,
        "projection_dim": 32,
        "hidden_size": 32,
    },
    "smolvlm": {
        "text_config": {"model_type": "llama", **TEXT},
        "vision_config": {**TOWER, "image_size": 32},
        "image_token_id": 312,
        "scale_factor": 2,
        "pad_token_id": 0,
    },
    "qwen2_5_vl": {
        "text_config": {
            **TEXT,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]},
        },
        "vision_config": {
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 4,
            "out_hidden_size": 32,
            "patch_size": 14,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        **QWEN_IDS,
        "tie_word_embeddings": True,
    },
    "qwen3_vl": {
        "text_config": {
            **TEXT,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]},
        },
        "vision_config": {
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 4,
            "out_hidden_size": 32,
            "patch_size": 16,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        **QWEN_IDS,
        "tie_word_embeddings": True,
    },
    "grounding-dino": DETECTOR,
    "mm-grounding-dino": DETECTOR,
    "sam": {
        "vision_config": {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 64,
            "patch_size": 8,
            "output_channels": 32,
            "window_size": 4,
            "global_attn_indexes": [1],
            "num_pos_feats": 16,
            "mlp_dim": 64,
            "initializer_range": 0.02,
        },
        "prompt_encoder_config": PROMPTS,
        "mask_decoder_config": MASKS,
    },
    "sam2": {
        "vision_config": {
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": 16,
                "num_attention_heads": 1,
                "image_size": [128, 128],
                "blocks_per_stage": [1, 2, 2, 1],
                "embed_dim_per_stage": [16, 24, 32, 48],
                "num_attention_heads_per_stage": [1, 1, 1, 2],
                "window_size_per_stage": [8, 4, 4, 2],
                "global_attention_blocks": [4],
                "window_positional_embedding_background_size": [4, 4],
            },
            "backbone_channel_list": [48, 32, 24, 16],
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
            "fpn_hidden_size": 32,
        },
        "prompt_encoder_config": {**PROMPTS, "image_size": 128, "patch_size": 16},
        "mask_decoder_config": MASKS,
    },
}


def small_config(model_type, **changes):
    return CONFIG_MAPPING[model_type].from_dict({**SMALL[model_type], **changes})


def small_model(model_type, seed=0, **changes):
    """(model in evaluation mode, family) with seeded random weights on the CPU."""
    config = small_config(model_type, **changes)
    family = family_of(config)
    torch.manual_seed(seed)
    config._attn_implementation = family.attention
    model = family.model_class(config)._from_config(config).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("mm_input_projection_weight"):  # starts at zero, and would block the gradient
            torch.nn.init.normal_(parameter, std=0.1)
    return model, family
