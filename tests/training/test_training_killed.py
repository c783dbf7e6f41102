"""A training killed at any moment ends in the same bits as one that was not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from killed_training import AVERAGED_MOMENTS, MOMENTS
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What every scenario of `killed_training.py` ended in, and the folder it happened in."""
    root = tmp_path_factory.mktemp("killed")
    script = Path(__file__).with_name("killed_training.py")
    environment = os.environ | {"NBHELPERS_PROGRESS": "off"}
    done = subprocess.run(
        [sys.executable, script, root],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), root


@pytest.mark.parametrize("moment", [*map(str, MOMENTS), "again and again"])
def test_killed_training_ends_in_the_same_bits(found, moment):
    scenario, reference = found[0][moment], found[0]["reference"]
    assert scenario["signal"] == 9
    assert 0 < scenario["resumed_from"] < 24
    for what in ("hash", "scaler", "best", "stopped", "history", "files"):
        assert scenario[what] == reference[what], what


@pytest.mark.parametrize("moment", [f"averaged {kill}" for kill in AVERAGED_MOMENTS])
def test_killed_training_with_an_average_ends_in_the_same_bits(found, moment):
    scenario, reference = found[0][moment], found[0]["averaged"]
    assert scenario["signal"] == 9
    assert 0 < scenario["resumed_from"] < 24
    for what in ("hash", "scaler", "best", "stopped", "history", "files"):
        assert scenario[what] == reference[what], what


def test_an_average_changes_no_step_of_the_training(found):
    averaged, reference = found[0]["averaged"], found[0]["reference"]
    assert averaged["hash"] != reference["hash"]
    steps = [[row for row in each["history"] if "loss" in row] for each in (averaged, reference)]
    assert steps[0] == steps[1]


def test_reference_trained_with_overflows_and_left_one_best_file(found):
    reference = found[0]["reference"]
    assert reference["resumed_from"] == 0
    assert reference["stopped"] == "steps"
    losses = [row["loss"] for row in reference["history"] if "loss" in row]
    assert losses[-1] < losses[0] / 2
    skipped = [row["step"] for row in reference["history"] if row.get("grad_norm", 0) is None]
    assert skipped == [1, 2, 3, 4, 5, 6, 7]  # the scaler starts at 2**16, far too high for this loss
    assert reference["files"] == [f"best-{reference['best'][1]}.pt", "checkpoint.pt"]


def test_a_kill_loses_no_scalar_and_doubles_none(found):
    for folder in ("reference", "again-and-again", "killed-3"):
        events = EventAccumulator(
            str(found[1] / folder / "tensorboard"), size_guidance={"scalars": 0}
        ).Reload()
        assert [event.step for event in events.Scalars("train/loss")] == list(range(1, 25)), folder
        assert [event.step for event in events.Scalars("validation/loss")] == [4, 8, 12, 16, 20, 24], folder
