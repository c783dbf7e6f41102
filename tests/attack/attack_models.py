"""Tiny random models of every family that takes images, with the real processor classes, made offline."""

import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import torch
import transformers

from nbhelpers.models import family_of, load, twin_folder

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from family_configs import SMALL
from tiny_models import tokenizer

QWEN_WORDS = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
}
FAMILIES = ("gemma3", "paligemma", "qwen2_5_vl", "qwen3_vl", "smolvlm")
SIDES = {"gemma3": 32, "paligemma": 32, "qwen2_5_vl": 56, "qwen3_vl": 64, "smolvlm": 32}
# One turn each, as the published templates write them in short.
TEMPLATE = (
    "{%- for m in messages -%}{{ '<eos>' if m['role'] == 'user' and not loop.first }}{{ m['role'] }}:"
    "{%- if m['content'] is string -%}{{ m['content'] }}{%- else -%}{%- for p in m['content'] -%}"
    "{{ IMAGE if p['type'] == 'image' else p['text'] }}{%- endfor -%}{%- endif -%}"
    "{{ '<eos>' if m['role'] == 'assistant' }}\n{% endfor -%}"
    "{%- if add_generation_prompt -%}{{ 'assistant:' }}{%- endif -%}"
)


def template(image):
    return TEMPLATE.replace("IMAGE", repr(image))


def qwen(model_type):
    words = tokenizer(**QWEN_WORDS)
    patch = 14 if model_type == "qwen2_5_vl" else 16
    limits = {"shortest_edge": 4 * patch**2, "longest_edge": 10**8}
    images = transformers.Qwen2VLImageProcessor(patch_size=patch, size=dict(limits))
    video, whole = ("Qwen2VLVideoProcessor", "Qwen2_5_VLProcessor")
    if model_type == "qwen3_vl":
        video, whole = ("Qwen3VLVideoProcessor", "Qwen3VLProcessor")
    videos = getattr(transformers, video)(patch_size=patch, size=dict(limits), do_sample_frames=False)
    image = "<|vision_start|><|image_pad|><|vision_end|>"
    made = getattr(transformers, whole)(images, words, videos, chat_template=template(image))
    return made, {f"{k}_id": words.convert_tokens_to_ids(v) for k, v in QWEN_WORDS.items()}


def gemma3():
    names = {
        "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"
    }  # fmt: skip
    words = tokenizer(**names)
    images = transformers.Gemma3ImageProcessor(size={"height": 32, "width": 32})
    made = transformers.Gemma3Processor(
        images, words, image_seq_length=4, chat_template=template("<start_of_image>")
    )
    ids = dict(zip(("boi_token_index", "eoi_token_index", "image_token_index"),
                   words.convert_tokens_to_ids(list(names.values())), strict=True))  # fmt: skip
    return made, ids


def paligemma():
    words = tokenizer(image_token="<image>")
    images = transformers.SiglipImageProcessor(size={"height": 32, "width": 32})
    images.image_seq_length = 16
    made = transformers.PaliGemmaProcessor(images, words)
    vocabulary = -(-len(words) // 8) * 8  # the processor adds its location tokens
    config = {"image_token_index": made.image_token_id, "vocab_size": vocabulary}
    return made, config | {"text_config": {**SMALL["paligemma"]["text_config"], "vocab_size": vocabulary}}


def smolvlm():
    words = tokenizer(
        fake_image_token="<fake_token_around_image>", image_token="<image>", end_of_utterance_token="<eou>",
        global_image_token="<global-img>",
    )  # fmt: skip
    words.fake_image_token, words.global_image_token = "<fake_token_around_image>", "<global-img>"
    images = transformers.SmolVLMImageProcessor(
        size={"longest_edge": 64}, max_image_size={"longest_edge": 32}, do_image_splitting=True
    )
    videos = transformers.SmolVLMVideoProcessor(
        size={"longest_edge": 32}, max_image_size={"longest_edge": 32},
        video_sampling={"fps": 1, "max_frames": 8, "video_size": {"longest_edge": 32}},
    )  # fmt: skip
    made = transformers.SmolVLMProcessor(
        images, words, videos, image_seq_len=4, chat_template=template("<image>")
    )
    return made, {"image_token_id": words.convert_tokens_to_ids("<image>")}


def processor_and_config(model_type):
    made, ids = {"gemma3": gemma3, "paligemma": paligemma, "smolvlm": smolvlm}.get(
        model_type, lambda: qwen(model_type)
    )()
    config = transformers.CONFIG_MAPPING[model_type].from_dict({**SMALL[model_type], **ids})
    return made, config


@cache
def victim_of(model_type, seed=0, dtype=torch.float64):
    """What `Victim` asks of a loaded model; in double precision for finite differences."""
    processor, config = processor_and_config(model_type)
    family = family_of(config)
    torch.manual_seed(seed)
    config._attn_implementation = family.attention
    model = family.model_class(config)._from_config(config).eval().to(dtype).requires_grad_(False)
    for name, parameter in model.named_parameters():
        if name.endswith("mm_input_projection_weight"):  # starts at zero, and would block the gradient
            torch.nn.init.normal_(parameter, std=0.1)
    model.generation_config.pad_token_id, model.generation_config.eos_token_id = 0, 2
    return SimpleNamespace(
        model=model, processor=processor, family=family, config=config, device="cpu", dtype=dtype,
        quantize=None, name=f"random/{model_type}", revision=f"seed-{seed}", plan=SimpleNamespace(needed=0),
    )  # fmt: skip


@cache
def twin():
    return load("tiny/gemma-3", task="attack", device="cpu")


__all__ = ["FAMILIES", "SIDES", "processor_and_config", "twin", "twin_folder", "victim_of"]
