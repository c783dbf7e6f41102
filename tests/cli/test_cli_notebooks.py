"""`run` and `report` through the command line, on a tiny notebook."""

import json

import nbformat
import pytest

from nbhelpers.cli.app import run

CODE = (
    "from nbhelpers.notebooks import start\n"
    's = start("memory", profile=profile, run_id=run_id, overrides=overrides, runs=runs)\n'
    'print("chatter of the kernel")\n'
    's.check("value", value, "> 0", value > 0)\ns.finish("none")'
)


@pytest.fixture
def notebooks(tmp_path):
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    parameters = 'profile = "auto"\nrun_id = "notebook"\nruns = None\noverrides = ()\nvalue = 1'
    notebook.cells = [
        nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(CODE),
    ]
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(notebook, folder / "01_env.ipynb")
    return folder


@pytest.mark.slow
def test_run_and_report(notebooks, tmp_path, call_json):
    common = ("--notebooks", notebooks, "--runs", tmp_path / "runs", "--run-id", "t", "--profile", "cpu")
    code, found, errors = call_json("run", "all", *common, "-p", "value=2", "--set", "memory.limit_gib=3")
    assert code == 0
    phase = found["phases"]["memory"]
    assert (phase["state"], phase["failure"]) == ("done", None)
    results = json.loads((tmp_path / "runs" / "t" / "memory" / "results.json").read_text())
    assert found["phases"]["memory"]["results"].endswith("runs/t/memory/results.json")
    assert results["settings"]["limit_gib"] == 3
    assert results["checks"][0]["value"] == 2
    assert "01 memory: runs" in errors

    code, found, _ = call_json("run", "01", *common, "-p", "value=0", "--set", "memory.limit_gib=3")
    assert code == 1
    assert found["exit_code"] == 1
    assert found["phases"]["memory"]["failure"]["kind"] == "assertion"
    assert "value: 0, wanted > 0" in found["error"]

    code, found, _ = call_json("report", "t", "--runs", tmp_path / "runs")
    assert code == 0
    assert found["phases"] == {"memory": "failed"}
    assert "Assertion failure" in (tmp_path / "runs" / "t" / "index.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-p", "valu=3"], "did you mean 'value'"),
        (["-p", "value"], "key=value"),
        (["--set", "memory.limit=3"], "limit"),
        (["--data", "none.json"], "--data none.json"),
        (["05"], "'05'"),
        (["--run-id", "a/b"], "run id"),
    ],
)
def test_bad_input_of_run(notebooks, tmp_path, arguments, said):
    answer = run(
        ["run", "--notebooks", str(notebooks), "--runs", str(tmp_path), "--profile", "cpu", *arguments]
    )
    assert answer.exit_code == 2
    assert said in answer.error


def test_a_report_of_a_run_that_is_not_there(tmp_path):
    answer = run(["report", "none", "--runs", str(tmp_path)])
    assert answer.exit_code == 2
    assert "no such run" in answer.error
