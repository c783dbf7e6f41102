"""The first process of a contained program: takes rights away, then becomes the program.

Run as `python -I jail.py SPEC`; it stands alone, with nothing but the standard library. SPEC is JSON:
`argv`, `folder`, `writable`; `home` and what of it is `kept`; `uid` to change to (or null) and whether
Python is `reachable` for it; `memory`, `cpu`, `processes`, `file`; and `report`, the number of an open file
to which it writes what isolation it got, as JSON, before any foreign code runs.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time

_NEWNS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_APART = _NEWNS | _NEWPID | _NEWNET | _NEWIPC
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
_MOUNT_FLAGS = {
    "nosuid": 2,
    "nodev": 4,
    "noexec": 8,
    "noatime": 1024,
    "nodiratime": 2048,
    "relatime": 1 << 21,
}
_NO_NEW_PRIVS, _DEATH_SIGNAL, _SUBREAPER = 38, 1, 36
_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *args: object) -> None:
    """A function of the C library that returns 0 when it worked."""
    if getattr(_libc, name)(*args):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _drop_user(spec: dict) -> None:
    """Become a user who owns nothing; only root can, and only root needs to."""
    os.setgroups([])
    os.setresgid(spec["uid"], spec["uid"], spec["uid"])
    os.setresuid(spec["uid"], spec["uid"], spec["uid"])


def _unshare(found: dict[str, object]) -> None:
    """Leave the machine's namespaces; root needs no namespace of users, and can change user later."""
    ways = [_APART, _APART | _NEWUSER] if os.geteuid() == 0 else [_APART | _NEWUSER]
    uid, gid = os.geteuid(), os.getegid()
    for flags in ways:
        try:
            _call("unshare", flags)
        except (OSError, AttributeError) as error:
            found["note"] = f"no namespaces: {error}"
            continue
        if flags & _NEWUSER:
            found["mapped"] = True
            for name, text in (
                ("setgroups", "deny"),
                ("uid_map", f"{uid} {uid} 1"),
                ("gid_map", f"{gid} {gid} 1"),
            ):
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
        found.update(network=True, processes=True, note="")
        return


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    names = [None if one is None else one.encode() for one in (source, target, kind)]
    _call("mount", *names, ctypes.c_ulong(flags), None if data is None else data.encode())


def _seal_files(spec: dict, found: dict[str, object]) -> None:
    """Everything read-only but the program's own folder, the home folder empty but for what Python needs."""
    try:
        _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
        for path in spec["writable"]:
            _mount(path, path, None, _MS_BIND)
        if spec["home"]:
            _cover(spec["home"], [*spec["kept"], *spec["writable"]])
        own = set(spec["writable"])
        for point, options in _mounts():
            if point not in own:
                flags = sum(_MOUNT_FLAGS.get(word, 0) for word in options)
                _mount(None, point, None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | flags)
        found["files"] = True
    except OSError as error:
        found["note"] = f"files are not sealed: {error}"
    try:
        _mount("proc", "/proc", "proc", 14)
    except OSError as error:  # some containers cover parts of /proc, and the kernel then refuses a fresh one
        found["proc"] = str(error)


def _cover(home: str, kept: list[str]) -> None:
    """An empty folder over the home folder, in which only `kept` can be seen."""
    inside = [path for path in kept if path.startswith(home + "/")]
    handles = {path: os.open(path, os.O_PATH) for path in inside}
    _mount("none", home, "tmpfs", 6, "size=64k,mode=755")
    for path, handle in sorted(handles.items()):
        os.makedirs(path, mode=0o755, exist_ok=True)
        _mount(f"/proc/self/fd/{handle}", path, None, _MS_BIND)
        os.close(handle)


def _mounts() -> list[tuple[str, list[str]]]:
    """Mount points of this namespace and their options, deepest last."""
    with open("/proc/self/mountinfo") as file:
        rows = [line.split() for line in file]
    return [(row[4].encode().decode("unicode_escape"), row[5].split(",")) for row in rows]


def _limit(spec: dict) -> None:
    """What the system counts for each process."""
    cpu = int(spec["cpu"]) + 1
    wanted = {"AS": (spec["memory"],) * 2, "CPU": (cpu, cpu + 2), "FSIZE": (spec["file"],) * 2}
    wanted |= {"NPROC": (spec["processes"],) * 2, "NOFILE": (256, 256), "CORE": (0, 0)}
    for name, pair in wanted.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is None or (name == "AS" and sys.platform == "darwin"):
            continue
        most = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, tuple(v if most < 0 else min(v, most) for v in pair))


def _become(spec: dict, found: dict[str, object]) -> None:
    """Run the program in this process."""
    if found["user"]:
        _drop_user(spec)
    os.chdir(spec["folder"])
    os.umask(0o077)
    if sys.platform == "linux":
        _libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    _limit(spec)
    os.execv(spec["argv"][0], spec["argv"])


def _first(spec: dict, found: dict[str, object]) -> int:
    """The first process of the new namespaces: seals files, starts the program, ends when it ends.

    When it ends, the kernel kills whatever the program left running.
    """
    if found["processes"]:
        _libc.prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        _seal_files(spec, found)
    reachable = spec["reachable"] or (found["files"] and spec["reachable_covered"])
    found["user"] = spec["uid"] is not None and not found.get("mapped") and bool(reachable)
    os.write(spec["report"], json.dumps(found).encode())
    os.close(spec["report"])
    child = os.fork()
    if child == 0:
        try:
            _become(spec, found)
        finally:
            os._exit(127)
    return _wait_for(child)


def _wait_for(child: int) -> int:
    """The exit code of a child, as a shell has it; orphans are waited for too."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


def _end_the_rest() -> None:
    """Kill what the program left running; where there are no namespaces, nobody else does."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            for left in _children():
                os.kill(left, signal.SIGKILL)
            time.sleep(0.01)


def _children() -> list[int]:
    """Numbers of this process's children, orphans of the program among them."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[1]) == os.getpid() and fields[0] != "Z":
            found.append(int(name))
    return found


def main() -> int:
    """Start the chain; the exit code is the program's."""
    spec = json.loads(sys.argv[1])
    found: dict[str, object] = {"network": False, "processes": False, "files": False, "note": ""}
    if sys.platform != "linux":
        found["note"] = f"no namespaces on {sys.platform}"
        return _first(spec, found)
    _libc.prctl(_SUBREAPER, 1, 0, 0, 0)  # what the program leaves behind stays a descendant, and can be found
    _unshare(found)
    if not found["processes"]:
        code = _first(spec, found)
        _end_the_rest()
        return code
    child = os.fork()
    if child == 0:
        os._exit(_first(spec, found))
    os.close(spec["report"])
    return _wait_for(child)


if __name__ == "__main__":
    sys.exit(main())
