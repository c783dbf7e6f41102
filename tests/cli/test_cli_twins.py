"""`nbhelpers twins`: list, train, evaluate, with what they print and their exit codes."""

import subprocess
import sys
from pathlib import Path

import pytest

from nbhelpers.artifacts import Check, Metric
from nbhelpers.cli.app import run
from nbhelpers.twins import Evaluation, Recipe
from nbhelpers.twins import train as train_module
from nbhelpers.twins import work as work_module
from nbhelpers.twins.registry import RECIPES


def save_something(folder, seed):
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    save_file({"w": torch.full((3, 4), float(seed))}, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")


def score(folder, seed):
    from safetensors.torch import load_file

    value = float(load_file(folder / "model.safetensors")["w"].mean())
    metric = Metric(value, 20, low=value - 0.1, high=value + 0.1)
    return Evaluation({"mean": metric}, (Check("mean", value, ">= 1", value >= 1),))


SMALL = Recipe("small", "Twelve numbers.", "NoModel", save_something, score, ("be small",), ("think",))


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Work and twins in a temporary folder, with a recipe `small`: its score is its seed, the bar is 1."""
    monkeypatch.setattr(work_module, "REPOSITORY", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(train_module, "twins_root", lambda: tmp_path / "twins")
    monkeypatch.setattr(train_module, "twin_folder", lambda name: tmp_path / "twins" / name)
    monkeypatch.setitem(RECIPES._own, "small", SMALL)
    return tmp_path


def test_train_evaluate_list(places):
    answer = run(["twins", "train", "small", "--seed", "2"])
    assert answer.exit_code == 0
    assert answer.data["metrics"]["mean"] == Metric(2.0, 20, low=1.9, high=2.1)
    assert answer.data["checks"] == [Check("mean", 2.0, ">= 1", True)]
    assert (places / "twins" / "small" / "model.safetensors").is_file()

    again = run(["twins", "evaluate", "tiny/small", "--json"])
    assert (again.exit_code, again.data) == (0, answer.data)
    assert "mean   2.000  >= 1  yes" in again.text

    listed = run(["twins", "list"])
    row = next(row for row in listed.data["twins"] if row["name"] == "small")
    assert row["trained"] and row["parameters"] == 12
    assert "tiny/small" in listed.text and "1 of 1" in listed.text


def test_a_missed_check_is_exit_code_1(places):
    answer = run(["twins", "train", "small", "--seed", "0", "--output", str(places / "other")])
    assert (answer.exit_code, answer.error) == (1, "tiny/small: not met: mean")
    assert answer.data["checks"] == [Check("mean", 0.0, ">= 1", False)]
    assert run(["twins", "evaluate", "small", "--folder", str(places / "other")]).exit_code == 1


def test_list_shows_what_is_not_trained(places):
    answer = run(["twins", "list"])
    row = next(row for row in answer.data["twins"] if row["name"] == "small")
    assert row == {"name": "small", "model_class": "NoModel", "trained": False}


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_an_unknown_name_lists_the_known_ones(verb):
    answer = run(["twins", verb, "nope"])
    assert answer.exit_code == 2
    assert "'nope'" in answer.error and "sam" in answer.error


def test_an_untrained_one_says_how_to_train_it(places):
    answer = run(["twins", "evaluate", "small"])
    assert answer.exit_code == 2
    assert "nbhelpers twins train small" in answer.error


def test_list_from_a_shell_is_one_json_object(call_json):
    code, data, _ = call_json("twins", "list")
    assert code == 0
    names = [row["name"] for row in data["twins"]]
    assert names == list(RECIPES)


def test_alone_it_shows_its_commands(call):
    done = call("twins")
    assert done.returncode == 0
    assert all(verb in done.stdout for verb in ("list", "train", "evaluate"))


def test_listing_loads_nothing_heavy():
    code = (
        "import sys; from nbhelpers.cli.app import run; run(['twins', 'list']); "
        "sys.exit(','.join({'torch', 'transformers', 'tokenizers'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=False)
    assert done.stderr.strip() == ""
