"""The experiment on the twin: records, resume after real kills, several processes, stops."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_study import CELLS, CONFIG, TINY, run, settings

from nbhelpers.degrade import bench as bench_module
from nbhelpers.degrade.bench import timings
from nbhelpers.degrade.experiment import run_experiment
from nbhelpers.degrade.groups import resolve
from nbhelpers.degrade.manifest import read_manifest
from nbhelpers.degrade.results import read_results
from nbhelpers.errors import BadInput
from nbhelpers.models import tensor_digests

FILES = ("records.jsonl", "summary.json", "manifest.json")


def content(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """As in the processes that are killed: another number of threads adds in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def whole(loaded, tmp_path_factory):
    """The experiment in one go."""
    folder = tmp_path_factory.mktemp("whole")
    before = tensor_digests(loaded.model)
    outcome = run(folder, loaded)
    assert (outcome.state, outcome.done, outcome.total) == ("done", CELLS, CELLS)
    assert tensor_digests(loaded.model) == before
    return folder


@pytest.fixture(scope="module")
def kill():
    """Runs the experiment in a folder until it is killed at a line of its journal."""
    command = [sys.executable, str(Path(__file__).with_name("small_study.py"))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes, text=True, bufsize=1) as process:

        def killed(folder, writes, cut="none"):
            process.stdin.write(f"{folder} {writes} {cut}\n")
            process.stdin.flush()
            assert process.stdout.readline().strip() == "9", "it was not killed"

        yield killed
        process.stdin.close()


def test_the_sham_writes_exactly_what_the_intact_model_writes(whole):
    found = read_results(whole)
    intact = [text["text"] for text in found.texts_of["baseline"]]
    shams = [cell for cell in found.cells if cell["method"] and cell["level"] == 0]
    assert len(shams) == 3
    for cell in shams:
        assert [text["text"] for text in found.texts_of[cell["cell"]]] == intact
        assert cell["reference"] == found.baseline()["reference"]
        assert cell["lesion"]["changed"] == 0
    others = [cell for cell in found.cells if cell["level"]]
    assert all(cell["lesion"]["changed"] and cell["reference"] != shams[0]["reference"] for cell in others)


def test_every_text_has_its_settings_its_seed_and_its_measures(whole):
    lines = [json.loads(line) for line in (whole / "records.jsonl").read_text().splitlines()]
    texts = [line for line in lines if line["kind"] == "text"]
    assert len(texts) == CELLS * 4
    assert {tuple(text["generation"]) for text in texts} == {("temperature", "top_p", "seed", "new_tokens")}
    assert all(text["tokens"] <= text["generation"]["new_tokens"] for text in texts)
    intact = {text["prompt"]: text for text in texts if text["cell"] == "baseline"}
    assert (intact["opposite"]["text"], intact["opposite"]["exact"]) == ("empty", True)
    assert intact["larger"]["units"] == ["larger"]
    assert (intact["larger"]["units_share"], intact["larger"]["efficiency"]) == (0.5, 0.5)
    assert "exact" not in intact["dream"]
    assert intact["dream"]["own_perplexity"] > 1
    assert intact["dream"]["measures"]["words"] > 2


def test_restoring_is_timed_verified_and_of_the_chosen_roles_alone(whole, loaded):
    found = [row for row in timings(whole) if "restore_s" in row]
    assert len(found) == CELLS - 1
    names = {part.name for part in resolve(loaded.model, loaded.family, "attn_only")}
    size = sum(4 * loaded.model.get_parameter(name).numel() for name in names)
    assert {row["restored_bytes"] for row in found} == {size}
    assert all(row["verified"] for row in found)


# Of each cell the journals get five lines: three batches, the cell itself, its timings.
@pytest.mark.parametrize(
    ("writes", "cut"),
    [(1, 0), (2, "none"), (4, 300), (4, "none"), (5, 9), (18, 1), (47, 200)],
)
def test_a_kill_at_any_moment_changes_no_byte_of_the_records(whole, kill, loaded, tmp_path, writes, cut):
    kill(tmp_path, writes, cut)
    assert not (tmp_path / "records.jsonl").exists()
    assert read_manifest(tmp_path).state == "running"
    assert run(tmp_path, loaded).state == "done"
    assert content(tmp_path) == content(whole)


def test_killed_again_and_again_and_what_was_done_is_not_done_again(whole, kill, loaded, tmp_path):
    written = b""
    for writes, cut in ((12, "none"), (9, 30), (7, "none"), (11, 100)):
        kill(tmp_path, writes, cut)
        now = (tmp_path / "journal-0.jsonl").read_bytes()
        assert now.startswith(written)
        written = now
    assert run(tmp_path, loaded).state == "done"
    assert content(tmp_path) == content(whole)
    lines = list(filter(None, map(whole_line, (tmp_path / "journal-0.jsonl").read_bytes().splitlines())))
    keys = [(line["cell"], line.get("batch", "done")) for line in lines]
    assert len(keys) == len(set(keys)) == CELLS * 4


def whole_line(line):
    try:
        return json.loads(line)
    except ValueError:
        return None


def test_two_processes_make_the_same_records(whole, tmp_path):
    outcome = run_experiment(CONFIG, settings(), tmp_path, device="cpu", jobs=2, say=str)
    assert outcome.state == "done"
    assert content(tmp_path) == content(whole)
    assert len(list(tmp_path.glob("journal-*.jsonl"))) == 2


def test_a_finished_experiment_asks_the_model_nothing(whole, loaded, monkeypatch):
    monkeypatch.setattr(bench_module, "write", None)
    before = content(whole)
    outcome = run(whole, loaded)
    assert (outcome.state, outcome.done) == ("done", CELLS)
    assert content(whole) == before


def test_another_experiment_in_the_folder_is_refused_unless_begun_anew(loaded, tmp_path):
    run(tmp_path, loaded, **TINY)
    with pytest.raises(BadInput, match=r"decoding\.seed was 0 and is 1 and 1 more.*--no-resume"):
        run(tmp_path, loaded, **TINY, seed=1)
    other = settings(**TINY, seed=1)
    assert run_experiment(CONFIG, other, tmp_path, loaded=loaded, resume=False, say=str).state == "done"
    assert read_manifest(tmp_path).identity["settings"]["seed"] == 1
    # What only says when to stop is no other experiment.
    assert run(tmp_path, loaded, **TINY, seed=1, max_minutes=5.0, verify_every=3).state == "done"


def test_it_stops_at_its_deadline_and_goes_on(whole, loaded, tmp_path, monkeypatch):
    plain, asked = bench_module.Bench.check_room, [0]

    def check(self):
        asked[0] += 1
        if asked[0] == 14:
            self._deadline.max_seconds = 0.0
        plain(self)

    monkeypatch.setattr(bench_module.Bench, "check_room", check)
    before = tensor_digests(loaded.model)
    outcome = run(tmp_path, loaded)
    assert (outcome.state, outcome.reason) == ("stopped", "the time given is over")
    assert 0 < outcome.done < CELLS
    assert tensor_digests(loaded.model) == before
    assert read_results(tmp_path).cells[0]["cell"] == "baseline"
    assert run(tmp_path, loaded).state == "done"
    assert content(tmp_path) == content(whole)


def test_it_stops_when_memory_is_nearly_full_with_everything_saved(whole, loaded, tmp_path, monkeypatch):
    shares = iter([0.5] * 9 + [0.97] * 2)
    monkeypatch.setattr(bench_module, "used_share", lambda device: next(shares, 0.5))
    before = tensor_digests(loaded.model)
    outcome = run(tmp_path, loaded)
    assert (outcome.state, outcome.reason) == ("stopped", "97% of the memory of cpu is in use")
    assert tensor_digests(loaded.model) == before
    assert run(tmp_path, loaded).state == "done"
    assert content(tmp_path) == content(whole)


def test_a_text_model_is_asked_texts_and_refuses_pictures(coder, tmp_path):
    small = settings(**{**TINY, "prompts": 1}, new_tokens=3)
    assert run_experiment("iq_it", small, tmp_path, loaded=coder, say=str).state == "done"
    with pytest.raises(BadInput, match="takes no pictures"):
        run_experiment("cookie_theft_it", small, tmp_path / "p", loaded=coder, say=str)


@pytest.mark.parametrize("name", ["dreams_it", "iq_it", "cookie_theft_it"])
def test_the_published_configurations_run_on_the_twin_in_both_languages(loaded, tmp_path, name):
    small = settings(**TINY, new_tokens=4, languages=("en", "it"))
    assert run_experiment(name, small, tmp_path, loaded=loaded, say=str).state == "done"
    found = read_results(tmp_path)
    assert {text["language"] for text in found.texts} == {"en", "it"}
    assert set(found.baseline()["reference"]) == {"en", "it"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ("burn",)}, "'burn' is none of mult_gauss, ablation, uni_quant"),
        ({"methods": ("gain_only",)}, "'gain_only' is none of"),
        ({"controls": ("ablation",)}, "'ablation' is none of norm_matched"),
        ({"levels": {"mult_gauss": {"vision": (1,)}}}, "no levels for 'attn_only' and no `default`"),
        ({"targets": ("soul",)}, "groups of this model: attn_only"),
        ({"levels": {"mult_gauss": {"default": (99,)}, "ablation": {"default": (0.1,)}}}, "from 0 to 10"),
        ({"targets": ("mlp_only",), "control_targets": ("mlp_only",), "controls": ("mask_elsewhere",),
          "levels": {"mult_gauss": {"default": (1,)}, "ablation": {"default": (0.8,)}}}, r"up to 0\.56"),
    ],
)  # fmt: skip
def test_grids_that_cannot_be_are_refused_before_anything_is_damaged(loaded, tmp_path, changes, message):
    with pytest.raises(BadInput, match=message):
        run(tmp_path, loaded, **changes)
    assert not (tmp_path / "manifest.json").exists()
