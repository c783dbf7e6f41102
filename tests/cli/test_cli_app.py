import ctypes
import json
import os
import subprocess
import sys
import time

import pytest

import nbhelpers
from nbhelpers.cli.app import app, run
from nbhelpers.cli.output import Answer, explain
from nbhelpers.errors import BadInput, CheckFailed

COMMANDS = (
    *("doctor", "fit", "run", "report", "validate-dataset", "draw-scenes", "augment"),
    *("train-teacher", "label", "train-student", "optimize-model", "evaluate", "infer", "serve"),
    *("make-videos", "make-samples", "tune-vlm", "predict-video", "evaluate-vlm"),
    *("attack", "attack-eval"),
    *("degrade", "degrade-results"),
    *("generate", "check-code", "evaluate-code", "serve-code", "user-token"),
)
HEAVY = (
    "torch",
    "matplotlib",
    "papermill",
    "pandas",
    "cv2",
    "onnx",
    "onnxruntime",
    "ultralytics",
    "nbformat",
    "fastapi",
    "uvicorn",
)


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def cpu_seconds(*arguments):
    """Least processor time of three calls; wall time would measure what else the machine does."""
    times = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        after = os.times()
        times.append(
            after.children_user - before.children_user + after.children_system - before.children_system
        )
    return min(times)


def test_the_command_line_imports_nothing_heavy():
    loaded = json.loads(python("import json, sys, nbhelpers.cli.app; print(json.dumps(list(sys.modules)))"))
    assert not [name for name in HEAVY if name in loaded]


# The least a command line like ours can cost: the same library's help for one command that does nothing.
SMALLEST = """
import typer
app = typer.Typer(rich_markup_mode="rich")
app.callback()(lambda: None)
app.command()(lambda: None)
app(["--help"])
"""


def test_help_and_import_are_fast():
    """Against a yardstick of the same moment: processors differ by more than a bound in seconds allows."""
    bare = cpu_seconds("-c", "pass")
    smallest = cpu_seconds("-c", SMALLEST) - bare
    assert cpu_seconds("-c", "import nbhelpers") - bare < 0.3 * smallest
    assert cpu_seconds("-m", "nbhelpers", "--help") - bare < 3 * smallest


def test_every_command_has_a_room_and_an_example(capsys):
    assert run(["--help"]).exit_code == 0
    listed = capsys.readouterr().out
    for name in COMMANDS:
        assert name in listed
        assert run([name, "--help"]).exit_code == 0
        shown = capsys.readouterr().out
        assert f"nbhelpers {name}" in shown.split("Example:")[1]
        assert "--json" in shown
        assert "--debug" in shown
    assert {command.name for command in app.registered_commands} == set(COMMANDS)
    assert all(command.rich_help_panel for command in app.registered_commands)


def test_the_version_is_printed(capsys):
    assert run(["--version"]).exit_code == 0
    assert capsys.readouterr().out.strip() == nbhelpers.__version__


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["evaluate"], "--data"),
        (["evaluate", "--data", "x.json", "--nonsense"], "--nonsense"),
        (["evaluate", "--data", "x.json", "--kind", "masks"], "bbox"),
        (["draw-scenes", "--output", "x", "--count", "none"], "--count"),
    ],
)
def test_wrong_usage_exits_2_with_one_line(arguments, said):
    answer = run(arguments)
    assert answer.exit_code == 2
    assert said in answer.error
    assert "\n" not in answer.error


def test_errors_become_one_line_with_their_exit_code():
    assert explain(BadInput("a\nb"), False) == Answer({}, "", 2, "a b")
    assert explain(CheckFailed("ap"), False).exit_code == 1
    internal = explain(ZeroDivisionError("x\ny"), False)
    assert internal.exit_code == 1
    assert internal.error == "internal error: ZeroDivisionError: x y (use --debug for the trace)"
    assert explain(KeyboardInterrupt(), False).exit_code == 130


def test_debug_shows_the_trace_before_or_after_the_command(call):
    for arguments in (("--debug", "report", "no-such-run"), ("report", "no-such-run", "--debug")):
        done = call(*arguments)
        assert done.returncode == 2
        assert "Traceback" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("nbhelpers: ")
    plain = call("report", "no-such-run")
    assert len(plain.stderr.splitlines()) == 1
    assert plain.stdout == ""


@pytest.mark.parametrize("first", [True, False])
def test_json_errors_are_one_object_and_one_line(call, first):
    arguments = ("--json", "report", "none") if first else ("report", "none", "--json")
    done = call(*arguments)
    assert json.loads(done.stdout)["exit_code"] == done.returncode == 2
    assert json.loads(done.stdout)["error"] in done.stderr
    usage = call("frobnicate", "--json")
    assert json.loads(usage.stdout)["exit_code"] == usage.returncode == 2


def test_doctor_reports_the_machine(call_json):
    code, found, errors = call_json("doctor")
    assert code == (0 if found["ok"] else 1)
    assert any(row["item"] == "torch" for row in found["rows"])
    assert "profile" in errors  # people's table


CHATTER = """
import ctypes, subprocess, sys
from nbhelpers.cli import app, output
import typer

room = typer.Typer()
@app.app.command("noisy")
def noisy(as_json: bool = typer.Option(False, "--json")):
    print("from python")
    sys.__stdout__.write("from the real stdout object\\n")
    ctypes.CDLL(None).printf(b"from c\\n")
    subprocess.run([sys.executable, "-c", "print('from a child')"])
    return output.Answer({"a": 1}, "for people")
app.main(["noisy", "--json"])
"""


@pytest.mark.skipif(os.name != "posix", reason="calls the C library of a POSIX system")
def test_nothing_but_json_reaches_standard_output():
    assert ctypes.CDLL(None).printf
    done = subprocess.run([sys.executable, "-c", CHATTER], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"a": 1}
    for said in ("from python", "from the real stdout object", "from c", "from a child", "for people"):
        assert said in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="pipes of a POSIX shell")
def test_a_reader_that_leaves_early_is_no_error():
    command = f"{sys.executable} -m nbhelpers doctor --json 2>/dev/null | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "{"
    started = time.monotonic()
    assert "Traceback" not in done.stderr
    assert time.monotonic() - started < 5
