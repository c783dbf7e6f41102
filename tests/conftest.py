"""Fixtures shared by all rooms."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data nobody here wrote; tests that need it skip, saying so, where it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the real data in ../shared/data, beside the project; the folder is not there")
    return SHARED_DATA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip `gpu` tests, with the reason, where there is no GPU; torch is only asked when one is collected."""
    wanting = [item for item in items if item.get_closest_marker("gpu")]
    if not wanting:
        return
    import torch

    if not torch.cuda.is_available():
        for item in wanting:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA GPU; torch finds none here"))
