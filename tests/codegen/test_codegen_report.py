"""The benchmark, the report and its schema, and the commands."""

import json

import pytest

from nbhelpers.cli.app import run
from nbhelpers.codegen import (
    QUICK,
    CodeRequest,
    Entity,
    Field,
    LocalWriter,
    TemplateWriter,
    benchmark,
    generate,
    read_report,
    write_report,
)
from nbhelpers.codegen.report import NAME, Report
from nbhelpers.errors import BadInput
from nbhelpers.settings import load_settings

REQUESTS = [
    CodeRequest(framework, (Entity(name, (Field("title", "str"),)),))
    for framework, name in (("fastapi", "book"), ("django", "room"), ("generic", "lamp"))
]
SETTINGS = load_settings("cpu", ["codegen.min_free_gib=100000", "codegen.hosted.model="])


def writers():
    local = LocalWriter(SETTINGS.codegen, SETTINGS.memory, device="cpu", say=list)
    return [local, TemplateWriter()]


@pytest.fixture(scope="module")
def measured():
    return benchmark(REQUESTS, writers(), SETTINGS.codegen, QUICK)


def test_every_strategy_is_measured_over_the_same_requests(measured):
    local, template = measured
    assert [one.rung for one in measured] == ["local", "template"]
    assert (len(local.attempts), local.write_s, local.tokens_per_s) == (1, [], None)
    assert "codegen.min_free_gib" in local.left
    assert (template.passed.value, template.passed.n) == (1.0, 3)
    assert template.share("lint").value == 1.0
    assert len(template.write_s) == 3
    assert template.left == ""


def test_the_report_says_what_happened_and_is_read_back(tmp_path, measured):
    found = generate(REQUESTS[0], SETTINGS.codegen, writers(), steps=QUICK, say=list)
    file = write_report(tmp_path, SETTINGS, [found], measured)
    assert file.name == NAME == "ai_infrastructure_validation.json"
    report = read_report(file)
    (asked,) = report.requests
    assert asked.passed_by == "template"
    assert [one.outcome for one in asked.attempts] == ["left", "passed"]
    assert asked.attempts[0].kind == "no_memory"
    assert asked.attempts[1].revision.startswith("sha256:")
    assert [check.name for check in asked.attempts[1].checks] == list(QUICK)
    assert [one.strategy for one in report.benchmark] == ["local", "template"]
    assert report.benchmark[1].passed == 1.0
    assert report.machine.isolation
    raw = json.loads(file.read_text())
    assert (raw["schema"], raw["version"]) == ("nbhelpers.ai_infrastructure_validation", 1)
    assert Report.model_json_schema()["additionalProperties"] is False


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": "other"}, "is no report"),
        ({"version": 2}, "of version 2"),
        ({"machine": {}}, "machine.system"),
        ({"extra": 1}, "extra"),
    ],
)
def test_reports_that_are_none(tmp_path, measured, change, said):
    file = write_report(tmp_path, SETTINGS, [], measured)
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(BadInput, match=said):
        read_report(file)


def test_generate_and_check_from_the_command_line(tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text("entities:\n  rooms: {size: int}\noperations: [list]\n")
    out = tmp_path / "out"
    options = ["--framework", "generic", "--order", "safe", "--profile", "cpu"]
    answer = run(["generate", "--spec", str(spec), "--output", str(out), *options])
    assert answer.exit_code == 0, answer.error
    assert answer.data["strategy"] == "template"
    assert (out / "main.py").is_file()
    assert read_report(out / NAME).requests[0].operations == ["list"]
    again = run(["check-code", str(out), "--quick"])
    assert (again.exit_code, again.data["ok"]) == (0, True)
    assert again.data["quality"]["documented"] == 1.0
    assert "nothing of it was run" in again.text
    assert "foreign code ran with" in run(["check-code", str(out)]).text


def test_code_that_fails_gives_exit_code_one(tmp_path):
    file = tmp_path / "bad.py"
    file.write_text("def f(:\n")
    answer = run(["check-code", str(file), "--quick"])
    assert answer.exit_code == 1
    assert "bad.py: parses: bad.py:1" in answer.error


def test_samples_from_the_command_line(tmp_path):
    problem = {"task_id": "t", "prompt": "def one():\n", "test": "def check(f):\n    assert f() == 1"}
    (tmp_path / "problems.jsonl").write_text(json.dumps({**problem, "entry_point": "one"}) + "\n")
    lines = [{"task_id": "t", "completion": body} for body in ("    return 1", "    return 2")]
    samples = tmp_path / "samples.jsonl"
    samples.write_text("".join(json.dumps(line) + "\n" for line in lines))
    answer = run(["evaluate-code", str(samples), "--problems", str(tmp_path / "problems.jsonl")])
    assert answer.data["pass@1"]["value"] == 0.5
    assert "pass@10" not in answer.data
    results = (tmp_path / "samples.jsonl_results.jsonl").read_text().splitlines()
    assert [json.loads(line)["passed"] for line in results] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["generate", "--spec", "none.yaml", "--output", "x"], "none.yaml: there is no such file"),
        (["generate", "--spec", " ", "--output", "x"], "empty"),
        (["generate", "--spec", "x", "--framework", "rails", "--output", "x"], "rails"),
        (["check-code", "/nowhere/x"], "no such file"),
        (["evaluate-code", "/nowhere/x", "--problems", "y"], "no such file"),
        (["user-token", "--user", "a b"], "NBHELPERS_JWT_SECRET"),
        (["serve-code"], "NBHELPERS_JWT_SECRET"),
    ],
)
def test_bad_options_are_said(arguments, said, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NBHELPERS_JWT_SECRET", raising=False)
    answer = run(arguments)
    assert answer.exit_code == 2
    assert said in answer.error


def test_a_user_token_from_the_command_line(monkeypatch):
    from nbhelpers.serve.generation.users import user_of

    monkeypatch.setenv("NBHELPERS_JWT_SECRET", "x" * 40)
    answer = run(["user-token", "--user", "anna"])
    assert user_of(answer.data["token"], "x" * 40) == "anna"
