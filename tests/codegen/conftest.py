"""What the tests of this room share."""

import pytest


@pytest.fixture(scope="session")
def mypy_cache(tmp_path_factory):
    """One for all: the first reading of a framework's types takes ten seconds, the next ones one."""
    return tmp_path_factory.mktemp("mypy")
