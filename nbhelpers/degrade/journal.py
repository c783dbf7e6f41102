"""What was written so far, on disk: append-only, one line a batch or a finished cell, one file a process."""

from pathlib import Path
from typing import Any

from nbhelpers.artifacts import append_record, read_records


class Journal:
    """All journals of an experiment, of which one process writes one.

    A line is written at once. A line that a kill has cut is left out when it is read, so a batch is there
    whole or not at all.

    Args:
        folder: of the experiment.
        worker: number of the process that writes.
    """

    def __init__(self, folder: Path, worker: int = 0) -> None:
        self.folder, self.path = folder, folder / f"journal-{worker}.jsonl"
        self.batches: dict[tuple[str, int], list[dict[str, Any]]] = {}
        self.finished: dict[str, dict[str, Any]] = {}
        for path in sorted(folder.glob("journal-*.jsonl")):
            for line in read_records(path):
                self._note(line)

    def _note(self, line: Any) -> None:
        if not isinstance(line, dict) or "cell" not in line:
            return
        if "rows" in line:
            self.batches.setdefault((line["cell"], line["batch"]), line["rows"])
        elif "done" in line:
            self.finished.setdefault(line["cell"], line["done"])

    def add_batch(self, cell: str, batch: int, rows: list[dict[str, Any]]) -> None:
        """Keep the texts of one batch."""
        self._write({"cell": cell, "batch": batch, "rows": rows})

    def finish(self, cell: str, done: dict[str, Any]) -> None:
        """Keep what is known of a whole cell; it is not run again."""
        self._write({"cell": cell, "done": done})

    def _write(self, line: dict[str, Any]) -> None:
        append_record(self.path, line)
        self._note(line)

    def rows(self, cell: str, batches: int) -> list[dict[str, Any]]:
        """The texts of a cell in the order of the prompts."""
        return [row for number in range(batches) for row in self.batches[cell, number]]
