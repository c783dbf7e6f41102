"""What a machine would take: the walk is `load`'s, the numbers are dry runs."""

import pytest

from nbhelpers import models
from nbhelpers.errors import BadInput
from nbhelpers.memory import Shapes
from nbhelpers.models import Purpose, Target, forecast
from nbhelpers.runtime import GIB

SMALL = Target("a small GPU", "cuda", 2 * GIB, (7, 5))


@pytest.fixture
def light(monkeypatch, tmp_path):
    """Purposes whose steps are quick to plan, and a place of their own for the plans."""
    monkeypatch.setenv("NBHELPERS_SCRATCH", str(tmp_path))
    purposes = {"code": Purpose("infer", Shapes(images=0, text_tokens=32, new_tokens=4))}
    monkeypatch.setattr("nbhelpers.models.forecasting.PURPOSES", purposes)


def test_the_first_that_fits_is_taken_and_the_rest_is_not_asked(light):
    names = ["qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b", "tiny/qwen2.5-coder"]
    rungs = forecast("code", "t4", SMALL, candidates=names)
    assert [(rung.name, rung.kind, rung.taken) for rung in rungs] == [
        ("qwen2.5-coder-1.5b", "too_large", False),
        ("qwen2.5-coder-0.5b", "loaded", True),
    ]
    assert "float16: does not fit: needs 3." in rungs[0].reason
    assert "fits: needs 1." in rungs[1].reason


def test_what_cannot_be_reached_is_refused_as_load_refuses_it(light, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    names = ["qwen2.5-coder-0.5b", "tiny/qwen2.5-coder"]
    rungs = forecast("code", "cpu", models.this_machine(), reach=True, candidates=names)
    assert [(rung.kind, rung.taken) for rung in rungs] == [("no_network", False), ("loaded", True)]
    assert "float32: fits" in rungs[1].reason


def test_a_task_a_model_cannot_do_is_a_rung_with_the_reason(light, monkeypatch):
    purposes = {"attack": Purpose("attack", Shapes(text_tokens=16))}
    monkeypatch.setattr("nbhelpers.models.forecasting.PURPOSES", purposes)
    rungs = forecast("attack", "t4", SMALL, candidates=["qwen2.5-coder-0.5b"])
    assert [(rung.kind, rung.taken) for rung in rungs] == [("unsupported", False)]
    assert "image" in rungs[0].reason


def test_an_unknown_purpose_lists_the_known_ones():
    with pytest.raises(BadInput, match="known purposes: code, degrade, attack, video, detector, segmenter"):
        forecast("painting", "t4", SMALL)


def test_every_purpose_has_a_chain_in_every_profile_that_ends_in_a_twin():
    for profile in ("cpu", "t4", "rtx3090"):
        for purpose in models.PURPOSES:
            names = models.chain(purpose, profile)
            assert models.find_entry(names[-1]).is_twin
