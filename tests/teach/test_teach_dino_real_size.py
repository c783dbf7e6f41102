"""The published sizes through the same functions, on the meta device: no weights, no GPU."""

import pytest
import torch

from nbhelpers.models import add_lora, full_config
from nbhelpers.models.families import family_of
from nbhelpers.models.places import twin_folder
from nbhelpers.models.prepare import check_finite
from nbhelpers.models.rungs import Refused
from nbhelpers.runtime import GIB
from nbhelpers.settings.sections import LoraSettings
from nbhelpers.teach.grounding_dino.footprint import square_side, step_plan

PUBLISHED = {  # LoRA values at rank 16 on the family's default roles
    "grounding-dino-tiny": 2_482_176,
    "grounding-dino-base": 3_457_024,
    "mm-grounding-dino-tiny": 2_482_176,
    "mm-grounding-dino-base": 3_457_024,
}


@pytest.mark.parametrize(("name", "values"), PUBLISHED.items())
def test_the_adapter_has_the_size_it_has_to_have(name, values):
    config = full_config(name)
    family = family_of(config)
    report = add_lora(family.meta_model(config, "float32"), family, None, LoraSettings().r)
    assert report.trainable == values
    assert 0.01 < report.share < 0.02
    assert all(p.device.type == "meta" for p in report.model.parameters())


def test_a_gpu_without_bfloat16_takes_the_detector_and_one_that_overflows_is_still_refused():
    from transformers import AutoModelForZeroShotObjectDetection

    model = AutoModelForZeroShotObjectDetection.from_pretrained(
        twin_folder("tiny/grounding-dino"), local_files_only=True, dtype=torch.float16
    )
    check_finite(model.eval(), family_of("grounding-dino"), "cpu")
    with torch.no_grad():
        model.model.text_projection.bias.fill_(torch.nan)
    with pytest.raises(Refused, match="not finite in float16"):
        check_finite(model, family_of("grounding-dino"), "cpu")


def test_the_square_has_as_many_pixels():
    assert square_side(128, 128) == 128
    assert square_side(800, 1333) == 1033


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grounding-dino-base", "mm-grounding-dino-tiny"])
def test_a_step_of_one_picture_at_a_time_fits_twelve_gigabytes(name):
    """The largest and another class; a batch of four is four micro-batches (`accumulate`) there."""
    config = full_config(name)
    plan = step_plan(family_of(config), config, LoraSettings(batch=1, accumulate=4), capability=(7, 5))
    assert plan.trainable == PUBLISHED[name]
    assert plan.dtype == str(torch.float16).removeprefix("torch.")
    assert plan.needed < 12 * GIB
