"""Run notebooks one after the other into a run folder: skip what is done, stop at a failure, resume there."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from nbhelpers.artifacts import run_folder
from nbhelpers.errors import BadInput
from nbhelpers.notebooks.phase import Outcome, PhaseRunner
from nbhelpers.notebooks.places import find_notebooks, runs_root
from nbhelpers.notebooks.plan import Step, choose, make_steps
from nbhelpers.notebooks.state import LOCK


@dataclass
class RunOutcome:
    """What became of the whole call."""

    run_id: str
    folder: Path
    index: Path
    phases: list[Outcome] = field(default_factory=list)

    @property
    def failed(self) -> Outcome | None:
        """The phase that failed, if one did."""
        return next((phase for phase in self.phases if phase.failure), None)


def say_on_stderr(text: str) -> None:
    """The default way to tell people what happens: a line above the progress bar, if there is one."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)
    sys.stderr.flush()


def run_notebooks(
    which: Sequence[str] = (),
    *,
    profile: str = "auto",
    run_id: str = "default",
    parameters: Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
    runs: str | Path | None = None,
    notebooks: str | Path | None = None,
    force: bool = False,
    max_minutes: float | None = None,
    say: Callable[[str], None] = say_on_stderr,
) -> RunOutcome:
    """Run notebooks into `runs/<run_id>/`; stop at the first that fails; write the report page in any case.

    Args:
        which: numbers or phases; nothing or "all" for every notebook there is.
        profile: name of a settings profile, a YAML file, or "auto".
        run_id: name of the run. Called again with the same one, phases already done are skipped.
        parameters: values for the notebooks' parameters, such as `data`, the path of a COCO file.
        overrides: settings to change, such as "distill.epochs=3".
        runs: folder of all runs, see `runs_root`.
        notebooks: folder of the notebooks, see `find_notebooks`.
        force: run phases again that are done.
        max_minutes: interrupt the notebook that runs when this time is over.
        say: called with lines for people.

    Raises:
        BadInput: an unknown notebook, parameter, setting or file, or another call works on this run.
        KeyboardInterrupt: the call was interrupted or terminated; the run can be resumed.
    """
    from nbhelpers.settings import load_settings

    deadline = time.monotonic() + 60 * max_minutes if max_minutes is not None else None
    given = _absolute(parameters or {})
    settings = load_settings(profile, overrides)
    steps = make_steps(choose(which, find_notebooks(notebooks)), given, bool(overrides))
    root = runs_root(runs)
    run_folder(root, run_id, steps[0].phase)
    say(f"run {run_id}, profile {settings.profile} ({settings.reason})")
    runner = PhaseRunner(root, run_id, tuple(overrides), settings, force, deadline, say)
    with _locked(root / run_id), _terminate_as_interrupt():
        return _all(runner, steps)


def _all(runner: PhaseRunner, steps: Sequence[Step]) -> RunOutcome:
    from nbhelpers.notebooks.report import write_report

    folder = runner.root / runner.run_id
    run = RunOutcome(runner.run_id, folder, folder / "index.html")
    try:
        for number, step in enumerate(steps, 1):
            if run.failed:
                run.phases.append(runner.outcome(step, "waiting", "an earlier phase failed"))
            elif runner.late:
                run.phases.append(runner.outcome(step, "waiting", "the time of --max-minutes was over"))
            else:
                run.phases.append(runner.run(step, f"{number}/{len(steps)}"))
    finally:
        write_report(folder)
    return run


# The notebooks' parameters that name files and folders.
_PATHS: dict[str, tuple[str, Callable[[Path], bool]]] = {
    **dict.fromkeys(("data", "student"), ("file", Path.is_file)),
    **dict.fromkeys(("images", "prepared", "teachers"), ("folder", Path.is_dir)),
}


def _absolute(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Paths in parameters become absolute: a notebook runs in its own folder, not in the caller's."""
    given = dict(parameters)
    for name, (word, there) in _PATHS.items():
        if given.get(name):
            path = Path(given[name]).expanduser().absolute()
            if not there(path):
                raise BadInput(f"{name} {given[name]}: there is no such {word}")
            given[name] = str(path)
    return given


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep a second call away from the run, also across processes; a killed call leaves no lock behind."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        message = f"run {folder.name}: another call works on it; wait, or use another --run-id"
        raise BadInput(message) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end the run as Ctrl-C does, so that the kernel is ended and the state written."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
