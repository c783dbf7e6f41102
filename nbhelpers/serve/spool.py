"""Where uploads lie while their request is answered: a folder each, removed with it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Spool:
    """A folder for the uploads of one server, private to its user; empty whenever no request is there.

    Args:
        parent: where the folder is made; None is the system's folder for temporary files. Folders that
            killed servers left there are removed.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.glob("nbhelpers-uploads-*-*"):
            if not _runs(left.name.split("-")[2]):
                shutil.rmtree(left, ignore_errors=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f"nbhelpers-uploads-{os.getpid()}-", dir=parent))

    @contextmanager
    def request(self) -> Iterator[Path]:
        """A folder for one request, gone with all that is in it when the block is left, however it is."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    def close(self) -> None:
        """Remove the folder itself."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _runs(process_id: str) -> bool:
    import psutil

    return process_id.isdigit() and psutil.pid_exists(int(process_id))
