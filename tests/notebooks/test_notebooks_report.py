import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from nbhelpers.artifacts import write_json
from nbhelpers.errors import BadInput
from nbhelpers.notebooks.report import (
    duration_text,
    figure_kind,
    flatten,
    gather,
    number_text,
    words,
    write_report,
)
from nbhelpers.notebooks.state import PhaseState


class Page(HTMLParser):
    """Collects links, pictures and text, and sees that elements are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.links, self.pictures, self.open, self.text = [], [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.links += [attributes["href"]] if tag == "a" else []
        self.pictures += [attributes] if tag == "img" else []
        if tag not in {"img", "meta", "rect", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def run(tmp_path):
    """A run of two phases: 02 done, with everything; 08 failed."""
    data, distill = tmp_path / "my run" / "data", tmp_path / "my run" / "distill"
    (data / "figures").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 200, (60, 80, 3), np.uint8)
    Image.fromarray(noise).save(data / "figures" / "masks.png")
    (data / "train.json").write_text("x" * 2048)
    (data / "02_prepare_data.html").write_text("")
    (data / "02_prepare_data.ipynb").write_text("{}")
    write_json(
        data / "results.json",
        {
            "phase": "data", "profile": "cpu", "reason": "no GPU", "model": "none", "settings": {"seed": 7},
            "metrics": {
                "mask_ap50": {"value": 0.713, "n": 40, "unit": "", "low": 0.62, "high": 0.79},
                "size": {"value": 2048, "n": 1, "unit": "bytes", "low": None, "high": None},
            },
            "checks": [{"name": "a <b> & c", "value": 0.5, "bar": ">= 0.7", "ok": False}],
            "memory": {"predicted_bytes": None, "measured_peak_bytes": 3 * 2**20},
            "versions": {"torch": "2.14"},
            "artifacts": {"train": "train.json", "lost": "lost.json"},
            "figures": [{"file": "figures/masks.png", "caption": "Masks."}],
        },
    )  # fmt: skip
    PhaseState("data", "02_prepare_data.ipynb", "done", seconds=75).write(data)
    failure = {"kind": "memory", "cell": 5, "cause": "MemoryError: <1>", "hint": "lower the batch"}
    write_json(distill / "results.json", {"phase": "distill", "state": "failed", "failure": failure})
    PhaseState("distill", "08_distill_student.ipynb", "failed", seconds=2).write(distill)
    return tmp_path / "my run"


def test_the_page_shows_everything_the_phases_left(run):
    text = write_report(run).read_text()
    page = Page(text)
    for shown in (
        "my run",
        "mask AP50",
        "0.713",
        "0.62 to 0.79",
        "n = 40",
        "a <b> & c",
        ">= 0.7",
        "1 min 15 s",
    ):
        assert shown in page.text, shown
    for shown in (
        "3.0 MiB",
        "2.0 KiB",
        "gone",
        "Memory failure in cell [5]",
        "MemoryError: <1>",
        "lower the batch",
    ):
        assert shown in page.text, shown
    assert "data/02_prepare_data.html" in page.links
    assert "data/train.json" in page.links
    assert all(picture["src"].startswith("data:image/png;base64,") for picture in page.pictures)
    assert {picture["alt"] for picture in page.pictures} == {"Masks."}


def test_the_page_needs_nothing_from_elsewhere(run):
    text = write_report(run).read_text()
    assert not re.search(r"""(src|href)=["'](https?:)?//""", text)
    assert "<script" not in text
    assert "prefers-color-scheme: dark" in text
    assert str(run.parent) not in text


def test_large_pictures_stay_files(run):
    noise = np.random.default_rng(0).integers(0, 200, (600, 800, 3), np.uint8)
    Image.fromarray(noise).save(run / "data" / "figures" / "masks.png")
    assert Page(write_report(run).read_text()).pictures[0]["src"] == "data/figures/masks.png"


def test_a_run_that_is_not_there_or_empty_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no such run"):
        write_report(tmp_path / "none")
    with pytest.raises(BadInput, match="no phase"):
        write_report(tmp_path)


def test_a_phase_that_was_killed_is_interrupted(run):
    PhaseState("data", "02_prepare_data.ipynb", "running").write(run / "data")
    found = gather(run)
    assert [phase["state"] for phase in found["phases"]] == ["interrupted", "failed"]
    assert found["phases"][0]["failure"]["hint"] == "call again to resume"
    assert found["state"] == "failed"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        *[(0.71349, "", "0.7135"), (12345, "", "12\u202f345"), (12345.6, "ms", "12\u202f346")],
        *[(None, "", "n/a"), (True, "", "yes"), ("all", "", "all"), (2**30, "bytes", "1.0 GiB")],
        *[(3, "", "3"), (1e-7, "", "1e-07"), ([1, 3, 320], "", "1, 3, 320"), ({"a": 1}, "", "{'a': 1}")],
    ],
)
def test_numbers_for_people(value, unit, text):
    assert number_text(value, unit) == text


def test_words_times_and_settings_for_people():
    assert words("mask_ap50") == "mask AP50"
    assert words("apples_int8") == "apples INT8"
    assert [duration_text(s) for s in (8.24, 59, 65, 3725)] == ["8.2 s", "59 s", "1 min 05 s", "1 h 02 min"]
    assert flatten({"a": {"b": 1}, "c": 2}) == {"a.b": 1, "c": 2}


def test_pictures_are_told_from_charts(tmp_path):
    white = np.full((50, 100, 3), 255, np.uint8)
    Image.fromarray(white).save(tmp_path / "chart.png")
    Image.fromarray(np.repeat(white, 10, axis=1)).save(tmp_path / "wide.png")
    Image.fromarray(white // 2).save(tmp_path / "picture.png")
    (tmp_path / "cut.png").write_bytes(b"\x89PNG")
    assert [figure_kind(tmp_path / f"{n}.png") for n in ("chart", "wide", "picture", "cut")] == [
        "chart", "wide", "picture", "wide",
    ]  # fmt: skip
