"""`nbhelpers degrade` and `nbhelpers degrade-results`, as a script calls them."""

import pytest
from small_study import CONFIG

from nbhelpers.artifacts import plain
from nbhelpers.cli.app import run


def cli(*arguments):
    answer = run([str(one) for one in arguments])
    return {"exit_code": answer.exit_code, "error": answer.error, "text": answer.text, **plain(answer.data)}


@pytest.fixture(scope="module")
def lesions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lesions")
    arguments = (
        "degrade", "--config", CONFIG, "--output", folder, "--profile", "cpu", "--method", "ablation",
        "--target", "mlp_only@0-1", "--set", "degrade.controls=[]", "--set", "degrade.repeats=1",
        "--set", "degrade.levels.ablation.default=[0.2,0.9]",
    )  # fmt: skip
    return folder, arguments, cli(*arguments)


def test_degrade_leaves_records(lesions):
    folder, _, answer = lesions
    assert answer["exit_code"] == 0, answer
    assert (answer["state"], answer["done"], answer["total"]) == ("done", 4, 4)
    assert answer["model"] == "tiny/gemma-3"
    assert (folder / "records.jsonl").is_file()


def test_the_same_command_goes_on_and_another_one_is_refused(lesions):
    folder, arguments, _ = lesions
    before = (folder / "records.jsonl").read_bytes()
    assert cli(*arguments)["done"] == 4
    assert (folder / "records.jsonl").read_bytes() == before
    other = cli(*arguments, "--set", "degrade.seed=3")
    assert other["exit_code"] == 2
    assert "holds another experiment" in other["error"]


def test_results_are_summed_up(lesions):
    folder, _, _ = lesions
    answer = cli("degrade-results", "--results", folder, "--draws", 20)
    assert answer["exit_code"] == 0
    assert [fit["group"] for fit in answer["fits"]] == ["mlp_only@0-1"]
    assert answer["fits"][0]["levels"] == 2
    assert "mlp_only@0-1" in answer["text"]
    assert len(answer["summary"]["rows"]) == 4


def test_what_cannot_be_is_said_in_one_line(tmp_path):
    for arguments, message in (
        (("degrade", "--config", "dreams", "--output", tmp_path), "the built-in ones are"),
        (("degrade", "--method", "burn", "--output", tmp_path), "is none of mult_gauss"),
        (("degrade", "--language", "fr", "--output", tmp_path), "languages"),
        (("degrade-results", "--results", tmp_path), "there is no such file"),
    ):
        answer = cli(*arguments)
        assert answer["exit_code"] == 2, answer
        assert message in answer["error"]
