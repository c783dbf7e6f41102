"""Which notebooks `pytest --nbval` may run side by side.

Cells are compared in one kernel, so those of a notebook stay together; and notebooks that go on from what the
one before left stay in their order.
"""

import pytest

CHAIN = ("02", "07", "08", "09")  # data, teachers, student, export


# Before pytest-xdist reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the cells."""
    for item in items:
        number = item.path.name.partition("_")[0]
        item.add_marker(pytest.mark.xdist_group("chain" if number in CHAIN else number))
