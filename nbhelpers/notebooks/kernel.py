"""Execute one notebook with papermill in a kernel of this very interpreter, with progress and a deadline."""

import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from nbhelpers.artifacts import write_atomic
from nbhelpers.notebooks.failures import Failure, classify, dead_kernel, one_line, oom_kill_count


class ThisPython(AsyncKernelManager):
    """Starts kernels with `sys.executable`, whatever kernels are registered on the machine.

    A registered `python3` may belong to another environment, and then the notebook would silently run there.
    """

    exit_code: ClassVar[int | None] = None  # of the last kernel found dead; nbclient keeps managers to itself

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # An interrupted notebook gets this long to clean up (a checkpoint being written) before it is killed.
        self.shutdown_wait_time = 20.0

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel of this interpreter."""
        # Without the level each kernel warns at its start (loopback unencrypted) and at an interrupted end.
        command = [
            sys.executable,
            "-m",
            "ipykernel_launcher",
            "-f",
            "{connection_file}",
            "--log-level=CRITICAL",
        ]
        return KernelSpec(argv=command, display_name="Python 3", language="python")

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kwargs: Any) -> None:
        # PYDEVD_...: the debugger's note on frozen modules would stand in front of every run's log.
        environment = {"NBHELPERS_PAPERMILL": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        kwargs["env"] = {**(kwargs.get("env") or os.environ), **environment}
        await super()._async_launch_kernel(kernel_cmd, **kwargs)

    async def _async_is_alive(self) -> bool:
        alive = await super()._async_is_alive()
        if not alive and self.provisioner is not None and self.provisioner.has_process:
            ThisPython.exit_code = await self.provisioner.poll()
        return alive


@dataclass
class Execution:
    """One notebook on its way.

    Attributes:
        source: the notebook to execute; its folder becomes the working directory.
        output: where the executed notebook goes; saved after every cell.
        parameters: values injected after the cell tagged `parameters`.
        deadline: `time.monotonic()` at which the notebook is interrupted; None for no limit.
        on_cell: called with number and source when a code cell starts.
        on_line: called with what cells write to standard error, line by line: their own progress.
        cell: number in `In [n]` of the cell that runs or ran last; 0 before the first.
        code: source of that cell.
    """

    source: Path
    output: Path
    parameters: dict[str, Any]
    deadline: float | None = None
    on_cell: Callable[[int, str], None] = lambda number, code: None
    on_line: Callable[[str], None] = lambda line: None
    cell: int = 0
    code: str = ""

    def run(self) -> Failure | None:
        """Execute the notebook; the executed one is on disk afterwards, whole or up to where it stopped.

        Returns:
            What stopped it, or None when it ran to its end.

        Raises:
            KeyboardInterrupt: passed on, after the kernel was interrupted and ended.
        """
        ThisPython.exit_code, kills = None, oom_kill_count()
        try:
            self._papermill()
        except KeyboardInterrupt:
            # What nbclient still waits for will end with the kernel; asyncio would report that as errors.
            logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)
            raise
        except Exception as error:
            return self._explain(error, oom_kill_count() - kills)
        finally:
            _forget_paths(self.output)
        return None

    def seconds_left(self, cell: Any = None) -> int | None:
        """Whole seconds until the deadline, at least one; None where there is none."""
        return None if self.deadline is None else max(1, int(self.deadline - time.monotonic()))

    def _papermill(self) -> None:
        import papermill
        from papermill.iorw import papermill_io

        logging.getLogger("papermill").setLevel(logging.CRITICAL + 1)  # failures are told once, by the caller
        papermill_io.register(_Atomic.prefix, _Atomic())
        papermill.execute_notebook(
            _literal(self.source),
            _Atomic.prefix + _literal(self.output),
            self.parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            cwd=str(self.source.parent),
            start_timeout=120,
            kernel_manager_class=ThisPython,
            store_widget_state=False,
            coalesce_streams=True,
            iopub_timeout=30,
            stderr_file=_Lines(self.on_line),
            timeout_func=self.seconds_left,
            interrupt_on_timeout=True,
            error_on_timeout={"ename": "TimeoutError", "evalue": "the time given was over", "traceback": []},
            on_cell_execute=self._starts,
        )

    def _starts(self, cell: Any, cell_index: int) -> None:
        self.cell, self.code = self.cell + 1, str(cell.source)
        self.on_cell(self.cell, self.code)

    def _explain(self, error: Exception, kills: int) -> Failure:
        from nbclient.exceptions import DeadKernelError

        kind, cause = self._kind_and_cause(error, kills, isinstance(error, DeadKernelError))
        lines = [line for line in self.code.splitlines() if line.strip() and not line.startswith(("#", "%"))]
        return Failure(kind, cause, self.cell or None, lines[0] if lines else "")

    def _kind_and_cause(self, error: Exception, kills: int, dead: bool) -> tuple[str, str]:
        if self.deadline is not None and time.monotonic() >= self.deadline - 1:
            return "timeout", "the time given with --max-minutes was over"
        if dead:
            return dead_kernel(ThisPython.exit_code, kills)
        # papermill's error carries the notebook's own error; anything else went wrong around it.
        name = getattr(error, "ename", type(error).__name__)
        message = getattr(error, "evalue", str(error))
        trace = "\n".join(getattr(error, "traceback", []))
        return classify(name, message, trace), one_line(name, message)


class _Lines:
    """A file that hands on whole lines."""

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take

    def write(self, text: str) -> None:
        """Hand on the lines of a message; a progress bar's redrawn line counts once, as it ends."""
        for line in text.splitlines():
            if line.strip():
                self._take(line.rstrip())

    def flush(self) -> None:
        """Nothing is held back."""


class _Atomic:
    """A place papermill writes to: whole files only, so that a kill never leaves half a notebook."""

    prefix = "nbhelpers-atomic://"

    def write(self, text: str, path: str) -> None:
        """Write the notebook's text."""
        write_atomic(Path(path.removeprefix(self.prefix)), text)

    def pretty_path(self, path: str) -> str:
        """What papermill shows of the path."""
        return path.removeprefix(self.prefix)


def _literal(path: Path) -> str:
    """A path that papermill takes as it is: it would fill in `{...}` from the parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _forget_paths(path: Path) -> None:
    """Leave file names only in papermill's notes: an executed notebook may be shown to others."""
    import nbformat

    if not path.is_file():
        return
    notebook = nbformat.read(path, as_version=4)
    notes = notebook.metadata.get("papermill", {})
    notes.update({key: Path(notes[key]).name for key in ("input_path", "output_path") if notes.get(key)})
    write_atomic(path, nbformat.writes(notebook) + "\n")
