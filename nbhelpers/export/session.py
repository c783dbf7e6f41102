"""ONNX Runtime sessions as this package opens them: named threads, quiet log, no spinning after a call."""

from pathlib import Path
from typing import TYPE_CHECKING

from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    import onnxruntime

_ERRORS_ONLY = 3


def open_session(
    path: Path, providers: list[str], threads: int | None = None
) -> "onnxruntime.InferenceSession":
    """Open a model for inference.

    Args:
        path: an ONNX file.
        providers: execution providers in order of preference.
        threads: threads inside one operator; None leaves it to ONNX Runtime (one per physical core).

    Raises:
        BadInput: no such file, or ONNX Runtime cannot read it; the message holds its reason.
    """
    import onnxruntime as ort

    if not Path(path).is_file():
        raise BadInput(f"{path}: there is no such file; export the student first")
    options = ort.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.inter_op_num_threads = 1
    if threads is not None:
        options.intra_op_num_threads = threads
    # Idle worker threads otherwise spin on after a call and slow down whatever runs next in this process.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime raises its own types, all of them below Exception
        reason = str(error).splitlines()[0]
        raise BadInput(f"{path}: ONNX Runtime cannot open it ({reason})") from None


def cpu_session(path: Path, threads: int | None = None) -> "onnxruntime.InferenceSession":
    """Open a model on the CPU."""
    return open_session(path, ["CPUExecutionProvider"], threads)
