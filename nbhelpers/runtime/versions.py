"""Installed and loaded library versions against the ranges this package was tested with."""

import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata

PACKAGE = "nbhelpers"
_MODULES = {"pillow": "PIL", "nvidia-ml-py": "pynvml", "faster-coco-eval": "faster_coco_eval"}


@dataclass(frozen=True)
class VersionCheck:
    """One library: what the package wants, what is on disk, what this process has loaded.

    Attributes:
        package: its name on the registry; `python` for the interpreter.
        wanted: the range, such as `>=2.14,<2.15`.
        installed: version on disk, None where it is not installed.
        loaded: version in this process, None where it is not loaded or does not say.
        ok: in range, and not loaded in another version than lies on disk.
        note: what is wrong and what to do; empty when all is well.
    """

    package: str
    wanted: str
    installed: str | None
    loaded: str | None
    ok: bool
    note: str = ""


def check_versions(extras: Sequence[str] = ("gpu", "tensorrt", "cluster")) -> list[VersionCheck]:
    """Check every requirement in the installed package's metadata, imports nothing.

    Args:
        extras: optional groups to check too; their packages are listed only where they are installed.
    """
    try:
        own = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        note = "it is not installed, so its pins are unknown; run pip install -e . in the clone"
        return [VersionCheck(PACKAGE, "", None, _loaded(PACKAGE), False, note)]
    python = str(own.metadata["Requires-Python"] or "")
    checks = [
        _verdict("python", python, platform.python_version(), None),
        _verdict(PACKAGE, "", *_both(PACKAGE)),
    ]
    for name, wanted, optional in _requirements(own.requires or [], extras):
        installed, loaded = _both(name)
        if not (optional and installed is None):
            checks.append(_verdict(name, wanted, installed, loaded))
    return checks


def _requirements(lines: Sequence[str], extras: Sequence[str]) -> Iterator[tuple[str, str, bool]]:
    """Name, range and whether it is optional, for what applies to this interpreter and system."""
    from packaging.requirements import Requirement

    for requirement in map(Requirement, lines):
        core = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if core or (
            requirement.marker and any(requirement.marker.evaluate({"extra": extra}) for extra in extras)
        ):
            yield requirement.name, _in_order(str(requirement.specifier)), not core


def _in_order(wanted: str) -> str:
    """Lower bounds first, as people write them; packaging keeps no order."""
    return ",".join(sorted(wanted.split(","), key=lambda bound: bound.startswith("<")))


def _both(name: str) -> tuple[str | None, str | None]:
    try:
        return metadata.version(name), _loaded(name)
    except metadata.PackageNotFoundError:
        return None, _loaded(name)


def _loaded(name: str) -> str | None:
    """The version a loaded module carries; read from its dictionary, so that no lazy module is woken."""
    module = sys.modules.get(_MODULES.get(name.lower(), name.replace("-", "_")))
    held = vars(module) if module is not None else {}
    version = held.get("__version__") or held.get("_objects", {}).get(
        "__version__"
    )  # transformers keeps it there
    return version if isinstance(version, str) else None


def _verdict(name: str, wanted: str, installed: str | None, loaded: str | None) -> VersionCheck:
    from packaging.specifiers import SpecifierSet

    if installed is None:
        return VersionCheck(
            name, wanted, None, loaded, False, f'not installed; run pip install "{name}{wanted}"'
        )
    if loaded is not None and _differ(installed, loaded):
        note = f"{loaded} is loaded but {installed} is on disk: restart the kernel"
        return VersionCheck(name, wanted, installed, loaded, False, note)
    if not SpecifierSet(wanted).contains(installed, prereleases=True):
        note = f'outside the tested range; run pip install "{name}{wanted}" and restart'
        return VersionCheck(name, wanted, installed, loaded, False, note)
    return VersionCheck(name, wanted, installed, loaded, True)


def _differ(installed: str, loaded: str) -> bool:
    """Compare without local parts: `2.14.1+cu130` is the release `2.14.1`."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(Version(installed).public) != Version(Version(loaded).public)
    except InvalidVersion:
        return installed != loaded
