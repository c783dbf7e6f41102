"""Seeds, logging."""

import logging
import os
import random
import subprocess
import sys

import numpy as np
import pytest

from nbhelpers.errors import BadInput
from nbhelpers.runtime import seed_everything, setup_logging


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")


@pytest.fixture
def logger():
    yield logging.getLogger("nbhelpers")
    for handler in list(logging.getLogger("nbhelpers").handlers):
        logging.getLogger("nbhelpers").removeHandler(handler)
        handler.close()
    logging.getLogger("nbhelpers").propagate = True


def draw():
    return random.random(), float(np.random.rand())


def test_the_same_seed_gives_the_same_numbers_and_another_others():
    seed_everything(7)
    first = draw()
    seed_everything(7)
    assert draw() == first
    seed_everything(8)
    assert draw() != first


def test_environment_is_set_for_children_but_a_users_choice_stays():
    seed_everything(7)
    assert os.environ["PYTHONHASHSEED"] == "7"
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_numpy_cannot_take_is_refused_before_anything_is_seeded(seed):
    state = random.getstate()
    with pytest.raises(BadInput, match="between 0 and 4294967295"):
        seed_everything(seed)
    assert random.getstate() == state


def test_torch_is_not_imported_for_seeding():
    code = "import sys, nbhelpers.runtime as r; r.seed_everything(1); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
def test_torch_is_seeded_where_it_is_loaded(monkeypatch):
    import torch

    asked = []
    # The real call loads torch's compiler, which takes longer than all other tests here.
    monkeypatch.setattr(
        torch, "use_deterministic_algorithms", lambda on, warn_only: asked.append((on, warn_only))
    )
    seed_everything(3)
    first = torch.rand(4)
    seed_everything(3)
    assert torch.equal(torch.rand(4), first)
    assert not asked
    seed_everything(3, deterministic=True)
    assert asked == [(True, True)]
    assert torch.backends.cudnn.benchmark is False


def test_console_and_file(logger, tmp_path, capsys):
    path = setup_logging(tmp_path / "logs", "WARNING")
    logging.getLogger("nbhelpers.data").info("quiet %d", 1)
    logging.getLogger("nbhelpers.data").warning("loud")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "WARNING loud" in shown.err
    assert "quiet" not in shown.err
    lines = path.read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == [
        "INFO nbhelpers.data: quiet 1",
        "WARNING nbhelpers.data: loud",
    ]


def test_called_twice_it_writes_once(logger, tmp_path, capsys):
    setup_logging(tmp_path)
    setup_logging(tmp_path)
    logger.info("once")
    assert capsys.readouterr().err.count("once") == 1
    assert (tmp_path / "nbhelpers.log").read_text().count("once") == 1


def test_the_root_loggers_handlers_do_not_repeat_it(logger, caplog):
    setup_logging()
    logger.info("hello")
    assert not caplog.records


def test_the_file_rotates(logger, tmp_path):
    setup_logging(tmp_path, "ERROR")
    for _ in range(60):
        logger.debug("x" * 100_000)
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= 5_000_000


def test_an_unknown_level_is_bad_input(logger):
    with pytest.raises(BadInput, match="use DEBUG, INFO"):
        setup_logging(level="LOUD")


def test_a_users_own_handler_is_left_alone(logger):
    own = logging.NullHandler()
    logger.addHandler(own)
    setup_logging()
    setup_logging()
    assert own in logger.handlers
    assert len(logger.handlers) == 2


def test_a_missing_optional_package_of_kernels_is_no_warning(caplog):
    theirs = logging.getLogger("bitsandbytes.backends.cpu.ops")
    theirs.warning("Failed to load CPU gemm_4bit_forward from kernels-community: %s.", "no module")
    theirs.warning("Another matter")
    assert [record.getMessage() for record in caplog.records] == ["Another matter"]
