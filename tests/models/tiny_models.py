"""Tiny random models of the real classes with tokenizer and processor, as `save_pretrained` writes them."""

from pathlib import Path

import torch

TEXT = ["the red box is on the shelf", "a worker takes the blue crate to the table", "{'operation': 'pick'}"]


def tokenizer(**specials):
    """A byte-level tokenizer of about 300 words."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    base = Tokenizer(models.BPE())
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    base.decoder = decoders.ByteLevel()
    names = ["<pad>", "<bos>", "<eos>", *specials.values()]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    base.train_from_iterator(
        TEXT,
        trainers.BpeTrainer(
            vocab_size=320, special_tokens=names, initial_alphabet=alphabet, show_progress=False
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=base, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>",
        extra_special_tokens=specials,
    )  # fmt: skip


def qwen2(folder: Path, seed=0, hidden=64, layers=2, dtype=torch.float32) -> Path:
    """A text-only causal model."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=320, hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512, tie_word_embeddings=True,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, initializer_range=0.1,
    )  # fmt: skip
    Qwen2ForCausalLM(config).to(dtype).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def gemma3(folder: Path, seed=0) -> Path:
    """A vision-language model with its processor."""
    from transformers import (
        Gemma3Config,
        Gemma3ForConditionalGeneration,
        Gemma3ImageProcessor,
        Gemma3Processor,
    )

    torch.manual_seed(seed)
    names = {
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }
    words = tokenizer(**names)
    begin, end, image = words.convert_tokens_to_ids(list(names.values()))
    config = Gemma3Config(
        text_config={
            "vocab_size": 320, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "query_pre_attn_scalar": 16,
            "sliding_window": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
        },
        vision_config={
            "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
            "image_size": 32, "patch_size": 8,
        },
        mm_tokens_per_image=4, boi_token_index=begin, eoi_token_index=end, image_token_index=image,
    )  # fmt: skip
    model = Gemma3ForConditionalGeneration(config)
    # The class starts with a projector of zeros, which no picture gets through.
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.1)
    model.save_pretrained(folder)
    pictures = Gemma3ImageProcessor(size={"height": 32, "width": 32})
    Gemma3Processor(pictures, words, image_seq_length=4).save_pretrained(folder)
    return folder


def sam(folder: Path, seed=0) -> Path:
    """A segmenter with its processor."""
    from transformers import SamConfig, SamImageProcessor, SamModel, SamProcessor

    torch.manual_seed(seed)
    config = SamConfig(
        vision_config={
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64,
            "patch_size": 8, "output_channels": 16, "window_size": 4, "global_attn_indexes": [1],
            "num_pos_feats": 8, "mlp_dim": 64,
        },
        prompt_encoder_config={"hidden_size": 16, "image_size": 64, "patch_size": 8, "mask_input_channels": 4,
                               "image_embedding_size": 8},
        mask_decoder_config={"hidden_size": 16, "mlp_dim": 32, "num_hidden_layers": 1,
                             "num_attention_heads": 2,
                             "iou_head_hidden_dim": 16},
    )  # fmt: skip
    SamModel(config).save_pretrained(folder)
    SamProcessor(SamImageProcessor(size={"longest_edge": 64}, pad_size={"height": 64, "width": 64},
                                   mask_size={"longest_edge": 16}, mask_pad_size={"height": 16, "width": 16})
                 ).save_pretrained(folder)  # fmt: skip
    return folder
