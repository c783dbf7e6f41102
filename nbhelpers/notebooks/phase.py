"""One phase of a run: skip it when it is done, else execute its notebook and keep what became of it."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.artifacts import read_json, run_folder, sha256_file
from nbhelpers.notebooks.failures import Failure
from nbhelpers.notebooks.plan import Step
from nbhelpers.notebooks.state import PhaseState, read_state, record_failure, why_run

if TYPE_CHECKING:
    from nbhelpers.runtime import Progress


@dataclass
class Outcome:
    """What became of one phase in this call.

    Attributes:
        state: "done", "skipped" (done before, nothing changed), "failed", "interrupted" or "waiting".
        reason: why it ran, was skipped or waits.
        notebook: the executed notebook.
        seconds: wall time, kernel start included.
    """

    phase: str
    state: str
    reason: str
    notebook: Path
    results: Path
    seconds: float = 0.0
    failure: Failure | None = None


@dataclass
class PhaseRunner:
    """What the phases of one call share.

    Attributes:
        root: folder of all runs.
        settings: the run's `Settings`.
        deadline: `time.monotonic()` at which the notebook that runs is interrupted; None for no limit.
        say: called with lines for people.
    """

    root: Path
    run_id: str
    overrides: tuple[str, ...]
    settings: Any
    force: bool
    deadline: float | None
    say: Callable[[str], None]

    @property
    def late(self) -> bool:
        """Whether the time given is over."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    def outcome(self, step: Step, state: str, reason: str) -> Outcome:
        """An outcome with the paths of its phase."""
        folder = self.root / self.run_id / step.phase
        return Outcome(step.phase, state, reason, folder / step.notebook.name, folder / "results.json")

    def run(self, step: Step, place: str) -> Outcome:
        """Run one phase, or skip it when it is done and nothing changed.

        Args:
            step: the phase, its notebook and parameters.
            place: such as "2/4", shown with the progress.

        Raises:
            KeyboardInterrupt: passed on; the phase is then marked as interrupted.
        """
        folder = run_folder(self.root, self.run_id, step.phase).path
        fingerprint = step.fingerprint(self.settings)
        reason = why_run(folder, fingerprint)
        if not reason and not self.force:
            self.say(f"{step.name}: done before, nothing changed; skipped (--force runs it again)")
            return self.outcome(step, "skipped", "done before, nothing changed")
        outcome = self.outcome(step, "running", reason or "--force")
        self.say(f"{step.name}: runs ({outcome.reason})")
        self._make_way(folder)
        state = PhaseState(step.phase, step.notebook.name, "running", fingerprint)
        self._execute(step, folder, state, outcome, place)
        return outcome

    def _make_way(self, folder: Path) -> None:
        """Set aside what a finished phase left, so that the new one takes nothing from it.

        A phase that failed or was interrupted keeps its folder: its training resumes there.
        """
        state = read_state(folder)
        if state is None or (state.state != "done" and not self.force):
            return
        before = folder.parent / ".previous" / folder.name
        shutil.rmtree(before, ignore_errors=True)
        before.parent.mkdir(exist_ok=True)
        folder.rename(before)
        run_folder(self.root, self.run_id, folder.name)

    def _execute(self, step: Step, folder: Path, state: PhaseState, outcome: Outcome, place: str) -> None:
        state.write(folder)
        (folder / "results.json").unlink(missing_ok=True)
        started = time.monotonic()
        try:
            outcome.failure = self._notebook(step, outcome.notebook, place)
            outcome.state = "failed" if outcome.failure else "done"
        except BaseException:
            outcome.state, outcome.failure = "interrupted", Failure("interrupted", "stopped from outside")
            raise
        finally:
            outcome.seconds = round(time.monotonic() - started, 2)
            self._close(folder, state, outcome)

    def _notebook(self, step: Step, output: Path, place: str) -> Failure | None:
        from nbhelpers.notebooks.kernel import Execution
        from nbhelpers.runtime import progress

        bar: Progress[None]
        with progress(total=_cells(step.notebook), label=f"{place} {step.notebook.stem}", unit="cell") as bar:
            watcher = _Watcher(bar, self.say)
            execution = Execution(step.notebook, output, self._parameters(step), self.deadline)
            execution.on_cell, execution.on_line = watcher.on_cell, watcher.on_line
            failure = execution.run()
        if failure is None and not (output.parent / "results.json").is_file():
            return Failure("other", "the notebook ended without results.json; does it call finish()?")
        return failure

    def _parameters(self, step: Step) -> dict[str, Any]:
        own = {"profile": self.settings.profile, "run_id": self.run_id, "runs": str(self.root)}
        overrides = {"overrides": list(self.overrides)} if "overrides" in step.known else {}
        return {**own, **overrides, **step.given}

    def _close(self, folder: Path, state: PhaseState, outcome: Outcome) -> None:
        from nbhelpers.notebooks.page import save_html

        state.state, state.seconds = outcome.state, outcome.seconds
        if outcome.failure:
            record_failure(folder, outcome.phase, outcome.failure)
            failure = outcome.failure
            state.failure = {"kind": failure.kind, "cell": failure.cell, "cause": failure.cause}
        state.results = sha256_file(folder / "results.json")
        state.write(folder)
        self._tell(outcome)
        save_html(outcome.notebook)

    def _tell(self, outcome: Outcome) -> None:
        if outcome.failure:
            self.say(f"{outcome.phase}: {outcome.failure.line()}; {outcome.failure.hint}")
            return
        checks = read_json(outcome.results).get("checks", [])
        met = sum(1 for check in checks if check["ok"])
        self.say(f"{outcome.phase}: done in {outcome.seconds:.0f} s, {met} of {len(checks)} checks met")


class _Watcher:
    """Shows which cell runs, and what it says about its own progress."""

    every_s = 10.0

    def __init__(self, bar: "Progress[None]", say: Callable[[str], None]) -> None:
        self._bar, self._say = bar, say
        self._next = time.monotonic() + self.every_s

    def on_cell(self, number: int, code: str) -> None:
        """A cell starts: the one before it is done."""
        self._bar.update(1 if number > 1 else 0)
        self._bar.note(f"[{number}] {code.strip().splitlines()[0][:50]}")

    def on_line(self, line: str) -> None:
        """A running cell wrote a line; a long training says so how far it is."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self.every_s
            self._say(f"    {line}")


def _cells(notebook: Path) -> int:
    """How many cells will be executed, the one with the injected parameters included."""
    import nbformat

    cells = nbformat.read(notebook, as_version=4).cells
    return 1 + sum(1 for cell in cells if cell.cell_type == "code" and cell.source.strip())
