"""The twin's architecture and its processor: stock classes, small numbers."""

from typing import TYPE_CHECKING

from nbhelpers.twins.sam.scenes import SIDE

if TYPE_CHECKING:
    from transformers import SamConfig, SamModel, SamProcessor

PATCH = 8
LOW_RES = SIDE // PATCH * 4  # side of the masks the decoder gives, before they are enlarged
WIDTH = 64  # channels of the image embedding and of the decoder


def build_config() -> "SamConfig":
    """The configuration of the tiny SAM: 128 px, patches of 8 px, four encoder layers of width 96."""
    from transformers import SamConfig

    vision = {
        "hidden_size": 96,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "output_channels": WIDTH,
        "image_size": SIDE,
        "patch_size": PATCH,
        "window_size": 8,
        "global_attn_indexes": [1, 3],
        "mlp_dim": 192,
        "num_pos_feats": WIDTH // 2,
        # The class's own default, 1e-10, is meant to be overwritten by loaded weights: nothing would train.
        "initializer_range": 0.02,
    }
    prompt = {"hidden_size": WIDTH, "image_size": SIDE, "patch_size": PATCH}
    decoder = {
        "hidden_size": WIDTH,
        "mlp_dim": 2 * WIDTH,
        "num_attention_heads": 4,
        "iou_head_hidden_dim": 64,
    }
    return SamConfig(
        vision_config=vision,
        prompt_encoder_config=prompt,
        mask_decoder_config=decoder,
        initializer_range=0.02,
    )


def build_model(seed: int) -> "SamModel":
    """A freshly drawn SamModel in float32; the same seed gives the same weights."""
    import torch
    from transformers import SamModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SamModel(build_config())
        _redraw(model)
        # Random Fourier features of coordinates; the class draws them at std `hidden_size // 2`, far too
        # fine for 16 x 16 patches: neighbours would have nothing in common (Tancik et al. 2020).
        with torch.no_grad():
            model.shared_image_embedding.positional_embedding.normal_(std=1.0)
    return model


def _redraw(model: "SamModel") -> None:
    """Draw weights as the published code does, with torch's own ranges.

    One range of 0.02 for all, as the class draws them, suits widths in the hundreds; at 64 the signal dies.
    """
    from torch import nn

    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.Embedding):
            module.reset_parameters()


def build_processor() -> "SamProcessor":
    """The stock processor at 128 px."""
    from transformers import SamImageProcessor, SamProcessor

    square, low_res = {"height": SIDE, "width": SIDE}, {"height": LOW_RES, "width": LOW_RES}
    images = SamImageProcessor(
        size={"longest_edge": SIDE},
        pad_size=square,
        mask_size={"longest_edge": LOW_RES},
        mask_pad_size=low_res,
    )
    return SamProcessor(images)
