import pytest

from nbhelpers.models import Snapshot, load


@pytest.fixture(scope="session")
def loaded():
    return load("tiny/gemma-3", task="infer", device="cpu")


@pytest.fixture(scope="session")
def coder():
    return load("tiny/qwen2.5-coder", task="infer", device="cpu")


@pytest.fixture(scope="session")
def _kept(loaded):
    return Snapshot(loaded.model)


@pytest.fixture
def twin(loaded, _kept):
    """The twin, whole again after each test."""
    yield loaded
    _kept.restore()
    assert _kept.changed() == []
