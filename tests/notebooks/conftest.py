"""Tiny notebooks to run; the real ones are tried by `pytest --nbval notebooks` and the chain test."""

from pathlib import Path

import nbformat
import pytest

PARAMETERS = 'profile = "auto"\nrun_id = "notebook"\nruns = None\noverrides = ()\n'
START = (
    "from nbhelpers.notebooks import start\n"
    's = start("{phase}", profile=profile, run_id=run_id, overrides=overrides, runs=runs)'
)


def _write(path: Path, cells: list[str], parameters: str = PARAMETERS) -> Path:
    """A notebook whose first cell is tagged `parameters`."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    tagged = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    notebook.cells = [nbformat.v4.new_markdown_cell("# A title"), tagged]
    notebook.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def write_notebook():
    """The function `write(path, cells, parameters)`."""
    return _write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two notebooks: 02 leaves an artifact, 08 takes it and then runs the code in `body`."""
    notebooks = tmp_path / "notebooks"
    _write(
        notebooks / "02_prepare_data.ipynb",
        [
            START.format(phase="data"),
            'left = s.folder.path / "train.json"; left.write_text(str(n_images)); s.artifact("train", left)',
            's.metric("n_images", n_images, n_images); s.check("any images", n_images, "> 0", n_images > 0)',
            's.finish("none")',
        ],
        PARAMETERS + 'n_images = 3\ndata = ""\nimages = ""',
    )
    _write(
        notebooks / "08_distill_student.ipynb",
        [
            START.format(phase="distill"),
            's.metric("seen", s.left_by("data", "train").read_text(), 1)',
            "exec(body)",
            's.finish("a student")',
        ],
        PARAMETERS + 'body = ""',
    )
    return notebooks


@pytest.fixture
def single(tmp_path: Path) -> Path:
    """A folder with one notebook, 01, that runs the code in `body`."""
    cells = [START.format(phase="memory"), "exec(body)", 's.finish("none")']
    return _write(tmp_path / "single" / "01_env.ipynb", cells, PARAMETERS + 'body = ""').parent
