"""Hostile programs in the contained child: each is stopped, or named here as not covered."""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from nbhelpers.codegen.contain import Limits, isolation_here, run_contained
from nbhelpers.codegen.contain.run import Contained, workplace
from nbhelpers.errors import BadInput

LIMITS = Limits(wall_s=60, cpu_s=30, memory_mib=512, disk_mib=16)
QUIETLY = "import os\nfrom contextlib import suppress\n"  # a hostile program goes on when it is refused
SHORT = Limits(wall_s=6, cpu_s=30, memory_mib=512, disk_mib=16)


def run(code, limits=LIMITS, **more):
    with workplace() as folder:
        return run_contained([sys.executable, "-I", "-c", code], folder, limits, **more)


def needs(name):
    """A mark: what this machine does not allow is skipped, and said."""
    here = isolation_here()
    return pytest.mark.skipif(not getattr(here, name), reason=f"this machine gives a child: {here}")


def test_a_good_program_ends_well():
    found = run("print(input()[::-1])", stdin=b"abc\n")
    assert (found.ok, found.stdout, found.reason) == (True, "cba\n", "ended well")
    assert found.peak_bytes >= 0
    assert str(found.isolation)


def test_its_environment_holds_nothing_of_ours(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    found = run("import os; print(sorted(os.environ), os.getcwd() == os.environ['HOME'])")
    assert "HF_TOKEN" not in found.stdout
    assert "True" in found.stdout


def test_a_fork_bomb():
    found = run(f"{QUIETLY}while True:\n  with suppress(OSError): os.fork()", SHORT)
    assert found.ended in {"wall", "processes", "memory"}
    assert len(psutil.Process().children(recursive=True)) < 10


def test_endless_output():
    found = run("while True: print('x' * 1000)")
    assert found.ended == "output"
    assert len(found.stdout) == LIMITS.output_kib * 1024


def test_a_huge_allocation():
    found = run("x = bytearray(100 << 30)")
    assert "MemoryError" in found.reason


def test_many_processes_that_are_each_within_the_limit():
    child = "if os.fork() == 0:\n    x = bytearray(200 << 20)\n    time.sleep(99)\n"
    found = run(f"import os, time\nfor i in range(8):\n  {child}time.sleep(99)")
    assert found.ended == "memory"


def test_endless_files():
    found = run("i = 0\nwhile True:\n  open(f'{i}', 'wb').write(b'x' * (4 << 20)); i += 1")
    assert found.ended == "disk"
    assert "File too large" in run("open('big', 'wb').write(b'x' * (64 << 20))").reason


def test_sleeping_and_spinning():
    assert run("import time; time.sleep(999)", SHORT).ended == "wall"
    assert run("while True: pass", Limits(wall_s=120, cpu_s=1)).ended == "cpu"


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ("import os; os._exit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
        ("import ctypes; ctypes.string_at(0)", 139),
    ],
)
def test_how_it_ended_is_said(code, number):
    found = run(code)
    assert (found.ok, found.code) == (False, number)


@needs("processes")
def test_nothing_stays_behind():
    child = "os.setsid()\n  if os.fork() == 0:\n    time.sleep(98.7)\n  os._exit(0)"
    assert run(f"import os, time\nif os.fork() == 0:\n  {child}").ok
    end = time.monotonic() + 30
    while any("98.7" in " ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"])):
        assert time.monotonic() < end, "a daemon outlived its program"
        time.sleep(0.1)


@needs("processes")
def test_it_sees_and_kills_no_process_of_ours():
    kill = "for p in range(3, 70000):\n  with suppress(OSError): os.kill(p, 9)\n"
    found = run(f"{QUIETLY}{kill}print(os.getppid())")
    assert found.ok
    assert found.stdout.strip() == "1"


@needs("files")
def test_it_writes_nowhere_but_in_its_folder(tmp_path):
    target = tmp_path / "evil"
    tmp_path.chmod(0o777)
    code = f"open({str(target)!r}, 'w')"
    assert any(word in run(code).reason for word in ("Read-only", "Permission denied"))
    assert not target.exists()
    assert run("open('mine', 'w').write('x'); print(open('mine').read())").stdout == "x\n"


@needs("files")
def test_the_home_folder_is_hidden(monkeypatch):
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        Path(home, "token").write_text("secret")
        monkeypatch.setenv("HOME", home)
        found = run(f"import os; print(os.listdir({home!r}))")
    assert found.stdout.strip() == "[]"


@needs("network")
def test_there_is_no_network():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        found = run(f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)")
    assert "Network is unreachable" in found.reason


def test_a_program_that_runs_is_ended_with_the_block():
    with workplace() as folder:
        with Contained(
            [sys.executable, "-I", "-c", "import time; time.sleep(99)"], folder, LIMITS
        ) as program:
            assert program.running
        assert not program.running
    assert not Path(folder).exists()


ALONE = [
    *("unshare", "-r", "sh", "-c"),
    'echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --bounding-set -all --inh-caps -all "$0" "$@"',
]


def alone(code):
    """Run Python here with no right to namespaces, as many containers have it."""
    return subprocess.run([*ALONE, sys.executable, "-c", code], capture_output=True, text=True, check=False)


ALONE_CODE = """
import psutil
from nbhelpers.codegen import Limits, run_code

daemon = "if os.fork() == 0:\\n  os.setsid()\\n  if os.fork() == 0:\\n    time.sleep(87.6)\\n  os._exit(0)"
found = run_code("import os, time\\n" + daemon)
print(found.ok, found.isolation)
print(run_code("while True: pass", Limits(wall_s=3)).ended)
crowd = "import os, time\\nfor _ in range(90):\\n  if os.fork() == 0:\\n    time.sleep(99)\\ntime.sleep(99)"
print(run_code(crowd, Limits(wall_s=60)).ended)
left = [one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"])]
print([words for words in left if "-I" in words and "87.6" in words[-1]])
"""


@pytest.mark.slow
def test_where_namespaces_are_not_allowed_it_says_so_and_leaves_nothing_behind():
    if shutil.which("setpriv") is None or alone("print(1)").stdout != "1\n":
        pytest.skip("rights cannot be taken away here: unshare and setpriv are missing or not allowed")
    done = alone(ALONE_CODE)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("True limits alone; not: no network"), done
    assert lines[1:] == ["wall", "processes", "[]"], done


@pytest.mark.parametrize("name", ["wall_s", "memory_mib", "processes"])
def test_limits_are_checked(name):
    with pytest.raises(BadInput, match=f"limit {name} 0"):
        Limits(**{name: 0})
