"""The runner end to end on tiny notebooks; each kernel start takes a second or two."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from nbhelpers.errors import BadInput
from nbhelpers.notebooks import digest
from nbhelpers.notebooks.report import gather, write_report
from nbhelpers.notebooks.run import run_notebooks

pytestmark = pytest.mark.slow


@pytest.fixture
def run(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(digest, "package_code", lambda: "fixed")  # the sources may be edited meanwhile
    said = []

    def call(*which, **options):
        said.clear()
        options = {"profile": "cpu", "run_id": "t", "runs": tmp_path / "runs", "notebooks": folder, **options}
        return run_notebooks(which, say=said.append, **options)

    call.said = said
    call.folder = tmp_path / "runs" / "t"
    return call


def states(outcome):
    return [phase.state for phase in outcome.phases]


def test_a_run_leaves_everything_and_a_second_call_skips(run, folder, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    outcome = run(parameters={"n_images": 4})
    assert states(outcome) == ["done", "done"]
    for phase, name in (("data", "02_prepare_data"), ("distill", "08_distill_student")):
        for left in (f"{name}.ipynb", f"{name}.html", "results.json", "settings.yaml", "state.json"):
            assert (run.folder / phase / left).is_file(), left
    executed = nbformat.read(run.folder / "data" / "02_prepare_data.ipynb", as_version=4)
    assert executed.metadata.papermill.input_path == "02_prepare_data.ipynb"
    assert "widgets" not in executed.metadata
    results = json.loads((run.folder / "distill" / "results.json").read_text())
    assert results["metrics"]["seen"]["value"] == "4"
    assert "http" not in _links((run.folder / "data" / "02_prepare_data.html").read_text())

    assert states(run(parameters={"n_images": 4})) == ["skipped", "skipped"]
    assert sum("nothing changed; skipped" in line for line in run.said) == 2

    # 02 with another parameter leaves another artifact, and 08, which takes it, follows.
    assert states(run(parameters={"n_images": 5})) == ["done", "done"]
    assert any("parameters changed" in line for line in run.said)
    assert any("train of phase data changed" in line for line in run.said)
    assert (run.folder / ".previous" / "data" / "train.json").read_text() == "4"

    # A setting of 08 alone leaves 02 as it is.
    assert states(run(parameters={"n_images": 5}, overrides=["distill.epochs=3"])) == ["skipped", "done"]
    assert states(run("02", parameters={"n_images": 5}, force=True)) == ["done"]


def _links(page):
    return [part for part in page.split() if part.startswith(("src=", "href=")) and "http" in part]


def test_a_failure_stops_is_explained_and_is_resumed(run):
    code = "import numpy as np\nnp.ones(2**50)"
    outcome = run(parameters={"body": code})
    assert states(outcome) == ["done", "failed"]
    failure = outcome.failed.failure
    assert (failure.kind, failure.cell) == ("memory", 5)
    assert failure.source == "exec(body)"
    assert "Unable to allocate" in failure.cause
    executed = nbformat.read(run.folder / "distill" / "08_distill_student.ipynb", as_version=4)
    assert any(output.output_type == "error" for cell in executed.cells for output in cell.get("outputs", []))
    results = json.loads((run.folder / "distill" / "results.json").read_text())
    assert results["failure"]["kind"] == "memory"
    page = (run.folder / "index.html").read_text()
    assert "Memory failure" in page
    assert "Unable to allocate" in page

    assert states(run()) == ["skipped", "done"]
    assert "failed" not in json.loads((run.folder / "distill" / "results.json").read_text())["state"]


def test_a_failed_check_keeps_what_was_measured(run, single):
    body = 's.metric("seen", 3, 1); s.check("ap50", 0.5, ">= 0.7", False)'
    outcome = run(notebooks=single, parameters={"body": body})
    assert outcome.failed.failure.kind == "assertion"
    results = json.loads((run.folder / "memory" / "results.json").read_text())
    assert results["metrics"]["seen"]["value"] == 3
    assert results["checks"][0]["ok"] is False
    assert results["failure"]["cause"].startswith("CheckFailed: ap50: 0.5, wanted >= 0.7")


def test_a_kernel_that_dies_is_a_crash_and_later_phases_wait(run, folder, single):
    (single / "01_env.ipynb").rename(folder / "01_env.ipynb")
    outcome = run(parameters={"body": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"})
    assert states(outcome) == ["failed", "waiting", "waiting"]
    assert outcome.failed.failure.kind == "crash"
    assert "SIGSEGV" in outcome.failed.failure.cause


def test_the_kernel_is_this_interpreter_in_the_notebooks_folder(run, single, tmp_path, monkeypatch):
    stray = tmp_path / "jupyter" / "kernels" / "python3"
    stray.mkdir(parents=True)
    spec = {"argv": ["/bin/false", "{connection_file}"], "display_name": "stray", "language": "python"}
    (stray / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    body = (
        "import os, sys; from pathlib import Path; "
        's.metric("python", sys.executable, 1); s.metric("cwd", Path.cwd().name, 1); '
        's.metric("papermill", os.environ["NBHELPERS_PAPERMILL"], 1)'
    )
    assert states(run(notebooks=single, parameters={"body": body})) == ["done"]
    metrics = json.loads((run.folder / "memory" / "results.json").read_text())["metrics"]
    assert metrics["python"]["value"] == sys.executable
    assert metrics["cwd"]["value"] == "single"
    assert metrics["papermill"]["value"] == "1"


def test_the_deadline_interrupts_cleanly_and_the_next_call_resumes(run, single):
    body = (
        "import time\ntry:\n    time.sleep(300)\nfinally:\n    (s.folder.path / 'cleaned').write_text('up')"
    )
    started = time.monotonic()
    outcome = run(notebooks=single, parameters={"body": body}, max_minutes=12 / 60)
    assert time.monotonic() - started < 60
    assert outcome.failed.failure.kind == "timeout"
    assert (run.folder / "memory" / "cleaned").is_file()
    assert states(run(notebooks=single)) == ["done"]
    assert "it failed before (timeout)" in "".join(run.said)
    assert states(run(notebooks=single, max_minutes=0, force=True)) == ["waiting"]


def _start(folder: Path, runs: Path, body: str) -> subprocess.Popen:
    code = (
        "import sys\nfrom nbhelpers.notebooks import digest, run\n"
        "digest.package_code = lambda: 'fixed'\n"
        "try:\n    run.run_notebooks(profile='cpu', run_id='t', runs=sys.argv[2],"
        " notebooks=sys.argv[1], parameters={'body': sys.argv[3]})\n"
        "except KeyboardInterrupt:\n    sys.exit(130)"
    )
    command = [sys.executable, "-c", code, str(folder), str(runs), body]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def _wait_for(path: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} did not appear"
        time.sleep(0.1)


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupts_and_kills_leave_a_state_to_resume_from(run, single, sent):
    body = "(s.folder.path / 'there').write_text('x')\nimport time\ntime.sleep(300)"
    process = _start(single, run.folder.parent, body)
    _wait_for(run.folder / "memory" / "there")
    with pytest.raises(BadInput, match="another call works on it"):
        run(notebooks=single)
    kernels = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if sent == signal.SIGKILL else 130)
    assert b"Traceback" not in errors
    _, alive = psutil.wait_procs(kernels, timeout=30)
    assert not alive  # no kernel outlives the call
    assert gather(run.folder)["phases"][-1]["state"] == "interrupted"
    write_report(run.folder)
    assert "stopped before its end" in (run.folder / "index.html").read_text()
    if sent != signal.SIGTERM:  # it ends as SIGINT does; one resumption less to wait for
        assert states(run(notebooks=single)) == ["done"]
        assert any("it was interrupted" in line for line in run.said)


def test_bad_input_of_a_call_is_refused_before_anything_runs(run, tmp_path):
    for options, match in (
        ({"parameters": {"data": str(tmp_path / "no.json")}}, "no such file"),
        ({"parameters": {"images": str(tmp_path / "no")}}, "no such folder"),
        ({"parameters": {"prepared": str(tmp_path / "no")}}, "no such folder"),
        ({"parameters": {"student": str(tmp_path / "no.pt")}}, "no such file"),
        ({"overrides": ["distill.epoch=3"]}, "epochs"),
        ({"profile": "cpux"}, "cpux"),
        ({"run_id": "a/b"}, "run id"),
    ):
        with pytest.raises(BadInput, match=match):
            run(**options)
    assert not run.folder.exists()
