"""Which device and which number format to compute in, each with its reason."""

import re
from dataclasses import dataclass

from nbhelpers.errors import BadInput, Unavailable
from nbhelpers.runtime.choice import Choice
from nbhelpers.runtime.hardware import GIB, gpu_status

_DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


@dataclass(frozen=True)
class CudaDevice:
    """One GPU as torch numbers and sees it."""

    index: int
    name: str
    capability: tuple[int, int]
    total_bytes: int
    has_kernels: bool


def choose_device(wanted: str = "auto") -> Choice:
    """Choose `cpu` or `cuda:N`.

    torch is imported only where NVML sees a GPU. `auto` takes the largest GPU that torch has kernels for.

    Args:
        wanted: `auto`, `cpu`, `cuda`, `cuda:N` or just `N`.

    Raises:
        BadInput: `wanted` is none of these.
        Unavailable: the wanted GPU is not there or cannot be used; says why.
    """
    name = f"cuda:{wanted}" if wanted.isdigit() else wanted
    if name == "cpu":
        return Choice("cpu", "the CPU was asked for")
    if name not in {"auto", "cuda"} and not re.fullmatch(r"cuda:\d+", name):
        raise BadInput(f"device {wanted!r}: use auto, cpu, cuda or cuda:N")
    devices, why_not = cuda_devices()
    usable = [device for device in devices if device.has_kernels]
    if name.startswith("cuda:"):
        usable = [device for device in usable if f"cuda:{device.index}" == name]
    if usable:
        best = max(usable, key=lambda device: (device.total_bytes, -device.index))
        return Choice(f"cuda:{best.index}", _reason(best, name, len(devices)))
    why_not = why_not or _unusable(devices, name)
    if name == "auto":
        return Choice("cpu", why_not)
    raise Unavailable(f"device {wanted}: {why_not}; use --device cpu, or auto to let the machine decide")


def _reason(best: CudaDevice, name: str, count: int) -> str:
    asked = "as asked" if name.startswith("cuda:") else "the largest of them" if count > 1 else "the only GPU"
    return f"{best.name} with {best.total_bytes / GIB:.1f} GiB, {asked}"


def _unusable(devices: list[CudaDevice], name: str) -> str:
    numbers = ", ".join(f"cuda:{device.index}" for device in devices if device.has_kernels)
    if numbers:
        return f"there is no {name}; there is {numbers}"
    names = ", ".join(
        f"{device.name} (capability {device.capability[0]}.{device.capability[1]})" for device in devices
    )
    return f"the installed torch has no kernels for {names}"


def cuda_devices() -> tuple[list[CudaDevice], str]:
    """The GPUs torch can see and, where there are none, why; imports torch only if NVML sees one."""
    seen, why_not = gpu_status()
    if not seen:
        return [], why_not
    import torch

    if torch.version.cuda is None:
        return [], "the installed torch is a CPU-only build; install the CUDA build of the same version"
    if not torch.cuda.is_available():
        return (
            [],
            f"the driver {seen[0].driver} is there, but torch (CUDA {torch.version.cuda}) cannot use it",
        )
    kernels = torch.cuda.get_arch_list()
    return [_cuda_device(index, kernels) for index in range(torch.cuda.device_count())], ""


def _cuda_device(index: int, kernels: list[str]) -> CudaDevice:
    import torch

    facts = torch.cuda.get_device_properties(index)
    capability = (facts.major, facts.minor)
    return CudaDevice(index, facts.name, capability, facts.total_memory, has_kernels(capability, kernels))


def has_kernels(capability: tuple[int, int], arch_list: list[str]) -> bool:
    """Whether a torch build runs on a GPU: binary code of its major version, or PTX of any older one.

    Args:
        capability: the GPU's compute capability.
        arch_list: as `torch.cuda.get_arch_list()` gives it, such as `["sm_75", "sm_90", "compute_90"]`.

    Source: CUDA C++ Programming Guide, binary and PTX compatibility.
    """
    for arch in arch_list:
        kind, _, number = arch.partition("_")
        digits = re.match(r"\d+", number)
        if digits is None:
            continue
        version = divmod(int(digits.group()), 10)
        if version <= capability and (kind == "compute" or version[0] == capability[0]):
            return True
    return False


def choose_dtype(device: str, wanted: str = "auto", capability: tuple[int, int] | None = None) -> Choice:
    """Choose `float32`, `float16` or `bfloat16` for a device.

    `torch.cuda.is_bf16_supported()` is not asked: it is true on a T4 (7.5) by emulation (pytorch#148322).

    Args:
        device: `cpu` or `cuda:N`.
        wanted: `auto`, one of the three names, or `fp32`, `fp16`, `bf16`.
        capability: compute capability of the device; None asks the device.

    Raises:
        BadInput: an unknown name, or bfloat16 on a GPU without it.
    """
    name = _DTYPES.get(wanted, wanted)
    if name not in {"auto", *_DTYPES.values()}:
        raise BadInput(f"dtype {wanted!r}: use auto, float32, float16 or bfloat16")
    if not device.startswith("cuda"):
        why = "half precision is not faster on a CPU" if name == "auto" else "it was asked for"
        return Choice("float32" if name == "auto" else name, why)
    major, minor = capability or _capability(device)
    has = f"compute capability {major}.{minor}"
    if name == "bfloat16" and major < 8:
        raise BadInput(f"dtype bfloat16: {device} has {has} and would emulate it; use float16 or float32")
    if name != "auto":
        return Choice(name, "it was asked for")
    if major >= 8:
        return Choice("bfloat16", f"{has} computes bfloat16 in hardware (8.0 and above)")
    if major >= 7:
        return Choice(
            "float16", f"{has} has float16 units and only emulates bfloat16 (8.0 and above have it)"
        )
    return Choice("float32", f"{has} is slow in float16")


def _capability(device: str) -> tuple[int, int]:
    devices, why_not = cuda_devices()
    index = int(device.partition(":")[2] or 0)
    found = next((d.capability for d in devices if d.index == index), None)
    if found is None:
        raise Unavailable(f"device {device}: {why_not or _unusable(devices, device)}")
    return found
