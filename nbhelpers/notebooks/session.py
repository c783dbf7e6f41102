"""One phase of a run, from inside its notebook: banner, folder, recorded numbers, checks, `results.json`."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Any, Literal

from nbhelpers.artifacts import Check, Metric, RunFolder, run_folder, write_atomic, write_json
from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.notebooks.digest import digest
from nbhelpers.notebooks.places import PHASES, runs_root
from nbhelpers.notebooks.state import SCHEMA, Input, left_by

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from nbhelpers.runtime import Choice
    from nbhelpers.settings import Settings

FigureKind = Literal["auto", "png", "jpg"]
_PACKAGES = (
    *("nbhelpers", "torch", "torchvision", "transformers", "peft", "numpy"),
    *("ultralytics", "onnx", "onnxruntime"),
)
_open: list["Session"] = []  # a second `start` in one kernel must stop the first one's watcher


class Session:
    """What a notebook knows about its phase, and where it records what it measured.

    Attributes:
        settings: the phase's section of the profile, overrides applied.
        all: the settings of every phase.
        folder: `runs/<id>/<phase>/`.
        device: "cpu" or "cuda:0", as torch names it.
        dtype: name of the dtype to compute in ("float32", "float16", "bfloat16").
        predicted_bytes: the phase's own estimate of its peak memory, set by `predict_memory`.
    """

    def __init__(self, phase: str, settings: "Settings", folder: RunFolder) -> None:
        from nbhelpers.memory import watch
        from nbhelpers.runtime import choose_device, choose_dtype

        self.phase, self.all, self.folder = phase, settings, folder
        self.settings: Any = settings.section(phase)
        self.device_choice: Choice = choose_device()
        self.device: str = self.device_choice.value
        self.dtype_choice: Choice = choose_dtype(self.device)
        self.dtype: str = self.dtype_choice.value
        self.predicted_bytes: int | None = None
        self._metrics: dict[str, Metric] = {}
        self._checks: dict[str, Check] = {}
        self._artifacts: dict[str, str] = {}
        self._figures: dict[str, str] = {}
        self._inputs: dict[str, Input] = {}
        self._started = time.monotonic()
        self._stack = ExitStack()
        self._watch = self._stack.enter_context(watch(settings.memory.sample_interval_s))

    def banner(self) -> str:
        """Where this runs and what was chosen, each with its reason; the lines depend on the machine."""
        from nbhelpers.runtime import Choice, banner

        run = self.folder.path.parent
        return banner(
            profile=Choice(self.all.profile, self.all.reason),
            device=self.device_choice,
            dtype=self.dtype_choice,
            run=Choice(run.name, f"phase {self.phase}, in {run.parent.name}/{run.name}/{self.phase}"),
        )

    def metric(
        self,
        name: str,
        value: float | int | str | None,
        n: int,
        unit: str = "",
        low: float | None = None,
        high: float | None = None,
    ) -> None:
        """Record a measured number, the size `n` of the sample under it, and its interval if there is one."""
        self._metrics[name] = Metric(value, int(n), unit, low, high)

    def check(self, name: str, value: Any, bar: str, ok: bool) -> None:
        """Record an expectation: what was measured, what was asked for (in words), whether it was met."""
        self._checks[name] = Check(name, value, bar, bool(ok))

    def figure(
        self, fig: "Figure", name: str, caption: str, kind: FigureKind = "auto", max_kb: int = 150
    ) -> None:
        """Save a figure as `figures/<name>.<kind>`, record it, show it once and close it.

        Args:
            fig: a matplotlib figure.
            name: plain file name without suffix.
            caption: one sentence: what there is to see.
            kind: "png" suits lines and text, "jpg" photographs; "auto" looks at what the figure holds.
            max_kb: bound of the file, 1 kB = 1000 bytes.
        """
        from nbhelpers.plots import save_figure

        suffix = _suffix(fig) if kind == "auto" else kind
        path = self.folder.figures / f"{name}.{suffix}"
        save_figure(fig, path, max_kb=max_kb)
        self._figures[f"figures/{path.name}"] = caption
        _show(fig, path, caption)

    def artifact(self, name: str, path: str | Path) -> None:
        """Record a file or folder that this phase leaves, for the report and for later phases.

        Raises:
            BadInput: nothing lies at `path`.
        """
        if not Path(path).exists():
            raise BadInput(f"artifact {name!r}: {Path(path).name} was not written")
        self._artifacts[name] = Path(os.path.relpath(path, self.folder.path)).as_posix()

    def left_by(self, phase: str, name: str) -> Path | None:
        """The artifact that an earlier phase of this run left under `name`, or None when it left none.

        What was taken is noted in `results.json`: this phase is run again when it has changed.
        """
        if phase not in PHASES.values():
            raise BadInput(f"phase {phase!r}: the phases are {', '.join(PHASES.values())}")
        path = left_by(self.folder.path.parent, phase, name)
        self._inputs[f"{phase}/{name}"] = Input(phase, name, digest(path) if path else None)
        return path

    def predict_memory(self, predicted_bytes: int) -> None:
        """Record how many bytes this phase was expected to need at its peak."""
        self.predicted_bytes = int(predicted_bytes)

    def finish(self, model: str = "") -> "pd.DataFrame":
        """Write `results.json` and return the checks as a table.

        Args:
            model: which model the phase used, in words.

        Raises:
            CheckFailed: an expectation was not met; `results.json` is written all the same.
        """
        self.close()
        write_json(self.folder.results, self.results(model))
        table, failed = self._table(), [check for check in self._checks.values() if not check.ok]
        if failed:
            print(table.to_string())
            raise CheckFailed("; ".join(f"{c.name}: {_short(c.value)}, wanted {c.bar}" for c in failed))
        return table

    def close(self) -> None:
        """Stop the memory watcher; safe to call twice."""
        self._stack.close()
        if self in _open:
            _open.remove(self)

    def results(self, model: str = "") -> dict[str, Any]:
        """The content of `results.json`; its paths are relative to the phase's folder."""
        return {
            "schema": SCHEMA,
            "phase": self.phase,
            "state": "done" if all(c.ok for c in self._checks.values()) else "failed",
            "profile": self.all.profile,
            "reason": self.all.reason,
            "model": model,
            "device": self.device,
            "dtype": self.dtype,
            "settings": self.settings,
            "metrics": self._metrics,
            "checks": list(self._checks.values()),
            "memory": {
                "predicted_bytes": self.predicted_bytes,
                "start_bytes": self._watch.start_bytes,
                "measured_peak_bytes": self._watch.peak_bytes,
            },
            "seconds": round(time.monotonic() - self._started, 2),
            "versions": _versions(),
            "inputs": list(self._inputs.values()),
            "artifacts": self._artifacts,
            "figures": [{"file": file, "caption": caption} for file, caption in self._figures.items()],
        }

    def _table(self) -> "pd.DataFrame":
        import pandas as pd

        rows = [(c.name, _short(c.value), c.bar, "[OK]" if c.ok else "[FAIL]") for c in self._checks.values()]
        return pd.DataFrame(rows, columns=["check", "value", "bar", "result"]).set_index("check")


def start(
    phase: str,
    profile: str = "auto",
    run_id: str = "notebook",
    overrides: Sequence[str] = (),
    runs: str | Path | None = None,
) -> Session:
    """Open a phase of a run: settings, device, seeds, folder and memory watcher; print a banner.

    Args:
        phase: "memory", "data", "distill", "export", ...: a section of the profile.
        profile: "cpu", "t4", "rtx3090", or "auto" for what fits this machine.
        run_id: name of the run; notebooks of one run find what the others left.
        overrides: settings to change, such as "distill.epochs=3".
        runs: folder of all runs; see `runs_root` for the default.

    Raises:
        BadInput: an unknown phase, profile or setting, or a run id that is no plain folder name.
    """
    from nbhelpers.runtime import seed_everything
    from nbhelpers.settings import load_settings

    if phase not in PHASES.values():
        raise BadInput(f"phase {phase!r}: the phases are {', '.join(PHASES.values())}")
    while _open:
        _open[-1].close()
    settings = load_settings(profile, overrides)
    folder = run_folder(runs_root(runs), run_id, phase)
    folder.results.unlink(missing_ok=True)  # numbers of an earlier go must not outlive a failure of this one
    write_atomic(folder.settings, settings.to_yaml())
    seed_everything(getattr(settings.section(phase), "seed", 0))
    session = Session(phase, settings, folder)
    _open.append(session)
    print(session.banner())
    return session


def _versions() -> Mapping[str, str]:
    found = {"python": python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _suffix(fig: "Figure") -> str:
    """JPEG where all that is drawn are pictures, at the same size several times their pixels; else PNG."""
    shown = [axes for axes in fig.axes if axes.axison or axes.images]
    return "jpg" if shown and all(axes.images for axes in shown) else "png"


def _show(fig: "Figure", path: Path, caption: str) -> None:
    """Show the saved file, not the live figure: the notebook then holds the same, small picture once."""
    from IPython import get_ipython
    from matplotlib import pyplot as plt

    plt.close(fig)  # else the inline backend shows it a second time at the end of the cell
    if get_ipython() is not None:
        from IPython.display import Image, display

        kind = "png" if path.suffix == ".png" else "jpeg"
        display(Image(data=path.read_bytes(), format=kind, alt=caption))
