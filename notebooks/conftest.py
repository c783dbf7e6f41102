"""Which notebooks `pytest --nbval` may run side by side.

Cells are compared in one kernel, so those of a notebook stay together; and notebooks that go on from what the
one before left stay in their order. (Marks for `--dist loadgroup` would say the same, but pytest-xdist 3.8
writes them where pytest 9.2 no longer reads: every cell went anywhere.)
"""

from pathlib import PurePath
from typing import Any

import pytest

CHAIN = ("02", "07", "08", "09")  # data, teachers, student, export
LONG = (*CHAIN, "06", "05", "04")  # begun first, so that no process ends alone on one


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long notebooks first."""
    number = {item: item.path.name.partition("_")[0] for item in items}
    items.sort(key=lambda item: LONG.index(number[item]) if number[item] in LONG else len(LONG))  # stable


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """The scheduler of whole notebooks, for which the chain is one."""
    from xdist.scheduler import LoadScopeScheduling

    class WholeNotebooks(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            notebook = nodeid.split("::")[0]
            return "chain" if PurePath(notebook).name.startswith(CHAIN) else notebook

    return WholeNotebooks(config, log)
