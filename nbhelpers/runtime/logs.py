"""Logging to the console and to a rotating file."""

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from nbhelpers.errors import BadInput

_MARK = "_nbhelpers_handler"


def _not_about_missing_kernels(record: logging.LogRecord) -> bool:
    return "gemm_4bit_forward from kernels-community" not in str(record.msg)


# On processors with avx512_bf16 bitsandbytes warns at import that an optional package is missing, whose
# kernels would come from the hub. Nothing is wrong, and the import happens wherever peft is used.
logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(_not_about_missing_kernels)


class _Console(logging.Handler):
    """Writes to the current standard error, above any progress bar that is on the screen."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            text = self.format(record)
            bars = sys.modules.get("tqdm")
            if bars is not None:
                bars.tqdm.write(text, file=sys.stderr)
            else:
                print(text, file=sys.stderr, flush=True)
        except Exception:
            self.handleError(record)


def setup_logging(folder: Path | None = None, level: str = "INFO") -> Path | None:
    """Log `nbhelpers.*` to standard error and, with a folder, to `folder/nbhelpers.log`; may be called again.

    The file keeps everything from DEBUG up, in at most four files of 5 MB. Other loggers are left alone.

    Args:
        folder: where the file goes; None logs to the console only.
        level: what the console shows: DEBUG, INFO, WARNING or ERROR.

    Returns:
        The log file, or None.

    Raises:
        BadInput: an unknown level.
    """
    names = logging.getLevelNamesMapping()
    if level.upper() not in names:
        raise BadInput(f"log level {level!r}: use DEBUG, INFO, WARNING or ERROR")
    logger = logging.getLogger("nbhelpers")
    for old in [handler for handler in logger.handlers if hasattr(handler, _MARK)]:
        logger.removeHandler(old)
        old.close()
    logger.setLevel(logging.DEBUG if folder else names[level.upper()])
    logger.propagate = False  # papermill and Jupyter configure the root logger; each line would come twice
    _add(logger, _Console(), names[level.upper()], "%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")
    if folder is None:
        return None
    path = Path(folder) / "nbhelpers.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    file = RotatingFileHandler(path, maxBytes=5_000_000, backupCount=3, encoding="utf-8", delay=True)
    _add(logger, file, logging.DEBUG, "%(asctime)s %(levelname)s %(name)s: %(message)s", None)
    return path


def _add(logger: logging.Logger, handler: logging.Handler, level: int, form: str, dates: str | None) -> None:
    setattr(handler, _MARK, True)
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter(form, dates))
    logger.addHandler(handler)
