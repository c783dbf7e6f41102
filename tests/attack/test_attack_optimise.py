"""Optimising against the twin: it works, it is what it says, it resumes to the same bits."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from attack_models import twin
from killed_attack import pictures, settings

from nbhelpers.artifacts import read_json
from nbhelpers.attack import (
    Goal,
    PoseRanges,
    Victim,
    defend,
    evaluate,
    judging_lay,
    load_victim,
    optimise,
    placed,
    questions_of,
    static_grid,
    sweep_places,
    sweep_scale_and_turn,
    transfer,
)
from nbhelpers.attack.optimisation import reference_answers
from nbhelpers.errors import BadInput, CheckFailed

QUIET = {"say": lambda _: None}
LARGE = {  # large enough to succeed within a few steps
    "share": 0.3, "steps": 12, "batch": 8, "accumulate": 1, "validations": 2, "optimizer": "adam", "tv": 0.0,
    "learning_rate": 0.15, "detail": 8, "shape": "circle", "eot": {"scale": (1, 1), "rotation_deg": (-5, 5)},
    "nps": 0.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A patch of 30 % that makes the twin say what it is told: (victim, data, settings, Optimised)."""
    victim, data, own = Victim(twin()), pictures(60), settings(**LARGE)
    folder = tmp_path_factory.mktemp("large")
    done = optimise(victim, data.part("train"), data.part("val"), own, folder, target="blue wheel", **QUIET)
    return victim, data, own, done


@pytest.fixture(scope="module")
def asked(made):
    return questions_of(made[1].part("test"), 12, 0)


def test_scores_of_a_large_patch_beside_its_controls(made, asked):
    """Of a patch this large its colour alone does much: the controls are there to say so."""
    victim, _, own, done = made
    scores = evaluate(victim, done.png, asked, Goal("blue wheel"), judging_lay(own, victim), keep=True)
    assert set(scores.success) == {"patch", "clean", "gray", "noise", "shuffled", "typed word"}
    assert scores.success["patch"].value >= 0.6 and scores.success["clean"].value == 0
    best = max(metric.value for name, metric in scores.success.items() if name != "patch")
    assert scores.net.value == pytest.approx(scores.success["patch"].value - best)
    assert scores.success[scores.net.control].value == best
    assert scores.net.low <= scores.net.value <= scores.net.high
    assert scores.to_target["patch"] < scores.to_target["clean"]
    assert scores.from_clean["clean"] == 0 < scores.from_clean["patch"]
    assert {len(answers) for answers in scores.answers.values()} == {scores.net.n}
    assert len(scores.shown["patch"]) == scores.net.n and len(scores.rows()) == 6


def test_the_loss_fell_and_the_victim_is_as_it_was(made):
    _, _, own, done = made
    losses = [row["loss"] for row in done.history if "loss" in row]
    assert np.mean(losses[-3:]) < 0.5 * np.mean(losses[:3])
    assert done.weights_before == done.weights_after and done.steps == own.steps
    assert sorted(done.growth) == [0, 6, 12] and all(path.is_file() for path in done.growth.values())
    assert done.validations()[0] == [6, 12] and done.best == max(done.validations()[1])
    record = read_json(done.png.parent / "patch.json")
    assert record["settings_hash"] == done.settings_hash and len(done.settings_hash) == 64


def test_a_finished_patch_is_taken_as_it_is_and_other_inputs_begin_anew(made, tmp_path):
    victim, data, own, done = made
    before, folder = done.png.read_bytes(), done.png.parent
    said = []
    again = optimise(
        victim, data.part("train"), data.part("val"), own, folder, target="blue wheel", say=said.append
    )
    assert said == [f"{folder.name}: finished before, taken as it is; {done.summary()}"]
    assert vars(again) == vars(done) and done.png.read_bytes() == before
    few = settings(steps=2, validations=1)
    one = optimise(victim, data.part("train"), data.part("val"), few, tmp_path, target="red ball", **QUIET)
    two = optimise(victim, data.part("train"), data.part("val"), few, tmp_path, target="red bag", **QUIET)
    assert (one.resumed_from, two.resumed_from) == (0, 0) and one.settings_hash != two.settings_hash


def test_an_untargeted_patch_pushes_the_right_answer_down(tmp_path):
    victim, data = Victim(twin()), pictures(60)
    own = settings(**LARGE | {"steps": 24, "share": 0.15})  # a larger one hides everything from the start
    done = optimise(victim, data.part("train"), data.part("val"), own, tmp_path, **QUIET)
    assert done.target is None and done.best >= 0.5
    parts = [row["answer"] for row in done.history if "answer" in row]
    assert np.mean(parts[-4:]) < np.mean(parts[:4]) - 1


def test_it_stops_at_the_deadline_and_goes_on(tmp_path):
    victim, data = Victim(twin()), pictures()
    short = settings(max_minutes=0.0001)
    first = optimise(
        victim, data.part("train"), data.part("val"), short, tmp_path, target="red ball", **QUIET
    )
    assert first.stopped == "deadline" and first.steps < short.steps
    long = settings(max_minutes=5.0)
    second = optimise(
        victim, data.part("train"), data.part("val"), long, tmp_path, target="red ball", **QUIET
    )
    assert second.stopped == "steps" and second.steps == long.steps


def test_it_stops_early_once_success_holds(tmp_path):
    """With `hold` reached at the first validation, the second brings no progress."""
    victim, data = Victim(twin()), pictures(60)
    own = settings(**LARGE | {"validations": 6, "hold": 0.2, "patience": 1})
    done = optimise(victim, data.part("train"), data.part("val"), own, tmp_path, target="blue wheel", **QUIET)
    assert done.stopped == "patience" and done.steps < own.steps and done.best == pytest.approx(0.2)


def test_killed_and_resumed_it_ends_in_the_same_bits(tmp_path):
    script = Path(__file__).parent / "killed_attack.py"
    environment = {**os.environ, "NBHELPERS_PROGRESS": "off", "OMP_NUM_THREADS": "1"}
    output = subprocess.check_output([sys.executable, script, tmp_path], text=True, env=environment)
    found = json.loads(output.splitlines()[-1])
    assert found["codes"] == [0, -signal.SIGKILL, 0]
    assert found["cut"]["resumed"] == 4 and found["whole"]["resumed"] == 0
    assert found["cut"]["files"] == found["whole"]["files"]
    assert found["cut"]["history"] == found["whole"]["history"]


def test_a_victim_that_changes_is_found_out(tmp_path, monkeypatch):
    victim, data = Victim(twin()), pictures()
    marks = iter(["before", "after"])
    monkeypatch.setattr(victim, "fingerprint", lambda: next(marks))
    with pytest.raises(CheckFailed, match="weights of tiny/gemma-3 changed during the attack"):
        optimise(
            victim, data.part("train"), data.part("val"), settings(steps=1), tmp_path, target="x", **QUIET
        )


def test_sweeps_defences_and_transfer_have_their_shapes(made, asked):
    victim, _, own, done = made
    lay, goal, few = judging_lay(own, victim), Goal("blue wheel"), asked[:4]
    places = sweep_places(victim, done.png, few, goal, lay, steps=2)
    assert places.success.shape == (2, 2) and places.n <= 4
    turned = sweep_scale_and_turn(victim, done.png, few, goal, lay, (0.3, 1.0), (0, 10))
    assert turned.success[1].mean() > turned.success[0].mean()  # at a tenth of the area it fails
    from nbhelpers.attack.laying import laid
    from nbhelpers.attack.patch import read_png

    with_patch, clean = laid(few, *read_png(done.png), lay), laid(few, None, read_png(done.png)[1], lay)
    found = defend(victim, few, with_patch, clean, goal, names=("none", "median 5x5"))
    assert found["none"].clean.value >= 0.75 and found["none"].success.value >= 0.5
    matrix = transfer({"own": done.png}, {"itself": victim}, few, {"own": goal}, lay)
    assert matrix["own", "itself"].value == found["none"].success.value


def test_the_explorer_shows_what_is_asked_for(made, asked):
    import ipywidgets as widgets

    from nbhelpers.attack import explorer

    victim, _, own, done = made
    lay = judging_lay(own, victim)
    left, right = (placed(asked[0], done.png, lay, x, 0.5, 0.5, 0.0) for x in (0.0, 1.0))
    clean = asked[0].picture.pixels(64)
    assert (left != clean).any(-1)[:, :32].any() and not (left != clean).any(-1)[:, 40:].any()
    assert (right != clean).any(-1)[:, 32:].any() and not (right != clean).any(-1)[:, :24].any()
    figure = static_grid(victim, asked[0], done.png, lay, [(0, 0, 1, 0), (1, 1, 0.5, 30)])
    assert len([axis for axis in figure.axes if axis.images]) == 2
    box = explorer(victim, asked[:2], done.png, lay)
    controls, image = box.children
    first = image.value
    slider = next(c for c in controls.children if getattr(c, "description", "") == "left-right")
    slider.value = 0.0
    assert isinstance(box, widgets.HBox) and image.value != first and "<b>" in controls.children[-1].value


def test_where_nobody_knows_the_answer_the_clean_one_is_the_reference():
    victim, data = Victim(twin()), pictures(12)

    class Unknown:
        """A picture without answers."""

        def __init__(self, inner):
            self.name, self.pixels, self.answers = inner.name, inner.pixels, {}

    part = data.parts["train"]
    unknown = SimpleNamespace(pictures=[Unknown(one) for one in part.pictures[:3]], prompts=part.prompts[:2])
    found = reference_answers(victim, unknown, 64)
    said = victim.answers([one.pixels(64) for one in unknown.pictures], [part.prompts[0].text] * 3)
    assert [found[one.name, "larger"] for one in unknown.pictures] == said


def test_the_batch_is_made_smaller_where_it_does_not_fit(monkeypatch):
    """A budget between a step of 4 pictures and one of 2: two micro-batches, the same model."""
    import nbhelpers.models.loading as loading
    from nbhelpers.memory import Budget, Shapes, dry_run
    from nbhelpers.models import family_of, full_config

    config = full_config("tiny/gemma-3")
    family = family_of(config)
    how = {"device": "cpu", "gradient_checkpointing": False, "attention": family.attention}
    needs = {
        n: dry_run(family, config, "attack", Shapes(batch=n, text_tokens=64), **how).needed for n in (2, 4)
    }
    between = (needs[2] + needs[4]) // 2
    monkeypatch.setattr(loading, "_budget", lambda wanted, device: Budget(between, "a test says so"))
    said = []
    own = settings(model="tiny/gemma-3", batch=4, accumulate=1)
    loaded, smaller = load_victim(own, profile="cpu", device="cpu", say=said.append)
    assert (smaller.batch, smaller.accumulate, loaded.name) == (2, 2, "tiny/gemma-3")
    assert said[-1] == "2 pictures at once fit, not 4: 2 micro-batches make a step"


def test_poses_are_new_ones_when_it_is_judged(made):
    victim, _, own, _ = made
    lay = judging_lay(own, victim)
    assert lay.ranges == PoseRanges((1, 1), (-5, 5), 0.0) and lay.seed not in (0, 5)


def test_text_only_models_are_left_with_the_reason():
    from nbhelpers.models import NothingFits

    with pytest.raises(NothingFits, match="takes text only"):
        load_victim(settings(model="tiny/qwen2.5-coder"), profile="cpu", device="cpu", **QUIET)
    with pytest.raises(BadInput):
        load_victim(settings(), profile="none", device="cpu", **QUIET)


@pytest.mark.parametrize("profile", ["cpu", "t4", "rtx3090"])
def test_the_second_model_of_every_profile_is_one_that_looks_at_pictures(profile):
    from nbhelpers.models import family_of, find_entry
    from nbhelpers.settings import load_settings

    names = load_settings(profile).attack.other
    assert names and names[-1] == "tiny/paligemma"  # always there
    for name in names:
        assert "image" in family_of(find_entry(name).family).inputs
