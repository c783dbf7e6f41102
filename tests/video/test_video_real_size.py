"""Qwen2.5-VL-3B, Qwen3-VL-2B and -4B at full size on the meta device: tokens, positions, adapters, memory."""

import pytest
import torch

from nbhelpers.memory import Shapes
from nbhelpers.models import add_lora, family_of, full_config
from nbhelpers.settings import load_settings
from nbhelpers.video import expected_hours, tuning_plan
from nbhelpers.video.plan import ANSWER_TOKENS, QUESTION_TOKENS

MODELS = ("qwen2.5-vl-3b", "qwen3-vl-2b", "qwen3-vl-4b")
# The sum over text layers of r (in + out) for q, k, v and o; the test below does it by hand.
LORA = {"qwen2.5-vl-3b": 7_372_800, "qwen3-vl-2b": 6_422_528, "qwen3-vl-4b": 11_796_480}


@pytest.fixture(scope="module")
def settings():
    return load_settings("t4").video


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("frames", [8, 16])
def test_tokens_and_positions(name, frames):
    """A step of the grid is two frames; at 224 pixels it has 64 tokens of 28 pixels, or 49 of 32."""
    config = full_config(name)
    family = family_of(config)
    inputs = family.example_inputs(config, Shapes(images=0, frames=frames, size=224, text_tokens=100))
    vision, steps = config.vision_config, frames // 2
    unit = vision.patch_size * vision.spatial_merge_size
    per_step = round(224 / unit) ** 2
    assert per_step == (64 if name == "qwen2.5-vl-3b" else 49)
    assert int((inputs["input_ids"] == config.video_token_id).sum()) == steps * per_step
    assert inputs["video_grid_thw"].tolist() == [[steps, *[round(224 / unit) * 2] * 2]]
    model = family.meta_model(config).model
    given = {
        key: inputs[key] for key in ("input_ids", "mm_token_type_ids", "video_grid_thw", "attention_mask")
    }
    seconds = inputs.get("second_per_grid_ts")
    positions, _ = model.get_rope_index(
        **given, **({} if seconds is None else {"second_per_grid_ts": seconds})
    )
    seen = positions[0, 0][inputs["mm_token_type_ids"][0] == 2]
    assert len(seen.unique()) == steps
    if name == "qwen2.5-vl-3b":  # 2 positions a second (tokens_per_second), a second per step of the grid
        assert (seen.unique() - seen[0]).tolist() == [vision.tokens_per_second * k for k in range(steps)]
    assert positions.shape == (3, 1, inputs["input_ids"].shape[1])


@pytest.mark.parametrize("name", MODELS)
def test_adapter_counts(name, settings):
    config = full_config(name)
    family = family_of(config)
    report = add_lora(family.meta_model(config), family, settings.roles, settings.r, settings.alpha)
    layers, text = config.text_config.num_hidden_layers, config.text_config
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    q, kv, hidden = head * text.num_attention_heads, head * text.num_key_value_heads, text.hidden_size
    by_hand = layers * settings.r * (2 * (hidden + q) + 2 * (hidden + kv))
    assert report.trainable == by_hand == LORA[name]
    assert len(report.modules) == 4 * layers and report.share < 0.004


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("frames", [8, 16])
def test_a_t4_holds_the_step_in_less_than_12_gb(name, frames, settings):
    config = full_config(name)
    family = family_of(config)
    given = settings.model_copy(update={"frames": frames})
    plan = tuning_plan(family, config, given, quantize="nf4", capability=(7, 5))
    visual = frames // 2 * (64 if name == "qwen2.5-vl-3b" else 49)
    assert plan.features and plan.needed < 12e9
    assert plan.step.dtype == "float16" and plan.step.gradient_checkpointing
    assert plan.step.trainable == LORA[name]
    extra = plan.step.tokens - visual - QUESTION_TOKENS - ANSWER_TOKENS
    assert 0 < extra <= 4 + 8 * frames  # markers, and time stamps before each pair
    text = 2.8e9 if name == "qwen2.5-vl-3b" else 1.4e9 if name == "qwen3-vl-2b" else 3.6e9
    assert 0.3 < expected_hours(plan.step, int(text), settings.steps, settings.accumulate) < 4


@pytest.mark.slow
def test_logits_at_answers_and_kept_features_are_what_makes_it_small(settings):
    """The same step with all logits and with pixels, as the class's own loss takes it."""
    from nbhelpers.memory import dry_run

    config = full_config("qwen3-vl-2b")
    family = family_of(config)
    given = settings.model_copy(update={"frames": 16, "batch": 2, "size_px": 448})
    ours = tuning_plan(family, config, given, quantize="nf4", capability=(7, 5)).step
    shapes = Shapes(batch=2, images=0, frames=16, size=448, text_tokens=QUESTION_TOKENS + ANSWER_TOKENS)
    stock = dry_run(family, config, "tune", shapes, "nf4", capability=(7, 5))
    assert ours.tokens == stock.tokens
    # Logits in float32 with their gradient, 8 bytes for each token and word, for all tokens but the answer's.
    saved = 8 * 2 * (stock.tokens - ANSWER_TOKENS - 1) * config.text_config.vocab_size
    assert stock.peak - ours.peak > 0.9 * saved
    assert torch.finfo(torch.float16).max < saved  # gigabytes, not rounding
