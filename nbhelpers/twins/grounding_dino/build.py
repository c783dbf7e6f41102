"""A Grounding DINO of 0.75 million parameters: transformers' own class with a small configuration."""

from typing import TYPE_CHECKING, Any

from nbhelpers.twins.grounding_dino.vocabulary import MAX_TOKENS, SIDE_PX, VOCABULARY_SIZE

if TYPE_CHECKING:
    from torch import nn
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection

QUERIES = 30
WIDTH = 64


def build_config() -> "GroundingDinoConfig":
    """The configuration: Swin of two stages at strides 8 and 16, one BERT layer, 2 + 2 layers of width 64.

    The width has to be a multiple of 32 (group norm). Nothing is dropped out: so small a model underfits.
    """
    from transformers import BertConfig, GroundingDinoConfig, SwinConfig

    stages: dict[str, Any] = {"depths": [2, 2], "num_heads": [2, 4], "out_indices": [1, 2]}
    backbone = SwinConfig(
        image_size=SIDE_PX, patch_size=8, embed_dim=48, window_size=4, drop_path_rate=0.0, **stages
    )
    text = BertConfig(
        vocab_size=VOCABULARY_SIZE, hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=4,
        intermediate_size=2 * WIDTH, max_position_embeddings=MAX_TOKENS,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return GroundingDinoConfig(
        backbone_config=backbone, text_config=text, num_queries=QUERIES, d_model=WIDTH,
        encoder_layers=2, encoder_ffn_dim=128, encoder_attention_heads=4, encoder_n_points=2,
        decoder_layers=2, decoder_ffn_dim=128, decoder_attention_heads=4, decoder_n_points=2,
        num_feature_levels=2, max_text_len=MAX_TOKENS, dropout=0.0, fusion_droppath=0.0,
        two_stage=True, auxiliary_loss=True, disable_custom_kernels=True,
    )  # fmt: skip


def build_model(seed: int = 0) -> "GroundingDinoForObjectDetection":
    """The untrained model on the CPU in float32, ready to be trained from scratch."""
    import torch
    from transformers import GroundingDinoForObjectDetection

    torch.manual_seed(seed)
    model = GroundingDinoForObjectDetection(build_config())
    start_with_low_scores(model)
    return model


def start_with_low_scores(
    model: "GroundingDinoForObjectDetection", logit: float = -4.0, gain: float = 0.3
) -> None:
    """Let every score begin near sigmoid(`logit`), as focal loss wants it (Lin et al. 2017, section 4.1).

    A score is the product of a visual and a text vector and has no bias, so untrained scores are anything:
    the first gradients would be enormous. Both vectors come out of a layer norm; its normalised part has
    mean zero, so opposite constant offsets on the two sides add exactly `logit` to every product.

    Args:
        model: changed in place.
        logit: where scores begin, below 0.
        gain: of the layer norms; products then spread by about 8 * gain ** 2 round `logit`.
    """
    text = model.model.encoder.layers[-1].text_enhancer_layer.layer_norm_after
    offset = (-logit / text.weight.numel()) ** 0.5
    _set_affine(text, gain, offset)
    for norm in (model.model.enc_output_norm, model.model.decoder.layer_norm):
        _set_affine(norm, gain, -offset)


def _set_affine(norm: "nn.LayerNorm", weight: float, bias: float) -> None:
    from torch.nn import init

    init.constant_(norm.weight, weight)
    init.constant_(norm.bias, bias)
