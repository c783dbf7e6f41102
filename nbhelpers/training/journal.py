"""What a training writes down as it goes: `records.jsonl`, TensorBoard scalars, the progress bar."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbhelpers.artifacts import read_records, to_json
from nbhelpers.runtime import progress
from nbhelpers.training.settings import FitSettings

RECORDS, TENSORBOARD = "records.jsonl", "tensorboard"
FLUSH_EVERY_S = 1.0


class Journal:
    """Open from the step of the last checkpoint on; what was written after it is written again, not twice.

    Attributes:
        rows: all records, those before a resume included. One per logged step: `step`, `loss` and its parts,
            `lr`, `grad_norm` (None where the step was left out for overflow), `seconds`; one per validation:
            `step` and `scores`.
    """

    def __init__(self, folder: Path, settings: FitSettings, step: int, records_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / RECORDS).open("ab")
        self._file.truncate(min(records_bytes, self._file.tell()))
        self._file.seek(0, 2)
        self.rows: list[dict[str, Any]] = list(read_records(folder / RECORDS))
        self._writer = _writer(folder / TENSORBOARD, step + 1) if settings.tensorboard else None
        rest = f" from step {step}" if step else ""
        self._bar = progress(total=settings.steps - step, label=f"training {folder.name}{rest}", unit="step")
        self._flushed_at = time.monotonic()

    def step(self, row: dict[str, Any]) -> None:
        """Write one step down."""
        self._add(row)
        self._scalars("train", row["step"], {key: value for key, value in row.items() if key != "step"})

    def scores(self, step: int, scores: Mapping[str, float]) -> None:
        """Write one validation down."""
        self._add({"step": step, "scores": dict(scores)})
        self._scalars("validation", step, scores)

    def advance(self, loss: float, learning_rate: float) -> None:
        """Move the bar on."""
        self._bar.note(f"loss {loss:.4g}, lr {learning_rate:.2g}")
        self._bar.update()

    def flush(self) -> int:
        """Bring everything to the files; returns the length of the records in bytes."""
        self._file.flush()
        if self._writer is not None:
            self._writer.flush()
        return self._file.tell()

    def close(self) -> None:
        """Write the rest and close the files."""
        self._bar.__exit__(None, None, None)
        self._file.close()
        if self._writer is not None:
            self._writer.close()

    def _add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        self._file.write((to_json(row, indent=None) + "\n").encode())
        if time.monotonic() - self._flushed_at > FLUSH_EVERY_S:  # for those who look on
            self._file.flush()
            self._flushed_at = time.monotonic()

    def _scalars(self, group: str, step: int, values: Mapping[str, Any]) -> None:
        if self._writer is None:
            return
        for name, value in values.items():
            if value is None:  # the gradient's norm of a step that was left out
                continue
            self._writer.add_scalar(f"{group}/{name}", float(value), step)


def _writer(folder: Path, step: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    # Of an earlier process's events, those from this step on are hidden.
    return SummaryWriter(str(folder), purge_step=step, flush_secs=10)
