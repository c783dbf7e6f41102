"""Full-size models on the meta device, built once for a session."""

from functools import cache

import pytest


@pytest.fixture(scope="session")
def meta_model():
    """name -> (model on the meta device, family); the same objects each time, so do not change them."""
    from nbhelpers.models import family_of, full_config

    @cache
    def build(name):
        config = full_config(name)
        family = family_of(config)
        return family.meta_model(config), family

    return build
