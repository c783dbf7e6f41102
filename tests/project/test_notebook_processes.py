"""How `pytest --nbval` spreads the notebooks over processes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_notebook_stays_in_one_process_and_the_chain_in_its_order(tmp_path):
    shutil.copy(ROOT / "notebooks" / "conftest.py", tmp_path)
    left = tmp_path / "left"
    cells = {
        "01_alone.ipynb": ["a = 1", "assert a == 1", "assert a == 1"],
        "02_first.ipynb": ["a = 2", f"open({str(left)!r}, 'w').write(str(a))"],
        "07_second.ipynb": ["b = 3", f"assert open({str(left)!r}).read() == '2'", "assert b == 3"],
    }
    for name, sources in cells.items():
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
        nbformat.write(notebook, tmp_path / name)
    command = ["--nbval-lax", str(tmp_path), "--numprocesses", "2", "--dist", "loadscope", "--verbose"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *command, "-c", "/dev/null", "--rootdir", str(tmp_path)],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    ran = re.findall(r"\[(gw\d)\].*PASSED.*?(\d\d)_\w+", done.stdout)
    assert len(ran) == 8
    by_notebook = {number: {worker for worker, other in ran if other == number} for _, number in ran}
    assert all(len(workers) == 1 for workers in by_notebook.values())
    assert by_notebook["02"] == by_notebook["07"] != by_notebook["01"]
