"""Run the notebooks again, in place, and keep their outputs: `make notebooks`.

What is kept is what a reader on the web sees and what `pytest --nbval` compares: no widget state, no timings,
no trace of the machine it was made on.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from nbhelpers.artifacts import write_atomic
from nbhelpers.errors import BadInput

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}


def tidy(notebook: Any) -> Any:
    """Strip what differs from run to run without meaning anything: timings, widget state, kernel details."""
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNELSPEC, "language_info": {"name": "python"}})
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        for output in cell.get("outputs", []):
            output.get("metadata", {}).clear()
    return notebook


def refresh(path: Path, timeout_s: int = 3600) -> float:
    """Run one notebook from its first cell in this interpreter's kernel and save it with its outputs.

    Returns:
        The seconds it took.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed; the file on disk stays as it was.
    """
    notebook = nbformat.read(path, as_version=4)
    started = time.monotonic()
    client = NotebookClient(
        notebook, timeout=timeout_s, kernel_name="python3", store_widget_state=False, coalesce_streams=True
    )
    client.execute(cwd=str(path.parent))
    write_atomic(path, nbformat.writes(tidy(notebook)) + "\n")
    return time.monotonic() - started


def main(arguments: list[str]) -> int:
    """Refresh every notebook named, or all of a folder named, in the order of their names."""
    paths = [Path(argument) for argument in arguments]
    found = sorted(p for path in paths for p in (path.glob("[0-9]*.ipynb") if path.is_dir() else [path]))
    if not found:
        raise BadInput(
            f"no notebook found in {', '.join(arguments) or 'nothing'}; name a notebook or a folder of them"
        )
    # The kernels inherit both: bars are for those who wait, and the outputs kept are those of a CPU.
    os.environ |= {"NBHELPERS_PROGRESS": "off", "NBHELPERS_PROFILE": "cpu"}
    for path in found:
        print(f"{path} ...", flush=True)
        print(f"{path} {refresh(path):.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
