import subprocess
import sys
import warnings

import pytest
import torch
import transformers
from family_configs import SMALL, small_config, small_model

from nbhelpers.errors import BadInput
from nbhelpers.memory.shapes import Shapes
from nbhelpers.models import FAMILIES, family_of

WITH_IMAGES = ["gemma3", "paligemma", "smolvlm", "qwen2_5_vl", "qwen3_vl"]
DETECTORS = ["grounding-dino", "mm-grounding-dino"]
SEGMENTERS = ["sam", "sam2"]
TEXT_ONLY = ["qwen2", "gemma2", "gemma3_text"]


def shapes_for(model_type, **given):
    side = 64 if model_type in DETECTORS else None
    return Shapes(**{"batch": 2, "text_tokens": 9, "size": side, **given})


def test_the_families_of_the_house_are_known():
    assert set(SMALL) | {"sam2_video"} == set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.model_type)
def test_a_record_refers_to_what_exists(family):
    assert hasattr(transformers, family.auto_class)
    assert hasattr(transformers, family.processor)
    assert family.inputs <= {"text", "image", "video"}
    assert set(family.lora_roles) <= set(family.linears) <= set(family.roles)
    assert set(family.frozen) <= set(family.roles)
    assert family.attention in {"sdpa", "eager"}
    assert family.known


@pytest.mark.parametrize(
    ("model_type", "device", "wanted", "capability", "expected"),
    [
        ("qwen2_5_vl", "cpu", "auto", None, "float32"),
        ("qwen2_5_vl", "cuda:0", "auto", (7, 5), "float16"),
        ("qwen2_5_vl", "cuda:0", "auto", (8, 6), "bfloat16"),
        ("gemma3", "cpu", "auto", None, "float32"),
        ("gemma3", "cuda:0", "auto", (7, 5), "float32"),
        ("gemma3", "cuda:0", "auto", (8, 6), "bfloat16"),
        ("gemma3_text", "cuda:0", "auto", (7, 0), "float32"),
        ("gemma3", "cuda:0", "float32", (8, 0), "float32"),
        ("sam", "cuda:0", "auto", (6, 1), "float32"),
    ],
)
def test_the_number_format_follows_family_and_gpu_generation(
    model_type, device, wanted, capability, expected
):
    choice = family_of(model_type).compute_dtype(device, wanted, capability)
    assert choice.value == expected
    assert choice.reason


def test_gemma_3_never_computes_in_float16_even_when_asked():
    with pytest.raises(BadInput, match="overflows"):
        family_of("gemma3").compute_dtype("cuda:0", "fp16", (7, 5))
    assert "overflows" in family_of("gemma3").compute_dtype("cuda:0", "auto", (7, 5)).reason


@pytest.mark.parametrize("task", ["attack", "image", "video", "detector"])
@pytest.mark.parametrize("model_type", TEXT_ONLY)
def test_a_text_family_refuses_an_image_task_with_the_reason(model_type, task):
    with pytest.raises(BadInput, match=rf"{model_type}: task {task} needs .*image.*takes text only"):
        family_of(model_type).check_task(task)


def test_tasks_that_suit_are_let_through_and_unknown_ones_are_not():
    family_of("gemma2").check_task("degrade")
    family_of("gemma3").check_task("attack")
    family_of("gemma3").check_task("video")
    with pytest.raises(BadInput, match="takes image only"):
        family_of("sam").check_task("code")
    with pytest.raises(BadInput, match="known tasks: infer"):
        family_of("sam").check_task("fly")


@pytest.mark.parametrize("model_type", SMALL)
def test_the_model_takes_its_example_inputs_and_learns_from_the_labels(model_type):
    model, family = small_model(model_type)
    inputs = family.example_inputs(model.config, shapes_for(model_type), labels=True)
    assert family.own_loss == ("labels" in inputs)
    output = model(**inputs)
    loss = output.loss if family.own_loss else output.pred_masks.square().mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize(
    "given", [{"images": 2, "size": 90}, {"images": 0}, {"frames": 5, "size": 64}], ids=str
)
@pytest.mark.parametrize("model_type", WITH_IMAGES)
def test_several_pictures_none_or_a_video(model_type, given):
    model, family = small_model(model_type)
    inputs = family.example_inputs(model.config, shapes_for(model_type, **given), labels=True)
    with torch.no_grad():
        output = model(**inputs)
    assert torch.isfinite(output.loss)
    assert output.logits.shape[:2] == inputs["input_ids"].shape


@pytest.mark.parametrize("model_type", WITH_IMAGES)
def test_text_tokens_are_those_asked_for_and_only_they_are_labelled(model_type):
    config = small_config(model_type)
    family = family_of(model_type)
    short = family.example_inputs(config, Shapes(batch=1, text_tokens=10), labels=True)
    long = family.example_inputs(config, Shapes(batch=1, text_tokens=110), labels=True)
    assert long["input_ids"].shape[1] - short["input_ids"].shape[1] == 100
    assert (long["labels"] != -100).sum() == (55 if model_type == "paligemma" else 110)
    placeholder = getattr(config, "image_token_id", None) or config.image_token_index
    assert not (long["labels"] == placeholder).any()


@pytest.mark.parametrize("model_type", [name for name in SMALL if name not in TEXT_ONLY])
def test_only_pixels_go_to_the_meta_device(model_type):
    family = family_of(model_type)
    inputs = family.example_inputs(
        small_config(model_type), shapes_for(model_type), labels=True, device="meta"
    )
    tensors = {name: value for name, value in inputs.items() if isinstance(value, torch.Tensor)}
    assert {name for name, value in tensors.items() if value.device.type == "meta"} == {"pixel_values"}


@pytest.mark.parametrize("model_type", SMALL)
def test_example_inputs_are_the_same_every_time(model_type):
    family, config = family_of(model_type), small_config(model_type)
    torch.manual_seed(1)
    first = family.example_inputs(config, shapes_for(model_type))
    torch.manual_seed(2)
    second = family.example_inputs(config, shapes_for(model_type))
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.mark.parametrize("model_type", [*DETECTORS, *SEGMENTERS])
def test_detectors_and_segmenters_take_one_picture(model_type):
    with pytest.raises(BadInput, match="one picture per sample"):
        family_of(model_type).example_inputs(small_config(model_type), shapes_for(model_type, images=2))
    with pytest.raises(BadInput, match="one picture per sample"):
        family_of(model_type).example_inputs(small_config(model_type), shapes_for(model_type, frames=4))


def test_sizes_and_prompts_a_model_cannot_take_are_refused():
    with pytest.raises(BadInput, match="pictures of 64 px only"):
        family_of("sam").example_inputs(small_config("sam"), Shapes(size=80))
    with pytest.raises(BadInput, match="4 or more"):
        family_of("grounding-dino").example_inputs(
            small_config("grounding-dino"), Shapes(size=64, text_tokens=3)
        )
    with pytest.raises(BadInput, match="takes text only"):
        family_of("qwen2").example_inputs(small_config("qwen2"), Shapes(frames=4))


@pytest.mark.parametrize("model_type", SMALL)
def test_a_meta_model_is_the_loaded_class_without_a_byte(model_type):
    config = small_config(model_type)
    family = family_of(config)
    before = config.to_dict()
    meta = family.meta_model(config, dtype="bfloat16")
    real, _ = small_model(model_type)
    assert type(meta) is type(real)
    assert {t.device.type for t in [*meta.parameters(), *meta.buffers()]} == {"meta"}
    assert {p.dtype for p in meta.parameters()} == {torch.bfloat16}
    shapes = {name: parameter.shape for name, parameter in real.named_parameters()}
    assert {name: parameter.shape for name, parameter in meta.named_parameters()} == shapes
    assert config.to_dict() == before


def test_building_says_nothing_on_standard_error():
    code = (
        "from nbhelpers.models import family_of, full_config\n"
        "for name in ('smolvlm-256m', 'qwen2.5-coder-0.5b', 'sam-vit-base'):\n"
        "    config = full_config(name); family_of(config).meta_model(config)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_the_folders_sam_2_is_published_in_build_the_model_for_pictures():
    from transformers import Sam2VideoConfig

    config = Sam2VideoConfig()
    assert type(family_of(config).meta_model(config)).__name__ == "Sam2Model"


def test_known_families_warn_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        family_of("gemma3")


def test_an_unknown_type_gets_a_record_to_infer_with_and_a_warning():
    config = transformers.LlamaConfig(
        vocab_size=320, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2,
    )  # fmt: skip
    with pytest.warns(UserWarning, match="'llama' is not among the known families"):
        family = family_of(config)
    assert (family.auto_class, family.known, family.licence) == ("AutoModelForCausalLM", False, "unknown")
    model = family.model_class(config)(config)
    inputs = family.example_inputs(config, Shapes(images=0, text_tokens=8), labels=True)
    assert torch.isfinite(model(**inputs).loss)
    with pytest.raises(BadInput, match="takes text only"):
        family.example_inputs(config, Shapes(frames=2))


def test_example_inputs_of_an_unknown_type_with_images_say_what_they_leave_out():
    config = transformers.LlavaConfig(
        text_config={"model_type": "llama", "vocab_size": 64, "hidden_size": 32}, image_token_index=63
    )
    with pytest.warns(UserWarning, match="'llava' is not among"):
        family = family_of(config)
    assert family.inputs == {"text", "image"}
    with pytest.warns(UserWarning, match="leave the pictures out"):
        inputs = family.example_inputs(config, Shapes(text_tokens=40))
    assert not (inputs["input_ids"] == 63).any()
    with pytest.raises(BadInput, match="lays out frames"):
        family.example_inputs(config, Shapes(frames=4))


def test_a_prompt_longer_than_the_detector_takes_is_cut_as_by_its_processor():
    config = small_config("grounding-dino", max_text_len=16)
    inputs = family_of(config).example_inputs(config, Shapes(size=64, text_tokens=40))
    assert inputs["input_ids"].shape == (1, 16)
    assert inputs["input_ids"][0, -1] == 102


def test_a_type_transformers_does_not_have_is_refused():
    with (
        pytest.warns(UserWarning),
        pytest.raises(BadInput, match="'no-such-type': the installed transformers"),
    ):
        family_of("no-such-type")
