"""Small SAM models and drawn sets for the tests of `teach.sam`."""

from functools import cache

import numpy as np
import torch

from nbhelpers.models.places import twin_folder

_PROMPTS = {"hidden_size": 32, "mask_input_channels": 4}
_MASKS = {
    "hidden_size": 32,
    "mlp_dim": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "iou_head_hidden_dim": 32,
}


@cache
def twin():
    """The committed twin (model, processor), evaluating; tests leave it as it is."""
    from transformers import AutoModelForMaskGeneration, AutoProcessor

    folder = twin_folder("tiny/sam")
    model = AutoModelForMaskGeneration.from_pretrained(folder, local_files_only=True)
    return model.eval(), AutoProcessor.from_pretrained(folder, local_files_only=True)


@cache
def small_sam2():
    """A random SAM 2 of 128 px (model, processor), evaluating."""
    from transformers import Sam2Config, Sam2ImageProcessor, Sam2Model, Sam2Processor

    vision = {
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
    }
    torch.manual_seed(0)
    prompts = {**_PROMPTS, "image_size": 128, "patch_size": 16}
    config = Sam2Config(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=_MASKS)
    square, low = {"height": 128, "width": 128}, {"height": 32, "width": 32}
    return Sam2Model(config).eval(), Sam2Processor(Sam2ImageProcessor(size=square, mask_size=low))


def picture(height=96, width=120, seed=0):
    """A noisy picture (H, W, 3) uint8 with a bright rectangle."""
    image = np.random.default_rng(seed).integers(0, 90, (height, width, 3), dtype=np.uint8)
    image[height // 4 : height // 2, width // 3 : width // 2] += 120
    return image


@cache
def loaded_twin():
    """The twin as `models.load` gives it for tuning; `tune_sam` gives it back as it was."""
    from nbhelpers.models import load

    return load("tiny/sam", "tune", device="cpu")


def drawn(folder, count, seed=3):
    """Scenes of the shifted site."""
    from nbhelpers.data import draw_scenes

    return draw_scenes(folder, count, (96, 96), seed, "shifted")
