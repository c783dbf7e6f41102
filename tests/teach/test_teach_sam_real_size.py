"""SAM ViT-B/L/H and SAM 2 at full size on the meta device: no weights, the same functions."""

import pytest
import torch

from nbhelpers.models import add_lora, family_of, full_config
from nbhelpers.settings.sections import SamSettings, TeachSection
from nbhelpers.teach.sam.decoder import PromptedDecoder, side_of, target_side
from nbhelpers.teach.sam.outlines import prompt
from nbhelpers.teach.sam.plan import level_shapes, tuning_plan

SAM = [(256, 64, 64)]
SAM2 = [(32, 256, 256), (64, 128, 128), (256, 64, 64)]
QUICK = {"sam-vit-base": SAM, "sam2.1-hiera-tiny": SAM2}
OTHERS = {
    "sam-vit-large": SAM,
    "sam-vit-huge": SAM,
    "sam2.1-hiera-small": SAM2,
    "sam2.1-hiera-base-plus": SAM2,
    "sam2.1-hiera-large": SAM2,
}
ALL = [*QUICK.items(), *(pytest.param(*item, marks=pytest.mark.slow) for item in OTHERS.items())]
T4_BYTES = 12e9


@pytest.mark.parametrize(("name", "levels"), ALL)
def test_shapes_and_counts(name, levels):
    """One prompt per embedding through the decoder; an adapter on its attention and nothing else."""
    config = full_config(name)
    family = family_of(config)
    assert level_shapes(family, config) == levels
    assert (side_of(config), target_side(config)) == (256, 512)
    report = add_lora(family.meta_model(config), family, None, 8, 16)
    assert report.trainable == 94_208
    assert all(module.startswith("mask_decoder.transformer.") for module in report.modules)
    maps = [torch.empty(3, *shape, device="meta") for shape in levels]
    masks, iou = prompt(report.model, maps, torch.empty(3, 4, device="meta"), None)
    assert masks.shape == (3, 256, 256) and iou.shape == (3,)
    points = torch.empty(3, 2, 2, device="meta")
    assert prompt(report.model, maps, torch.empty(3, 4, device="meta"), points)[0].shape == (3, 256, 256)
    inside = PromptedDecoder(report.model)
    assert not [name for name, _ in inside.named_parameters() if "vision_encoder" in name]
    assert sum(p.numel() for p in inside.parameters() if p.requires_grad) == 94_208


@pytest.mark.parametrize("name", QUICK)
def test_count_with_the_mlp(name):
    config = full_config(name)
    family = family_of(config)
    report = add_lora(family.meta_model(config), family, "mask_decoder", 8, 16)
    assert report.trainable == 167_936
    assert set(report.roles) == {"mask_decoder.attention", "mask_decoder.mlp"}


@pytest.mark.parametrize("dtype", ["auto", "float32"])
@pytest.mark.parametrize("name", [name for name, *_ in (QUICK | OTHERS).items() if name in QUICK])
def test_a_t4_holds_the_default_settings(name, dtype):
    fits_a_t4(name, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_a_t4_holds_the_larger_ones(name):
    fits_a_t4(name, "float32")  # above what half precision takes, autocast's copies included


def fits_a_t4(name, dtype):
    config, settings = full_config(name), TeachSection().segmenter
    plan = tuning_plan(family_of(config), config, settings, dtype=dtype, capability=(7, 5))
    assert plan.needed < T4_BYTES
    assert plan.decoder.dtype == {"auto": "float16"}.get(dtype, dtype)
    weights = sum(p.numel() for p in family_of(config).meta_model(config).parameters())
    size = 2 if plan.decoder.dtype == "float16" else 4
    assert plan.decoder.static >= weights * size  # the encoder stays in memory
    assert plan.decoder.optimizer >= 2 * 4 * plan.decoder.trainable
    assert not [consumer for consumer in plan.decoder.largest if "vision.attention, kept" in consumer.name]


def test_the_decoders_step_grows_with_the_objects_and_knows_no_pictures():
    config = full_config("sam-vit-base")
    family = family_of(config)
    few, many = (
        tuning_plan(family, config, SamSettings(batch=1), prompts=prompts, capability=(7, 5))
        for prompts in (2, 8)
    )
    assert 3 < many.decoder.activations / few.decoder.activations < 4.5
    assert few.encoder.peak == many.encoder.peak
