"""Sizes of D-FINE: the published configurations n to x, as the paper's code of record has them, and our t.

Peng et al. 2024, D-FINE (arXiv:2410.13842), github.com/Peterande/D-FINE, Apache-2.0. The backbone is HGNetV2
(PP-HGNetV2 B0, B0, B2, B4, B5), convolutions alone, part of transformers; no timm and no hub is needed.
t is B0 at half its width with all three strides, for inputs of a few hundred pixels, whose objects are
smaller than the strides 16 and 32 of n can tell apart.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import DFineConfig, HGNetV2Config


@dataclass(frozen=True)
class _Backbone:
    """HGNetV2, stage by stage: stem, then channels in, within and out, blocks per stage, layers per block."""

    stem: tuple[int, int, int]
    inner: tuple[int, int, int, int]
    out: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]
    layers: int
    affine: bool  # learnable affine blocks, in the small ones


@dataclass(frozen=True)
class _Size:
    """Of encoder and decoder: `points` sampled per level, finest first; levels end at stride 32."""

    backbone: _Backbone
    width: int
    hidden_ffn: int
    points: tuple[int, ...]
    decoder_layers: int
    depth: float
    expansion: float
    reg_scale: float = 4.0
    encoder_width: int | None = None


_B0 = _Backbone((3, 16, 16), (16, 32, 64, 128), (64, 256, 512, 1024), (1, 1, 2, 1), 3, True)
_HALF_B0 = _Backbone((3, 16, 8), (8, 16, 32, 64), (32, 128, 256, 512), (1, 1, 2, 1), 3, True)
_B2 = _Backbone((3, 24, 32), (32, 64, 128, 256), (96, 384, 768, 1536), (1, 1, 3, 1), 4, True)
_B4 = _Backbone((3, 32, 48), (48, 96, 192, 384), (128, 512, 1024, 2048), (1, 1, 3, 1), 6, False)
_B5 = _Backbone((3, 32, 64), (64, 128, 256, 512), (128, 512, 1024, 2048), (1, 2, 5, 2), 6, False)

SIZES: dict[str, _Size] = {
    "t": _Size(_HALF_B0, 96, 192, (4, 4, 4), 2, 0.34, 0.34),
    "n": _Size(_B0, 128, 512, (6, 6), 3, 0.5, 0.34),
    "s": _Size(_B0, 256, 1024, (3, 6, 3), 3, 0.34, 0.5),
    "m": _Size(_B2, 256, 1024, (3, 6, 3), 4, 0.67, 1.0),
    "l": _Size(_B4, 256, 1024, (3, 6, 3), 6, 1.0, 1.0),
    "x": _Size(_B5, 256, 1024, (3, 6, 3), 6, 1.0, 1.0, 8.0, 384),
}
QUERIES = 300
_PRIOR = 0.01  # of a class score at the start: nearly all that is looked at is nothing


def d_fine_config(size: str, classes: int) -> "DFineConfig":
    """The configuration of one of `SIZES` for so many classes.

    Denoising queries are off and batch norms are trained: both are of use in fine-tuning at large, not here.
    """
    from transformers import DFineConfig

    chosen = SIZES[size]
    levels = len(chosen.points)
    encoder = chosen.encoder_width or chosen.width
    config = DFineConfig(
        backbone_config=_backbone(chosen.backbone, levels),
        freeze_backbone_batch_norms=False,
        encoder_in_channels=list(chosen.backbone.out[-levels:]),
        encoder_hidden_dim=encoder,
        encoder_ffn_dim=chosen.hidden_ffn if encoder == chosen.width else 2048,
        encode_proj_layers=[levels - 1],
        feat_strides=[8, 16, 32][-levels:],
        hidden_expansion=chosen.expansion,
        depth_mult=chosen.depth,
        d_model=chosen.width,
        decoder_in_channels=[encoder] * levels,
        decoder_ffn_dim=chosen.hidden_ffn,
        decoder_layers=chosen.decoder_layers,
        decoder_n_points=list(chosen.points),
        num_feature_levels=levels,
        num_queries=QUERIES,
        num_denoising=0,
        reg_scale=chosen.reg_scale,
        initializer_bias_prior_prob=_PRIOR,
    )
    config.num_labels = classes
    return config


def _backbone(chosen: _Backbone, levels: int) -> "HGNetV2Config":
    from transformers import HGNetV2Config

    config = HGNetV2Config(
        embedding_size=chosen.stem[2],
        stem_channels=list(chosen.stem),
        stage_in_channels=[chosen.stem[2], *chosen.out[:3]],
        stage_mid_channels=list(chosen.inner),
        stage_out_channels=list(chosen.out),
        hidden_sizes=list(chosen.out),
        depths=list(chosen.blocks),
        stage_num_blocks=list(chosen.blocks),
        stage_numb_of_layers=[chosen.layers] * 4,
        use_learnable_affine_block=chosen.affine,
    )
    config.out_indices = [2, 3, 4][-levels:]
    return config
