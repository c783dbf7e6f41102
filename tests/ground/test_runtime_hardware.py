"""GPUs through NVML, RAM and control groups, on made-up machines."""

import sys
import types

import psutil
import pytest

from nbhelpers.errors import Unavailable
from nbhelpers.runtime import GIB, Gpu, gpu_of, gpu_status, gpus, hardware, ram
from nbhelpers.runtime.cgroup import CgroupLimit, memory_limit


class NVMLError(Exception):
    pass


class LibraryNotFound(NVMLError):
    pass


class NotSupported(NVMLError):
    pass


class FakeNvml(types.ModuleType):
    """The part of NVML we call, answering for boards given as (name, capability, total GiB, free GiB)."""

    NVMLError, NVMLError_LibraryNotFound, NVMLError_NotSupported = NVMLError, LibraryNotFound, NotSupported

    def __init__(self, boards=(), start=None):
        super().__init__("pynvml")
        self.boards, self.start, self.open = boards, start, 0

    def nvmlInit(self):  # noqa: N802
        if self.start:
            raise self.start
        self.open += 1

    def nvmlShutdown(self):  # noqa: N802
        self.open -= 1

    def nvmlSystemGetDriverVersion(self):  # noqa: N802
        return "580.95.05"

    def nvmlDeviceGetCount(self):  # noqa: N802
        return len(self.boards)

    def nvmlDeviceGetHandleByIndex(self, index):  # noqa: N802
        return index

    def nvmlDeviceGetMemoryInfo(self, handle):  # noqa: N802
        _, _, total, free = self.boards[handle]
        if total is None:
            raise NotSupported("Not Supported")
        return types.SimpleNamespace(total=total * GIB, free=free * GIB)

    def nvmlDeviceGetCudaComputeCapability(self, handle):  # noqa: N802
        return list(self.boards[handle][1])

    def nvmlDeviceGetName(self, handle):  # noqa: N802
        return self.boards[handle][0]

    def nvmlDeviceGetUUID(self, handle):  # noqa: N802
        return f"GPU-{handle}abc"


T4, A10 = ("Tesla T4", (7, 5), 15, 14), ("NVIDIA A10", (8, 6), 22, 20)


@pytest.fixture
def machine(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delitem(sys.modules, "torch", raising=False)

    def build(*boards, start=None):
        nvml = FakeNvml(boards, start)
        monkeypatch.setitem(sys.modules, "pynvml", nvml)
        return nvml

    return build


def test_boards_are_read_and_nvml_is_closed_again(machine):
    nvml = machine(T4, A10)
    found, reason = gpu_status()
    assert found[0] == Gpu(0, "Tesla T4", (7, 5), 15 * GIB, 14 * GIB, "580.95.05", "GPU-0abc")
    assert [gpu.index for gpu in found] == [0, 1]
    assert reason == "2 NVIDIA GPU(s) found"
    assert nvml.open == 0
    assert str(found[0]) == "Tesla T4 (capability 7.5, 15.0 GiB, 14.0 GiB free, driver 580.95.05)"


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (LibraryNotFound(), "no NVIDIA driver is installed"),
        (NVMLError("Driver/library mismatch"), "mismatch"),
    ],
)
def test_a_missing_or_broken_driver_is_a_reason_not_a_crash(machine, start, said):
    machine(start=start)
    found, reason = gpu_status()
    assert found == gpus() == []
    assert said in reason


def test_no_nvml_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpu_status() == ([], "the package nvidia-ml-py is not installed, so no GPU can be seen")


def test_a_board_that_fails_while_being_read(machine):
    nvml = machine(T4)
    nvml.nvmlDeviceGetName = lambda handle: (_ for _ in ()).throw(NVMLError("GPU is lost"))
    assert gpu_status() == ([], "the NVIDIA driver answers with an error (GPU is lost)")
    assert nvml.open == 0


def test_boards_that_share_the_machines_memory(machine):
    machine(("NVIDIA GB10", (12, 1), None, None))
    assert gpus()[0].total_bytes == ram().total_bytes


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("1", ["NVIDIA A10"]),
        ("1,0", ["NVIDIA A10", "Tesla T4"]),
        ("GPU-1", ["NVIDIA A10"]),
        ("", []),
        ("-1", []),
        ("0,-1,1", ["Tesla T4"]),
        ("0, 7", ["Tesla T4"]),
    ],
)
def test_visible_devices_are_honoured_and_renumbered(machine, monkeypatch, visible, names):
    machine(T4, A10)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found, reason = gpu_status()
    assert [gpu.name for gpu in found] == names
    assert [gpu.index for gpu in found] == list(range(len(names)))
    assert f"shows {len(names)} of 2" in reason


def test_gpu_of_matches_torchs_numbering_by_identifier(machine, monkeypatch):
    machine(T4, A10)
    assert gpu_of("cuda").name == "Tesla T4"
    assert gpu_of("cuda:1").name == "NVIDIA A10"
    fastest_first = {0: "1abc", 1: "0abc"}
    cuda = types.SimpleNamespace(
        get_device_properties=lambda index: types.SimpleNamespace(uuid=fastest_first[index])
    )
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    assert gpu_of("cuda:0").name == "NVIDIA A10"
    assert gpu_of("cuda:1").name == "Tesla T4"
    with pytest.raises(Unavailable, match="cuda:2: 2 NVIDIA"):
        gpu_of("cuda:2")


def tree(root, membership, **files):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(membership)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_version_2_takes_the_tightest_parent_and_counts_droppable_cache_as_left(tmp_path):
    tree(
        tmp_path,
        "0::/job/step\n",
        job__memory_DOT_max=f"{8 * GIB}\n",
        job__memory_DOT_current=f"{6 * GIB}\n",
        job__memory_DOT_stat=f"anon 5\ninactive_file {2 * GIB}\nactive_file 7\n",
        job__step__memory_DOT_max="max\n",
        job__step__memory_DOT_current="123\n",
    )
    assert memory_limit(tmp_path) == CgroupLimit(8 * GIB, 4 * GIB, 2)


def test_a_wider_parent_can_have_less_left(tmp_path):
    tree(
        tmp_path,
        "0::/job/step\n",
        job__memory_DOT_max=str(16 * GIB),
        job__memory_DOT_current=str(15 * GIB),
        job__step__memory_DOT_max=str(8 * GIB),
        job__step__memory_DOT_current=str(1 * GIB),
    )
    assert memory_limit(tmp_path) == CgroupLimit(8 * GIB, 1 * GIB, 2)


def test_version_1_inside_a_container_where_the_hosts_path_is_missing(tmp_path):
    tree(
        tmp_path,
        "12:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n",
        memory__memory_DOT_limit_in_bytes=str(4 * GIB),
        memory__memory_DOT_usage_in_bytes=str(3 * GIB),
        memory__memory_DOT_stat=f"inactive_file 1\ntotal_inactive_file {GIB}\n",
    )
    assert memory_limit(tmp_path) == CgroupLimit(4 * GIB, 2 * GIB, 1)


def test_version_1_without_a_limit_says_so_with_a_huge_number(tmp_path):
    tree(tmp_path, "4:memory:/\n", memory__memory_DOT_limit_in_bytes="9223372036854771712\n")
    assert memory_limit(tmp_path) is None


def test_a_container_with_its_own_view_sees_the_limit_at_the_mount_point(tmp_path):
    tree(tmp_path, "0::/\n", memory_DOT_max=str(GIB), memory_DOT_current="0")
    assert memory_limit(tmp_path) == CgroupLimit(GIB, GIB, 2)


def test_use_beyond_the_limit_leaves_nothing_rather_than_less(tmp_path):
    tree(tmp_path, "0::/\n", memory_DOT_max=str(GIB), memory_DOT_current=str(2 * GIB))
    assert memory_limit(tmp_path) == CgroupLimit(GIB, 0, 2)


def test_no_control_groups_at_all(tmp_path):
    assert memory_limit(tmp_path) is None


def test_ram_is_the_machines_where_nothing_is_tighter(monkeypatch):
    monkeypatch.setattr(hardware, "memory_limit", lambda: CgroupLimit(1 << 59, 1 << 59, 2))
    assert ram().total_bytes == psutil.virtual_memory().total
    assert "no tighter limit" in ram().reason


def test_ram_is_bounded_by_the_control_group(monkeypatch):
    monkeypatch.setattr(hardware, "memory_limit", lambda: CgroupLimit(GIB, GIB // 4, 1))
    found = ram()
    assert (found.total_bytes, found.available_bytes) == (GIB, GIB // 4)
    assert "control group (version 1) limits this process to 1.0 GiB" in found.reason
