"""What all twins share, tried with a toy recipe that trains a real model in a second."""

import json
import time
from dataclasses import replace

import pytest
import yaml
from toy_recipe import TOY
from toy_recipe import train as train_toy

import nbhelpers.twins.train as train_module
from nbhelpers.artifacts import Check, Metric, read_json
from nbhelpers.errors import BadInput
from nbhelpers.twins import (
    RECIPES,
    Evaluation,
    evaluate_twin,
    find_recipe,
    one_thread,
    train_bpe,
    train_twin,
    trained_twin,
    work_folder,
)
from nbhelpers.twins import work as work_module
from nbhelpers.twins.clock import WorkClock
from nbhelpers.twins.registry import Recipes
from nbhelpers.twins.report import read_report, weight_sizes


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The work folders and the finished twins, both in a temporary folder; `toy` is registered."""
    monkeypatch.setattr(work_module, "REPOSITORY", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(train_module, "twins_root", lambda: tmp_path / "checkpoints")
    monkeypatch.setattr(train_module, "twin_folder", lambda name: tmp_path / "checkpoints" / name)
    monkeypatch.setitem(RECIPES._own, "toy", TOY)
    return tmp_path


def use(monkeypatch, **changes):
    """Another toy of the same name."""
    monkeypatch.setitem(RECIPES._own, "toy", replace(TOY, **changes))


def test_a_twin_is_trained_measured_and_put_in_its_place(places):
    assert trained_twin("toy") is None
    (places / "checkpoints" / ".toy-1234-new").mkdir(parents=True)  # left by a kill
    report = train_twin("tiny/toy", seed=3)
    folder = places / "checkpoints" / "toy"
    assert report.ok and report.evaluation.metrics["next"].n == 50
    assert {path.name for path in folder.iterdir()} >= {
        "config.json",
        "model.safetensors",
        "evaluation.json",
        "README.md",
    }
    assert trained_twin("toy") == read_report(folder) == report
    assert [path.name for path in folder.parent.iterdir()] == ["toy"]  # nothing half copied
    again = evaluate_twin("toy")
    assert again == report  # with the seed of the training
    assert evaluate_twin("toy", seed=4).evaluation != report.evaluation


def test_the_report_counts_the_parameters_of_the_model(places):
    from transformers import AutoModelForCausalLM

    report = train_twin("toy", places / "elsewhere")
    model = AutoModelForCausalLM.from_pretrained(places / "elsewhere")
    assert report.parameters == model.num_parameters()
    assert report.weight_bytes == (places / "elsewhere" / "model.safetensors").stat().st_size
    assert (report.threads, report.seed) == (1, 0)
    assert report.processor_s > 0 and report.seconds > 0


def test_the_card_is_read_by_the_hub_and_says_everything(places):
    from huggingface_hub import ModelCard

    report = train_twin("toy", places / "elsewhere", seed=3)
    card = ModelCard.load(places / "elsewhere" / "README.md")
    assert card.data.license == "apache-2.0"
    assert card.data.pipeline_tag == "text-generation"
    front = yaml.safe_load(card.content.split("---")[1])
    assert front["library_name"] == "transformers"
    for words in (
        "# tiny/toy",
        "- count\n",
        "- count down",
        "| next | 1.000 | 0.900 to 1.000 | 50 |",
        "| next | 1.000 | >= 0.9 | yes |",
        f"{report.parameters:,}",
        "`nbhelpers twins train toy --seed 3`",
        "Apache-2.0",
    ):
        assert words in card.content


def test_a_missed_check_is_told_not_hidden(places, monkeypatch):
    missed = Evaluation({"next": Metric(0.2, 10)}, (Check("next", 0.2, ">= 0.9", False),))
    use(monkeypatch, evaluate=lambda folder, seed: missed)
    report = train_twin("toy")
    assert not report.ok
    assert "| next | 0.200 | >= 0.9 | no |" in (places / "checkpoints" / "toy" / "README.md").read_text()


def test_a_training_cut_short_is_gone_on_with(places, monkeypatch):
    steps = []

    def cut(folder, seed):
        train_toy(folder, seed)
        raise KeyboardInterrupt

    use(monkeypatch, train=cut)
    with pytest.raises(KeyboardInterrupt):
        train_twin("toy")
    assert not (places / "checkpoints").exists()
    use(monkeypatch, train=lambda folder, seed: steps.append(train_toy(folder, seed)))
    clock = work_folder("toy") / "clock.json"
    first = read_json(clock)
    assert 0 < first["seconds"] < 5000
    clock.write_text(json.dumps({**first, "seconds": 5000.0}))
    report = train_twin("toy")
    assert 5000 <= report.seconds < 10_000  # the time before the cut counts, once
    assert not (places / "runs" / "twins" / "toy-seed0").exists()
    assert (places / "runs" / "twins" / "toy-seed0.done" / "only" / "records.jsonl").exists()


def test_other_code_is_said_and_fresh_begins_anew(places, caplog):
    work = work_folder("toy")
    (work / "code.json").write_text(json.dumps({"sha256": "of other code"}))
    (work / "left").touch()
    train_twin("toy", places / "elsewhere")
    assert "its recipe has changed" in caplog.text
    caplog.clear()
    work_folder("toy")
    (work / "left").touch()
    train_twin("toy", places / "elsewhere", fresh=True)
    assert "its recipe has changed" not in caplog.text
    assert not (places / "runs" / "twins" / "toy-seed0.done" / "left").exists()


def test_evaluate_writes_only_when_told(places, monkeypatch):
    train_twin("toy")
    folder = places / "checkpoints" / "toy"
    before = (folder / "evaluation.json").read_bytes()
    use(monkeypatch, evaluate=lambda folder, seed: Evaluation({"other": Metric(1, 1)}))
    assert list(evaluate_twin("toy").evaluation.metrics) == ["other"]
    assert (folder / "evaluation.json").read_bytes() == before
    evaluate_twin("toy", write=True)
    assert "| other | 1 |  | 1 |" in (folder / "README.md").read_text()


def test_an_untrained_twin_cannot_be_evaluated(places):
    with pytest.raises(BadInput, match="nbhelpers twins train toy"):
        evaluate_twin("toy")


def test_a_recipe_that_saves_nothing_is_told(places, monkeypatch):
    use(monkeypatch, train=lambda folder, seed: folder.mkdir())
    with pytest.raises(BadInput, match="no safetensors file"):
        train_twin("toy")


@pytest.mark.parametrize("broken", ["{}", '{"metrics": 3, "checks": []}', '{"metrics": {}, "checks": [{}]}'])
def test_a_broken_report_is_named(tmp_path, broken):
    (tmp_path / "evaluation.json").write_text(broken)
    with pytest.raises(BadInput, match="no evaluation of a twin"):
        read_report(tmp_path)


def test_unknown_names_list_the_known_ones():
    with pytest.raises(BadInput, match=r"'nope'.*there are.*sam"):
        find_recipe("nope")
    assert find_recipe("tiny/sam") is find_recipe("sam")


def test_a_twin_whose_package_is_not_there_is_left_out():
    recipes = Recipes({"gone": "nbhelpers.twins.gone.recipe"})
    assert dict(recipes) == {}
    recipes.add(TOY)
    assert (list(recipes), recipes["toy"]) == (["toy"], TOY)
    with pytest.raises(BadInput, match="already"):
        recipes.add(TOY)
    recipes.remove("toy")
    assert len(recipes) == 0


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_recipe_says_what_its_card_needs(name):
    import transformers

    recipe = RECIPES[name]
    assert recipe.name == name
    assert hasattr(transformers, recipe.model_class)
    assert recipe.summary and recipe.can and recipe.cannot


def test_work_folders(tmp_path):
    assert work_folder("sam", 2, root=tmp_path) == tmp_path / "sam-seed2"
    assert (tmp_path / "sam-seed2").is_dir()
    for name in ("", "../sam", ".sam"):
        with pytest.raises(BadInput, match="no name of a folder"):
            work_folder(name, root=tmp_path)


def test_one_thread_gives_the_others_back():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_the_clock_goes_on_and_beats(tmp_path):
    path = tmp_path / "clock.json"
    with WorkClock(path, beat_s=0.02):
        last = time.monotonic() + 20
        while not path.is_file() and time.monotonic() < last:  # a busy machine beats late
            time.sleep(0.01)
        assert read_json(path)["seconds"] > 0.01  # written before the end: a kill keeps it
    first = read_json(path)["seconds"]
    with WorkClock(path) as clock:
        time.sleep(0.05)
    assert first + 0.05 <= read_json(path)["seconds"] <= clock.seconds


def test_weight_sizes_want_weights(tmp_path):
    with pytest.raises(BadInput, match="no safetensors file"):
        weight_sizes(tmp_path)


CORPUS = ["a red crate stands left of a blue drum", "una cassa rossa sta a sinistra"] * 5
SPECIAL = ["<pad>", "<eos>", "<image>"]


def test_bpe_round_trips_any_text_and_keeps_special_tokens_whole():
    tokenizer = train_bpe(CORPUS, 320, SPECIAL)
    assert [tokenizer.token_to_id(token) for token in SPECIAL] == [0, 1, 2]
    assert tokenizer.get_vocab_size() <= 320
    for text in ("a red crate", "  Zwölf Kühe\n\t“quoted” 🚚", "", "x" * 1000):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert tokenizer.encode("<image>red<eos>").ids[0] == 2
    assert tokenizer.encode("<image>red<eos>").ids[-1] == 1
    assert len(tokenizer.encode("a red crate").ids) < len("a red crate")  # merges were learned


def test_bpe_is_a_function_of_its_corpus():
    assert train_bpe(CORPUS, 320, SPECIAL).to_str() == train_bpe(iter(CORPUS), 320, SPECIAL).to_str()


def test_bpe_refuses_what_does_not_fit():
    with pytest.raises(BadInput, match="do not fit"):
        train_bpe(CORPUS, 258, SPECIAL)
    with pytest.raises(BadInput, match="given twice"):
        train_bpe(CORPUS, 320, ["<pad>", "<pad>"])
