"""Every family can be planned for every task it can do; what it cannot do is refused with the reason."""

import pytest
from family_configs import SMALL, small_config

from nbhelpers.errors import BadInput
from nbhelpers.memory import Shapes, dry_run
from nbhelpers.models import family_of

SIZE = {"grounding-dino": 128, "mm-grounding-dino": 128}


@pytest.mark.parametrize("task", ["infer", "tune", "full", "attack"])
@pytest.mark.parametrize("model_type", list(SMALL))
def test_a_step_of_every_family_can_be_planned(model_type, task):
    config = small_config(model_type)
    family = family_of(config)
    pictures = "image" in family.inputs
    shapes = Shapes(images=int(pictures), size=SIZE.get(model_type), text_tokens=24, new_tokens=2)
    if task == "attack" and not pictures:
        with pytest.raises(BadInput, match="needs image"):
            dry_run(family, config, task, shapes)
        return
    plan = dry_run(family, config, task, shapes, device="cpu")
    parts = plan.static + plan.activations + plan.optimizer + plan.gradients
    assert plan.peak == parts
    assert (plan.optimizer > 0) == (task in {"tune", "full"})
    assert (plan.trainable > 0) == (task in {"tune", "full"})
