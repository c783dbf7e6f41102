"""The very classes of PaliGemma, 64 px and 1.3 million parameters: configuration, model and processor."""

from typing import TYPE_CHECKING, Any

from nbhelpers.twins.stills.tower import PATCHES, PICTURE_PX, vision_config
from nbhelpers.twins.vocabulary import GEMMA, gemma_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PaliGemmaForConditionalGeneration, PaliGemmaProcessor

CELLS = PATCHES  # every patch becomes a token
TEXT = 128

PAD, EOS, BOS, UNK = GEMMA
IMAGE = "<image>"
SPECIAL = (PAD, EOS, BOS, UNK, IMAGE)


def make_processor(vocabulary: "Tokenizer") -> "PaliGemmaProcessor":
    """The stock processor around a vocabulary that holds `SPECIAL` with ids 0 to 4.

    It adds PaliGemma's 1,152 tokens for places and outlines behind the words.
    """
    from transformers import PaliGemmaProcessor, SiglipImageProcessor

    tokenizer = gemma_tokenizer(vocabulary, 256, extra_special_tokens={"image_token": IMAGE})
    side = {"height": PICTURE_PX, "width": PICTURE_PX}
    images = SiglipImageProcessor(
        size=side, image_mean=[0.5] * 3, image_std=[0.5] * 3, image_seq_length=CELLS**2
    )
    return PaliGemmaProcessor(images, tokenizer)


def _config(vocabulary: int) -> dict[str, Any]:
    text = {
        "model_type": "gemma",
        "vocab_size": vocabulary,
        "hidden_size": TEXT,
        "intermediate_size": 384,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 1,  # as in Gemma-2B
        "head_dim": 32,
        "max_position_embeddings": 256,
        "initializer_range": 0.05,
        "pad_token_id": SPECIAL.index(PAD),
        "eos_token_id": SPECIAL.index(EOS),
        "bos_token_id": SPECIAL.index(BOS),
    }
    return {
        "text_config": text,
        "vision_config": {"model_type": "siglip_vision_model", **vision_config(projection_dim=TEXT)},
        "projection_dim": TEXT,
        "hidden_size": TEXT,
        "image_token_index": SPECIAL.index(IMAGE),
        "pad_token_id": SPECIAL.index(PAD),
        "eos_token_id": SPECIAL.index(EOS),
        "bos_token_id": SPECIAL.index(BOS),
    }


def make_model(vocabulary: int, seed: int) -> "PaliGemmaForConditionalGeneration":
    """A new model in float32 on the CPU, its weights drawn from `seed`."""
    import torch
    from transformers import GenerationConfig, PaliGemmaConfig, PaliGemmaForConditionalGeneration

    from nbhelpers.twins.stills.start import start_seeing

    torch.manual_seed(seed)
    model = PaliGemmaForConditionalGeneration(PaliGemmaConfig(**_config(vocabulary)))
    torch.nn.init.normal_(model.model.multi_modal_projector.linear.weight, std=0.06)
    start_seeing(model.model.vision_tower)
    model.generation_config = GenerationConfig(
        bos_token_id=SPECIAL.index(BOS),
        eos_token_id=SPECIAL.index(EOS),
        pad_token_id=SPECIAL.index(PAD),
        do_sample=False,
    )
    return model
