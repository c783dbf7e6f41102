"""The twin, and a tiny random Qwen3-VL of the real class with the real processor classes, made offline."""

from functools import cache
from types import SimpleNamespace

import torch

from nbhelpers.models import family_of, load, twin_folder

IDS = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")


def twin(task="tune"):
    """The shipped Qwen2.5-VL, afresh: tests may put adapters on it."""
    return load("tiny/qwen2.5-vl", task=task, device="cpu", gradient_checkpointing=False)


@cache
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(twin_folder("tiny/qwen2.5-vl"), local_files_only=True)


def qwen3_processor(side=64):
    """The stock processor of Qwen3-VL; frames of `side` pixels stay as they are."""
    from transformers import Qwen2VLImageProcessor, Qwen3VLProcessor, Qwen3VLVideoProcessor

    area = {"shortest_edge": side * side, "longest_edge": 64 * side * side}
    shape = {"patch_size": 16, "merge_size": 2, "temporal_patch_size": 2}
    return Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=dict(area), **shape),
        tokenizer=tokenizer(),
        video_processor=Qwen3VLVideoProcessor(size=dict(area), cap_pixels_per_frame=False, **shape),
        chat_template=tokenizer().chat_template,
    )


def qwen3_config():
    from transformers import Qwen3VLConfig

    ids = dict(zip(IDS, tokenizer().convert_tokens_to_ids(list(IDS)), strict=True))
    text = {
        "vocab_size": len(tokenizer()), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 2048,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 2, 2],
                            "mrope_interleaved": True},
        "pad_token_id": tokenizer().pad_token_id, "eos_token_id": tokenizer().eos_token_id,
        "bos_token_id": None, "initializer_range": 0.2,
    }  # fmt: skip
    vision = {
        "depth": 3, "hidden_size": 32, "intermediate_size": 48, "num_heads": 4, "patch_size": 16,
        "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 32,
        "num_position_embeddings": 16, "deepstack_visual_indexes": [0, 1], "initializer_range": 0.2,
    }  # fmt: skip
    return Qwen3VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=True,
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip


def qwen3(seed=0):
    """A random Qwen3-VL with all that `tune_video` asks of a loaded model."""
    from transformers import Qwen3VLForConditionalGeneration

    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(qwen3_config()).eval()
    model.generation_config.eos_token_id = tokenizer().eos_token_id
    model.generation_config.pad_token_id = tokenizer().pad_token_id
    return SimpleNamespace(
        model=model, processor=qwen3_processor(), family=family_of(model.config), config=model.config,
        device="cpu", dtype=torch.float32, quantize=None, name="random/qwen3-vl", revision=f"seed-{seed}",
        reason="made by a test", rungs=[],
    )  # fmt: skip
