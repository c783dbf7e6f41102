"""Example inputs against the stock processors: the same keys, shapes and numbers of image tokens."""

import numpy as np
import pytest
import torch
import transformers
from family_configs import small_config
from tiny_models import tokenizer

from nbhelpers.memory.shapes import Shapes
from nbhelpers.models import family_of, full_config

QWEN_WORDS = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
}
IMAGE, VIDEO = ("<|vision_start|><|" + kind + "_pad|><|vision_end|>" for kind in ("image", "video"))


def picture(side):
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)


def qwen_processor(model_type):
    words = tokenizer(**QWEN_WORDS)
    patch = 14 if model_type == "qwen2_5_vl" else 16
    limits = {"shortest_edge": 4 * patch**2, "longest_edge": 10**8}
    images = transformers.Qwen2VLImageProcessor(patch_size=patch, size=dict(limits))
    names = ("Qwen2VLVideoProcessor", "Qwen2_5_VLProcessor")
    if model_type == "qwen3_vl":
        names = ("Qwen3VLVideoProcessor", "Qwen3VLProcessor")
    videos = getattr(transformers, names[0])(patch_size=patch, size=dict(limits), do_sample_frames=False)
    ids = {f"{k}_id": words.convert_tokens_to_ids(v) for k, v in QWEN_WORDS.items()}
    return getattr(transformers, names[1])(images, words, videos), ids


@pytest.mark.parametrize("side", [56, 90, 112, 161, 224, 448])
@pytest.mark.parametrize("model_type", ["qwen2_5_vl", "qwen3_vl"])
def test_qwen_pictures(model_type, side):
    processor, ids = qwen_processor(model_type)
    stock = processor(images=[picture(side)] * 2, text=IMAGE * 2, return_tensors="pt")
    ours = family_of(model_type).example_inputs(
        small_config(model_type, **ids), Shapes(images=2, size=side, text_tokens=1)
    )
    assert set(stock) == set(ours)
    assert torch.equal(stock["image_grid_thw"], ours["image_grid_thw"])
    assert stock["pixel_values"].shape == ours["pixel_values"].shape
    assert torch.equal(stock["input_ids"], ours["input_ids"][:, :-1])
    assert torch.equal(stock["mm_token_type_ids"], ours["mm_token_type_ids"][:, :-1])


@pytest.mark.parametrize("frames", [2, 5, 8])
def test_qwen_2_5_videos(frames):
    processor, ids = qwen_processor("qwen2_5_vl")
    metadata = transformers.video_utils.VideoMetadata(
        total_num_frames=frames, fps=2.0, frames_indices=list(range(frames))
    )
    video = np.stack([picture(112)] * frames)
    stock = processor(videos=[video], text=VIDEO, video_metadata=[metadata], return_tensors="pt")
    ours = family_of("qwen2_5_vl").example_inputs(
        small_config("qwen2_5_vl", **ids), Shapes(frames=frames, size=112, text_tokens=1)
    )
    assert torch.equal(stock["video_grid_thw"], ours["video_grid_thw"])
    assert stock["pixel_values_videos"].shape == ours["pixel_values_videos"].shape
    assert torch.equal(stock["input_ids"], ours["input_ids"][:, :-1])
    assert torch.equal(stock["mm_token_type_ids"], ours["mm_token_type_ids"][:, :-1])
    assert (
        torch.as_tensor(stock["second_per_grid_ts"]).tolist() == ours["second_per_grid_ts"].tolist() == [1.0]
    )


@pytest.mark.parametrize("frames", [2, 5, 8])
def test_qwen_3_videos_carry_a_time_stamp_per_pair_of_frames(frames):
    processor, ids = qwen_processor("qwen3_vl")
    metadata = transformers.video_utils.VideoMetadata(
        total_num_frames=frames, fps=2.0, frames_indices=list(range(frames))
    )
    video = np.stack([picture(128)] * frames)
    stock = processor(videos=[video], text=VIDEO, video_metadata=[metadata], return_tensors="pt")
    ours = family_of("qwen3_vl").example_inputs(
        small_config("qwen3_vl", **ids), Shapes(frames=frames, size=128, text_tokens=1)
    )
    assert torch.equal(stock["video_grid_thw"], ours["video_grid_thw"])
    assert stock["pixel_values_videos"].shape == ours["pixel_values_videos"].shape
    for name in ids.values():
        assert (stock["input_ids"] == name).sum() == (ours["input_ids"] == name).sum()
    steps = -(-frames // 2)
    kept = len(ours["input_ids"][0]) - 1 - sum(int((stock["input_ids"] == i).sum()) for i in ids.values())
    assert kept == 6 * steps  # "<", "0", ".", "2", " seconds", ">"


def test_gemma_3_pictures():
    names = {
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }
    words = tokenizer(**names)
    begin, end, image = words.convert_tokens_to_ids(list(names.values()))
    config = small_config("gemma3", boi_token_index=begin, eoi_token_index=end, image_token_index=image)
    pictures = transformers.Gemma3ImageProcessor(size={"height": 32, "width": 32})
    processor = transformers.Gemma3Processor(pictures, words, image_seq_length=4)
    stock = processor(images=[[picture(50)] * 2], text="<start_of_image>" * 2, return_tensors="pt")
    ours = family_of("gemma3").example_inputs(config, Shapes(images=2, text_tokens=1))
    assert set(stock) == set(ours)
    assert stock["pixel_values"].shape == ours["pixel_values"].shape
    for token in (begin, end, image):
        assert (stock["input_ids"] == token).sum() == (ours["input_ids"] == token).sum()
    assert stock["token_type_ids"].sum() == ours["token_type_ids"].sum() == 8


def test_paligemma_pictures():
    words = tokenizer(image_token="<image>")
    pictures = transformers.SiglipImageProcessor(size={"height": 32, "width": 32})
    pictures.image_seq_length = 16
    processor = transformers.PaliGemmaProcessor(pictures, words)
    stock = processor(
        images=[picture(50)], text="<image>the red box", suffix="the shelf", return_tensors="pt"
    )
    config = small_config("paligemma", image_token_index=processor.image_token_id)
    text = stock["input_ids"].shape[1] - 16 - 1
    ours = family_of("paligemma").example_inputs(config, Shapes(text_tokens=text), labels=True)
    assert set(stock) == set(ours)
    assert {name: value.shape for name, value in stock.items()} == {n: v.shape for n, v in ours.items()}
    assert torch.equal(stock["input_ids"][:, :17], ours["input_ids"][:, :17])
    for given in (stock, ours):
        assert torch.equal(given["labels"] != -100, given["token_type_ids"] == 1)


@pytest.mark.parametrize("along", [1, 2, 4])
def test_smolvlm_tiles(along):
    from transformers.models.smolvlm.processing_smolvlm import get_image_prompt_string

    config = small_config("smolvlm")
    tile = config.vision_config.image_size
    pictures = transformers.SmolVLMImageProcessor(
        size={"longest_edge": along * tile}, max_image_size={"longest_edge": tile}, return_row_col_info=True
    )
    stock = pictures([[picture(50)]], return_tensors="pt")
    ours = family_of("smolvlm").example_inputs(config, Shapes(size=along * tile, text_tokens=1))
    assert stock["pixel_values"].shape == ours["pixel_values"].shape
    assert stock["pixel_attention_mask"].shape == ours["pixel_attention_mask"].shape
    rows, cols = stock["rows"][0][0], stock["cols"][0][0]
    text = get_image_prompt_string(rows, cols, 4, "F", "I", "G").replace("\n\n", "N").replace("\n", "N")
    for row in range(1, rows + 1):
        for col in range(1, cols + 1):
            text = text.replace(f"<row_{row}_col_{col}>", "P")
    assert len(text) == ours["input_ids"].shape[1] - 1
    assert text.count("I") == (ours["input_ids"] == config.image_token_id).sum()


def test_grounding_dino_pictures():
    pictures = transformers.GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 64})
    target = {"image_id": 1, "annotations": [{"id": 1, "image_id": 1, "category_id": 0, "bbox": [2, 3, 9, 9],
                                             "area": 81, "iscrowd": 0}]}  # fmt: skip
    stock = pictures(picture(64), annotations=target, return_tensors="pt")
    ours = family_of("grounding-dino").example_inputs(
        small_config("grounding-dino"), Shapes(size=64, text_tokens=12), labels=True
    )
    assert stock["pixel_values"].shape == ours["pixel_values"].shape
    assert stock["pixel_mask"].dtype == ours["pixel_mask"].dtype
    assert stock["pixel_mask"].shape == ours["pixel_mask"].shape
    for name, value in ours["labels"][0].items():
        assert stock["labels"][0][name].shape == value.shape
        assert stock["labels"][0][name].dtype == value.dtype


def test_grounding_dino_prompts_are_phrases_between_cls_and_sep():
    ids = family_of("grounding-dino").example_inputs(
        small_config("grounding-dino"), Shapes(batch=2, size=64, text_tokens=12)
    )["input_ids"]
    assert (ids[:, 0] == 101).all()
    assert (ids[:, -1] == 102).all()
    assert (ids[:, -2] == 1012).all()
    assert torch.equal(ids[0], ids[1]), "the class's loss wants one prompt for the batch"
    assert (ids == 101).sum() == (ids == 102).sum() == 2


@pytest.mark.parametrize("model_type", ["sam", "sam2"])
def test_segmenter_pictures_and_boxes(model_type):
    config = small_config(model_type)
    side = config.prompt_encoder_config.image_size
    if model_type == "sam":
        pictures = transformers.SamImageProcessor(
            size={"longest_edge": side}, pad_size={"height": side, "width": side}
        )
        processor = transformers.SamProcessor(pictures)
    else:
        pictures = transformers.Sam2ImageProcessor(size={"height": side, "width": side})
        processor = transformers.Sam2Processor(pictures)
    stock = processor(images=picture(50), input_boxes=[[[5.0, 5.0, 30.0, 30.0]]], return_tensors="pt")
    ours = family_of(model_type).example_inputs(config, Shapes())
    assert stock["pixel_values"].shape == ours["pixel_values"].shape
    assert stock["input_boxes"].shape == ours["input_boxes"].shape
    assert set(ours) <= set(stock)


@pytest.mark.parametrize(
    ("name", "given", "tokens"),
    [
        ("qwen2.5-vl-3b", {"frames": 8, "size": 224}, 4 * 64),
        ("qwen2.5-vl-3b", {"frames": 16, "size": 448}, 8 * 256),
        ("qwen3-vl-4b", {"frames": 8, "size": 448}, 4 * 196),
        ("gemma-3-4b", {"images": 2}, 2 * 256),
        ("gemma-3-12b", {"frames": 8}, 8 * 256),
        ("paligemma-3b", {}, 256),
        ("smolvlm-256m", {}, 17 * 64),
        ("smolvlm-500m", {"frames": 8}, 8 * 64),
        ("smolvlm-2.2b", {}, 17 * 81),
    ],
)
def test_image_tokens_of_real_models(name, given, tokens):
    config = full_config(name)
    inputs = family_of(config).example_inputs(config, Shapes(**given), device="meta")
    token = getattr(config, "image_token_id", None) or config.image_token_index
    video = getattr(config, "video_token_id", -1)
    assert int(((inputs["input_ids"] == token) | (inputs["input_ids"] == video)).sum()) == tokens
