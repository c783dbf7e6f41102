"""What this machine offers TensorRT: the package, its version, a GPU."""

from importlib import import_module

from nbhelpers.runtime import Choice

SUPPORTED = (10, 11)


def tensorrt_status() -> "Choice":
    """Whether engines can be built and run here: `ready` or `missing`, and why."""
    try:
        trt = import_module("tensorrt")
    except ImportError:
        return Choice("missing", "the package tensorrt is not installed: pip install 'nbhelpers[tensorrt]'")
    version = str(getattr(trt, "__version__", "0"))
    if major_version(version) not in SUPPORTED:
        return Choice("missing", f"TensorRT {version} is installed; versions 10 and 11 are supported")
    gpu = first_gpu()
    if gpu is None:
        return Choice("missing", f"TensorRT {version} is installed, but torch finds no CUDA GPU")
    return Choice("ready", f"TensorRT {version} on {gpu[0]}, compute capability {gpu[1][0]}.{gpu[1][1]}")


def tensorrt_version() -> str | None:
    """The installed TensorRT's version, or None."""
    try:
        return str(import_module("tensorrt").__version__)
    except ImportError:
        return None


def major_version(version: str) -> int:
    """The first number of a version; 0 when it does not begin with one."""
    head = version.split(".", 1)[0]
    return int(head) if head.isdigit() else 0


def first_gpu() -> tuple[str, tuple[int, int], str | None] | None:
    """Name, compute capability and CUDA version of the first GPU torch can use, or None.

    Asked of torch because the engine runs in torch's CUDA context; it also knows a Jetson's integrated GPU.
    """
    import torch

    if not torch.cuda.is_available():
        return None
    return torch.cuda.get_device_name(0), torch.cuda.get_device_capability(0), torch.version.cuda
