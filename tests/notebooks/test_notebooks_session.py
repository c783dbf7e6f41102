import json

import pytest
from matplotlib.figure import Figure
from PIL import Image

from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.notebooks import start


@pytest.fixture
def session(tmp_path):
    opened = start("data", profile="cpu", run_id="t", runs=tmp_path / "runs", overrides=["data.seed=7"])
    yield opened
    opened.close()


def results(session):
    return json.loads(session.folder.results.read_text())


def test_the_banner_gives_each_choice_with_its_reason_and_no_absolute_path(tmp_path, capsys, session):
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["where", "profile", "device", "dtype", "run"]
    assert "runs/t/data" in lines[-1]
    assert str(tmp_path) not in "\n".join(lines)


def test_the_section_with_overrides_is_used_and_written_down(session):
    from nbhelpers.settings import load_settings

    assert session.settings.seed == 7
    assert load_settings(str(session.folder.settings)).data.seed == 7


def test_results_hold_what_was_recorded_with_relative_paths(tmp_path, session):
    left = session.folder.path / "train.json"
    left.write_text("{}")
    session.artifact("train", left)
    session.metric("ap50", 0.71, 40, low=0.62, high=0.79)
    session.check("ap50", 0.71, ">= 0.7", True)
    figure = Figure()
    figure.subplots().plot([1, 2])
    session.figure(figure, "curve", "A line.")
    session.predict_memory(10)
    table = session.finish("a model")
    found = results(session)
    assert list(table["result"]) == ["[OK]"]
    assert found["schema"] == 1
    assert (found["phase"], found["profile"], found["model"]) == ("data", "cpu", "a model")
    assert found["metrics"]["ap50"] == {"value": 0.71, "n": 40, "unit": "", "low": 0.62, "high": 0.79}
    assert found["checks"] == [{"name": "ap50", "value": 0.71, "bar": ">= 0.7", "ok": True}]
    assert found["artifacts"] == {"train": "train.json"}
    assert found["figures"] == [{"file": "figures/curve.png", "caption": "A line."}]
    assert found["settings"]["seed"] == 7
    assert found["memory"]["predicted_bytes"] == 10
    assert found["memory"]["measured_peak_bytes"] > 0
    assert found["seconds"] >= 0
    assert "torch" in found["versions"]
    assert str(tmp_path) not in session.folder.results.read_text()
    assert Image.open(session.folder.figures / "curve.png").size[0] > 100


def test_pictures_become_jpeg_and_charts_png(session):
    import numpy as np

    pictures, chart = Figure(), Figure()
    for axes in pictures.subplots(1, 2):
        axes.imshow(np.random.default_rng(0).random((300, 300, 3)))
        axes.axis("off")
    chart.subplots().plot([1, 2])
    session.figure(pictures, "pictures", "Noise.")
    session.figure(chart, "chart", "A line.")
    assert sorted(path.name for path in session.folder.figures.iterdir()) == ["chart.png", "pictures.jpg"]
    assert (session.folder.figures / "pictures.jpg").stat().st_size <= 150_000


def test_a_failed_check_is_raised_after_the_results_are_written(session, capsys):
    session.check("ap50", 0.5, ">= 0.7", False)
    session.check("split", 3, "3", True)
    with pytest.raises(CheckFailed, match=r"^ap50: 0\.5, wanted >= 0\.7$"):
        session.finish()
    assert [check["ok"] for check in results(session)["checks"]] == [False, True]
    assert results(session)["state"] == "failed"
    assert "[FAIL]" in capsys.readouterr().out


def test_a_later_phase_finds_what_an_earlier_one_left_and_notes_it(tmp_path, session):
    left = session.folder.path / "train.json"
    left.write_text("{}")
    session.artifact("train", left)
    session.finish()
    later = start("distill", profile="cpu", run_id="t", runs=tmp_path / "runs")
    assert later.left_by("data", "train") == left.resolve()
    assert later.left_by("data", "other") is None
    assert later.left_by("teach", "labels") is None
    later.finish()
    noted = {(item["phase"], item["name"]): item["sha256"] for item in results(later)["inputs"]}
    assert len(noted["data", "train"]) == 64
    assert noted["data", "other"] is None
    with pytest.raises(BadInput, match="phases are"):
        later.left_by("dta", "train")


def test_an_artifact_that_was_not_written_is_refused(session):
    with pytest.raises(BadInput, match=r"'model': best\.pt was not written"):
        session.artifact("model", session.folder.path / "best.pt")


def test_starting_again_drops_old_results_and_the_first_watcher(tmp_path, session):
    session.finish()
    again = start("data", profile="cpu", run_id="t", runs=tmp_path / "runs")
    assert not again.folder.results.exists()
    third = start("data", profile="cpu", run_id="t", runs=tmp_path / "runs")
    assert again._watch.peak_bytes > 0
    third.finish()


@pytest.mark.parametrize(("phase", "run_id"), [("dta", "t"), ("data", "../t"), ("data", "")])
def test_bad_names_are_refused(tmp_path, phase, run_id):
    with pytest.raises(BadInput):
        start(phase, profile="cpu", run_id=run_id, runs=tmp_path)
