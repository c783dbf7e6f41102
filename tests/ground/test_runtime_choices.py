"""Device, number format and profile: what is chosen on which machine, and the reason given."""

import sys
import types

import pytest

from nbhelpers.errors import BadInput, Unavailable
from nbhelpers.runtime import GIB, CudaDevice, Gpu, choose_device, choose_dtype, choose_profile, precision
from nbhelpers.runtime.precision import has_kernels

KERNELS = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]  # torch 2.14 for CUDA 13, as installed


def device(index, name, capability, gib):
    return CudaDevice(index, name, capability, gib * GIB, has_kernels(capability, KERNELS))


T4 = device(0, "Tesla T4", (7, 5), 15)
P100 = device(0, "Tesla P100", (6, 0), 16)
RTX3090 = device(1, "NVIDIA GeForce RTX 3090", (8, 6), 24)


@pytest.fixture
def machine(monkeypatch):
    def build(*devices, why_not=""):
        monkeypatch.setattr(precision, "cuda_devices", lambda: (list(devices), why_not))

    return build


def test_auto_takes_the_largest_gpu(machine):
    machine(T4, RTX3090)
    choice = choose_device()
    assert choice.value == "cuda:1"
    assert choice.reason == "NVIDIA GeForce RTX 3090 with 24.0 GiB, the largest of them"


def test_of_two_alike_the_first_is_taken(machine):
    machine(T4, device(1, "Tesla T4", (7, 5), 15))
    assert choose_device().value == choose_device("cuda").value == "cuda:0"


def test_without_a_gpu_auto_is_the_cpu_with_the_reason(machine):
    machine(why_not="no NVIDIA driver is installed")
    assert choose_device() == precision.Choice("cpu", "no NVIDIA driver is installed")


def test_a_gpu_without_kernels_is_not_used(machine):
    machine(P100)
    choice = choose_device()
    assert choice.value == "cpu"
    assert "no kernels for Tesla P100 (capability 6.0)" in choice.reason


@pytest.mark.parametrize("wanted", ["1", "cuda:1"])
def test_a_gpu_asked_for_by_number(machine, wanted):
    machine(T4, RTX3090)
    assert choose_device(wanted).value == "cuda:1"


def test_a_gpu_that_is_not_there_is_said_not_replaced(machine):
    machine(T4)
    with pytest.raises(Unavailable, match=r"there is no cuda:3; there is cuda:0"):
        choose_device("cuda:3")
    machine(why_not="no NVIDIA driver is installed")
    with pytest.raises(Unavailable, match="no NVIDIA driver"):
        choose_device("0")


@pytest.mark.parametrize("wanted", ["gpu", "cuda:", "cuda:x", "", "mps", "-1", "\u00b2"])
def test_an_unknown_device_is_bad_input(machine, wanted):
    machine(T4)
    with pytest.raises(BadInput, match="use auto, cpu, cuda or cuda:N"):
        choose_device(wanted)


def test_the_cpu_can_be_asked_for_on_a_gpu_machine(machine):
    machine(T4)
    assert choose_device("cpu").value == "cpu"


@pytest.mark.parametrize(
    ("capability", "dtype"),
    [
        ((6, 0), "float32"),
        ((7, 0), "float16"),
        ((7, 5), "float16"),
        ((8, 0), "bfloat16"),
        ((12, 0), "bfloat16"),
    ],
)
def test_dtype_follows_the_capability(capability, dtype):
    choice = choose_dtype("cuda:0", capability=capability)
    assert choice.value == dtype
    assert f"{capability[0]}.{capability[1]}" in choice.reason


def test_bfloat16_is_refused_where_it_is_emulated(machine):
    machine(T4)
    with pytest.raises(BadInput, match=r"compute capability 7\.5 and would emulate it"):
        choose_dtype("cuda:0", "bf16")
    assert choose_dtype("cuda:0", "fp16").value == "float16"
    assert choose_dtype("cuda:0").value == "float16"


def test_dtype_on_the_cpu():
    assert choose_dtype("cpu").value == "float32"
    assert choose_dtype("cpu", "bfloat16").value == "bfloat16"
    with pytest.raises(BadInput, match="use auto, float32"):
        choose_dtype("cpu", "int8")


def test_dtype_of_a_device_that_is_not_there(machine):
    machine(T4)
    with pytest.raises(Unavailable, match="there is no cuda:1"):
        choose_dtype("cuda:1")


@pytest.mark.parametrize(
    ("capability", "kernels", "runs"),
    [
        ((7, 5), KERNELS, True),
        ((8, 9), KERNELS, True),  # binary code for 8.6 runs on 8.9
        ((7, 0), KERNELS, False),
        ((11, 0), KERNELS, False),  # none of its major version, no PTX
        ((11, 0), [*KERNELS, "compute_90"], True),  # PTX is compiled on the spot
        ((8, 0), ["sm_86"], False),  # newer code does not run on older hardware
        ((9, 0), ["sm_90a"], True),
        ((9, 0), [], False),
    ],
)
def test_kernels_run_within_a_major_version_or_from_ptx(capability, kernels, runs):
    assert has_kernels(capability, kernels) is runs


@pytest.mark.parametrize(
    ("boards", "profile"),
    [
        ([("Tesla T4", (7, 5), 15)], "t4"),
        ([("Tesla T4", (7, 5), 15), ("Tesla T4", (7, 5), 15)], "t4"),
        ([("NVIDIA RTX 3090", (8, 6), 24)], "rtx3090"),
        ([("NVIDIA L4", (8, 9), 22.5)], "rtx3090"),
        ([("NVIDIA H200", (9, 0), 139)], "rtx3090"),
        ([("Quadro RTX 6000", (7, 5), 24)], "t4"),  # large, but no bfloat16
        ([("Tesla P100", (6, 0), 16)], "cpu"),
        ([("Tesla P100", (6, 0), 16), ("Tesla T4", (7, 5), 15)], "t4"),
        ([("NVIDIA RTX 3050", (8, 6), 8)], "cpu"),
    ],
)
def test_profile_by_machine(boards, profile):
    found = [Gpu(i, name, cc, int(gib * GIB), 0, "580") for i, (name, cc, gib) in enumerate(boards)]
    choice = choose_profile((found, "found"))
    assert choice.value == profile
    assert any(board[0] in choice.reason for board in boards)


def test_profile_without_a_gpu_repeats_why():
    assert choose_profile(([], "no NVIDIA driver is installed")).reason == "no NVIDIA driver is installed"


BOARD = Gpu(0, "Tesla T4", (7, 5), 15 * GIB, 14 * GIB, "580.95")


def fake_torch(monkeypatch, build="13.0", available=True):
    facts = [("Tesla T4", 7, 5, 15), ("Tesla P100", 6, 0, 16)]
    cuda = types.SimpleNamespace(
        is_available=lambda: available,
        get_arch_list=lambda: KERNELS,
        device_count=lambda: len(facts),
        get_device_properties=lambda index: types.SimpleNamespace(
            name=facts[index][0],
            major=facts[index][1],
            minor=facts[index][2],
            total_memory=facts[index][3] * GIB,
        ),
    )
    torch = types.SimpleNamespace(cuda=cuda, version=types.SimpleNamespace(cuda=build))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(precision, "gpu_status", lambda: ([BOARD], "1 NVIDIA GPU(s) found"))


def test_what_torch_sees_decides_where_there_is_a_board(monkeypatch):
    fake_torch(monkeypatch)
    devices, why_not = precision.cuda_devices()
    assert why_not == ""
    assert [(device.index, device.name, device.has_kernels) for device in devices] == [
        (0, "Tesla T4", True),
        (1, "Tesla P100", False),
    ]
    assert choose_device().value == "cuda:0", "the larger P100 has no kernels"
    assert choose_dtype("cuda:0").value == "float16"
    with pytest.raises(Unavailable, match="there is no cuda:1; there is cuda:0"):
        choose_device("cuda:1")


def test_a_cpu_build_of_torch_on_a_gpu_machine(monkeypatch):
    fake_torch(monkeypatch, build=None)
    assert "CPU-only build" in choose_device().reason


def test_a_driver_too_old_for_torch(monkeypatch):
    fake_torch(monkeypatch, available=False)
    choice = choose_device()
    assert choice.value == "cpu"
    assert choice.reason == "the driver 580.95 is there, but torch (CUDA 13.0) cannot use it"


def test_the_environment_may_name_the_profile(monkeypatch):
    monkeypatch.setenv("NBHELPERS_PROFILE", "t4")
    choice = choose_profile(([], "no GPU"))
    assert choice.value == "t4"
    assert "NBHELPERS_PROFILE" in choice.reason
