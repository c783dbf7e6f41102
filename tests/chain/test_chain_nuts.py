"""The spine on real photographs, small: COCO in, checked set, teachers, student, ONNX and INT8, one page."""

import json
import os
import subprocess
import sys

import pytest

from nbhelpers.artifacts import read_json

pytestmark = pytest.mark.slow

# Four steps and two epochs teach nothing, and are not judged; every file and every step is the real one.
SMALL = ["distill.epochs=2", "distill.image_size=160", "export.runs=10", "export.calibration_images=6"]
SMALL += [f"teach.{part}.{key}" for part in ("detector", "segmenter") for key in ("steps=4", "validations=1")]
# After two epochs AP is about 0, so INT8's promise is not tested here: the notebook itself does.

# Those that take a COCO set or go on from one that does; the others stand alone, and nbval runs them.
PHASES = ["data", "teach", "distill", "export"]


@pytest.fixture(scope="module")
def run(shared_data, tmp_path_factory):
    """One run of the notebooks on `coco/nuts`, through the command line, as a stranger would."""
    runs = tmp_path_factory.mktemp("runs")
    done = call_run(shared_data, runs)
    return runs / "nuts", json.loads(done.stdout)


def call_run(shared_data, runs):
    command = [sys.executable, "-m", "nbhelpers", "run", *PHASES, "--profile", "cpu", "--run-id", "nuts"]
    command += ["--data", str(shared_data / "coco" / "nuts" / "trainval.json"), "--runs", str(runs), "--json"]
    command += [word for setting in SMALL for word in ("--set", setting)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_every_phase_leaves_results_in_the_agreed_form(run):
    folder, _ = run
    for phase in PHASES:
        results = read_json(folder / phase / "results.json")
        assert results["phase"] == phase
        assert results["profile"] == "cpu"
        assert {"settings", "metrics", "checks", "memory", "seconds", "versions"} <= set(results)
        assert all(check["ok"] for check in results["checks"])
        assert all({"value", "n"} <= set(metric) for metric in results["metrics"].values())


def test_the_photographs_are_all_accounted_for(run):
    folder, _ = run
    report = read_json(folder / "data" / "prepared" / "validation_report.json")
    for kind, count in {"images": 18, "annotations": 165}.items():
        counts = report[kind]
        assert counts["in"] == count == counts["kept"] + counts["repaired"] + counts["dropped"]


def test_the_exports_are_there_and_open(run):
    from nbhelpers.export import check_single_image_input, open_engine

    folder, _ = run
    for name in ("student.onnx", "student.fp16.onnx", "student.int8.onnx", "student.int8-dynamic.onnx"):
        engine = open_engine(folder / "export" / name)
        assert engine.class_names == ["date", "fig", "hazelnut"]
        assert check_single_image_input(folder / "export" / name).shape[1:] == (3, 160, 160)


def test_the_page_shows_every_phase_and_its_pictures(run):
    folder, printed = run
    page = (folder / "index.html").read_text()
    for phase in PHASES:
        assert list((folder / phase).glob("*.ipynb")), phase
        assert f'id="{phase}"' in page or f"{phase}/" in page
    assert page.count("<img") >= 6
    assert "nuts" in json.dumps(printed)


def test_a_second_call_skips_what_is_done(run, shared_data):
    folder, _ = run
    before = {phase: (folder / phase / "results.json").stat().st_mtime_ns for phase in PHASES}
    call_run(shared_data, folder.parent)
    after = {phase: (folder / phase / "results.json").stat().st_mtime_ns for phase in PHASES}
    assert after == before
