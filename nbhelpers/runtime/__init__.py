"""The machine under us: where we run, what it has, which device and profile suit it, seeds, logs, progress.

Functions that decide return the value together with the reason. Importing this package loads nothing heavy.
"""

from nbhelpers.runtime.banner import banner
from nbhelpers.runtime.choice import Choice
from nbhelpers.runtime.doctor import Doctor, Row, doctor
from nbhelpers.runtime.hardware import GIB, Gpu, Ram, gpu_of, gpu_status, gpus, ram
from nbhelpers.runtime.logs import setup_logging
from nbhelpers.runtime.place import Disk, Place, disk, headless, use_model_cache, where
from nbhelpers.runtime.precision import CudaDevice, choose_device, choose_dtype, cuda_devices
from nbhelpers.runtime.profile import choose_profile
from nbhelpers.runtime.progress import Progress, clock_text, progress
from nbhelpers.runtime.seeds import seed_everything
from nbhelpers.runtime.tables import size_text, text_table
from nbhelpers.runtime.versions import VersionCheck, check_versions

__all__ = [
    "GIB",
    "Choice",
    "CudaDevice",
    "Disk",
    "Doctor",
    "Gpu",
    "Place",
    "Progress",
    "Ram",
    "Row",
    "VersionCheck",
    "banner",
    "check_versions",
    "choose_device",
    "choose_dtype",
    "choose_profile",
    "clock_text",
    "cuda_devices",
    "disk",
    "doctor",
    "gpu_of",
    "gpu_status",
    "gpus",
    "headless",
    "progress",
    "ram",
    "seed_everything",
    "setup_logging",
    "size_text",
    "text_table",
    "use_model_cache",
    "where",
]
