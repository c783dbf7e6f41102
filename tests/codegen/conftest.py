"""What the tests of this room share."""

import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mypy_cache():
    """One for all: the first reading of a framework's types takes ten seconds, the next ones one."""
    folder = Path(tempfile.mkdtemp(prefix="nbhelpers-tests-"))  # pytest's own is closed to the child's user
    yield folder
    shutil.rmtree(folder)
