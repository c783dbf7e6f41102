"""Every notebook keeps its form: short cells, few definitions, outputs kept, no trace of the machine."""

import ast
import json
import re
import statistics
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("[0-9]*.ipynb"))
IGNORED = "nbval-ignore-output"

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def read(path):
    return json.loads(path.read_text())


def code_cells(path):
    cells = [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]
    return [cell for cell in cells if "".join(cell["source"]).strip()]


def source(cell):
    return "".join(cell["source"])


def lines(cell):
    return [line for line in source(cell).split("\n") if line.strip() and not line.strip().startswith("#")]


def without_magics(cell):
    return re.sub(r"^(\s*)[%!].*$", r"\1pass", source(cell), flags=re.MULTILINE)


def tags(cell):
    return cell["metadata"].get("tags", [])


def test_exactly_one_parameters_cell_among_the_first_six_cells(path):
    tagged = [i for i, cell in enumerate(read(path)["cells"]) if "parameters" in tags(cell)]
    assert len(tagged) == 1
    assert tagged[0] < 6


def test_parameters_are_plain_values_with_a_comment_each(path):
    cell = next(cell for cell in code_cells(path) if "parameters" in tags(cell))
    for line in source(cell).splitlines():
        name, value = re.fullmatch(r"(\w+) = (.*?)  # .+", line).groups()
        ast.literal_eval(value)
        assert name.islower()


def test_the_bootstrap_is_first_short_and_touches_no_heavy_library(path):
    first = code_cells(path)[0]
    assert len(lines(first)) <= 6
    assert "nbhelpers" in source(first)
    assert not re.search(r"torch|numpy", source(first))


def test_cells_are_short(path):
    counts = [len(lines(cell)) for cell in code_cells(path)]
    assert statistics.median(counts) <= 5
    assert statistics.quantiles(counts, n=10)[-1] <= 15


def test_definitions_live_in_the_package(path):
    nodes = [node for cell in code_cells(path) for node in ast.parse(without_magics(cell)).body]
    definitions = [n for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    assert sum(n.end_lineno - n.lineno + 1 for n in definitions) <= 10


def test_prose_and_code_keep_step(path):
    cells = read(path)["cells"]
    prose = sum(cell["cell_type"] == "markdown" for cell in cells)
    assert 0.7 <= prose / len(code_cells(path)) <= 1.8


def test_outputs_are_kept_from_one_clean_run(path):
    counts = [cell["execution_count"] for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))
    outputs = [output for cell in code_cells(path) for output in cell["outputs"]]
    assert outputs
    assert all(output["output_type"] != "error" for output in outputs)
    assert all(output.get("name") != "stderr" for output in outputs), "a warning nobody explains"
    assert "widgets" not in read(path)["metadata"]


def test_no_path_of_the_machine_it_ran_on(path):
    text = path.read_text()
    assert not re.search(r"(?<![\w.])/(home|root|tmp|Users|mnt|workspace)/\w", text)
    assert str(path.parents[1]) not in text


def test_size_of_the_notebook_and_of_its_figures(path):
    assert path.stat().st_size <= 400_000
    for cell in code_cells(path):
        for output in cell["outputs"]:
            image = output.get("data", {}).get("image/png", "")
            assert len("".join(image)) * 3 / 4 <= 150_000


def test_every_output_left_uncompared_is_followed_by_a_check(path):
    cells = code_cells(path)
    for i, cell in enumerate(cells):
        if IGNORED in tags(cell) and ".finish(" not in source(cell):
            after = "\n".join(map(source, cells[i:]))
            assert re.search(r"\.check\(|^assert ", after, re.MULTILINE), source(cell)
