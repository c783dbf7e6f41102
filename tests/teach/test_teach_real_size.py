"""The profiles' default settings beside the models they name, at full size: no weights, no GPU."""

import pytest

from nbhelpers.memory import Budget
from nbhelpers.models import T4, chain, find_entry, full_config, lora_modules, plan
from nbhelpers.models.families import family_of
from nbhelpers.settings import load_settings
from nbhelpers.teach import PURPOSES
from nbhelpers.teach.rungs import step_shapes

TWELVE_GB = 12e9
CLASSES = ["box", "pallet", "barrel", "cone", "forklift", "shelf", "ladder", "pallet_jack"]
REAL_PROFILES = ("t4", "rtx3090")
CASES = sorted(
    {
        (profile, purpose, name)
        for profile in REAL_PROFILES
        for purpose in PURPOSES.values()
        for name in chain(purpose, profile)
        if not find_entry(name).is_twin
    }
)


def section(profile, purpose):
    return getattr(load_settings(profile).teach, purpose)


@pytest.mark.parametrize("purpose", PURPOSES.values())
@pytest.mark.parametrize("profile", ["cpu", *REAL_PROFILES])
def test_every_chain_goes_down_to_a_twin(profile, purpose):
    names = chain(purpose, profile, section(profile, purpose).model)
    sizes = [find_entry(name).parameters for name in names]
    assert sizes == sorted(sizes, reverse=True)
    assert find_entry(names[-1]).is_twin
    assert (len(names) == 1) == (profile == "cpu"), "on a CPU nothing is downloaded"


@pytest.mark.slow  # a dry run each, once: they are kept on disk, and the profiles' steps are alike
@pytest.mark.parametrize(("profile", "purpose", "name"), CASES)
def test_a_t4_holds_a_step_of_every_model_a_profile_names(profile, purpose, name):
    shapes = step_shapes(purpose, name, section(profile, purpose), CLASSES)
    planned = plan(name, "tune", shapes, device="cuda", capability=T4.capability)
    assert planned.needed < TWELVE_GB
    assert planned.fits(Budget(T4.bytes, T4.name))[0]
    assert planned.dtype == "float16", "a T4 only emulates bfloat16"


@pytest.mark.parametrize(("purpose", "name"), sorted({case[1:] for case in CASES}))
def test_the_roles_of_the_settings_are_there(purpose, name):
    """Every role LoRA is asked for has layers in every model, or a fallback would fail half way."""
    config = full_config(name)
    family, own = family_of(config), section("t4", purpose)
    wrapped = lora_modules(family.meta_model(config, "float16"), family, own.roles)
    assert set(wrapped.values()) == set(family.lora_roles)
