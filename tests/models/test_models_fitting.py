"""Plans by name rest on the same adapters as the models that are tuned."""

import pytest

from nbhelpers.memory import Shapes
from nbhelpers.models import add_lora, family_of, full_config, plan


@pytest.mark.parametrize("name", ["qwen2.5-coder-0.5b", "grounding-dino-tiny", "smolvlm-256m"])
def test_a_planned_tuning_trains_what_add_lora_trains(name, tmp_path, monkeypatch):
    monkeypatch.setenv("NBHELPERS_SCRATCH", str(tmp_path))
    config = full_config(name)
    family = family_of(config)
    images = int("image" in family.inputs)
    shapes = Shapes(images=images, text_tokens=16, size=224 if images else None)
    planned = plan(name, "tune", shapes, device="cpu")
    assert planned.trainable == add_lora(family.meta_model(config), family, r=16).trainable
