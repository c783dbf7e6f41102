"""Bring a hosted notebook's kernel up to our pins without touching what it has already loaded from the image.

The bootstrap cell of every notebook installs this package alone (`--no-deps`) and then calls
`install_missing()`. torch, torchvision and numpy stay whatever the image has: replacing them under a live
kernel breaks it (unslothai/notebooks#337, googlecolab/colabtools#5238).
"""

import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement

KEPT = ("torch", "torchvision", "numpy")
"""Never installed, upgraded or downgraded from inside a notebook."""


@dataclass(frozen=True)
class InstallPlan:
    """What to install, what must not move meanwhile, and what is out of range but left alone."""

    packages: list[str]
    constraints: list[str]
    left_alone: list[str]


def installed_version(name: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def plan_install(
    requirements: Iterable[str], version_of: Callable[[str], str | None] = installed_version
) -> InstallPlan:
    """Decide which of `requirements` are missing or out of range here.

    Args:
        requirements: requirement strings, as in the package's metadata; those with an extra are passed over.
        version_of: gives the installed version of a distribution, or None.
    """
    packages: list[str] = []
    left_alone: list[str] = []
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        version = version_of(requirement.name)
        if version is not None and requirement.specifier.contains(version, prereleases=True):
            continue
        wanted = f"{requirement.name}{requirement.specifier}"
        if requirement.name in KEPT:
            left_alone.append(f"{wanted} (here: {version or 'not installed'})")
        else:
            packages.append(wanted)
    constraints = [f"{name}=={version}" for name in KEPT if (version := version_of(name))]
    return InstallPlan(packages, constraints, left_alone)


def install_missing() -> InstallPlan:
    """Install what the core requirements lack here, with torch, torchvision and numpy held where they are.

    Raises:
        subprocess.CalledProcessError: pip could not install the packages; its own message is shown above.
    """
    plan = plan_install(metadata.requires("nbhelpers") or [])
    if plan.packages:
        print(f"installing {len(plan.packages)} packages: {', '.join(plan.packages)}")
        # pip reads constraints from a file only; standard input stands for one on the systems we run on.
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", "/dev/stdin"]
        subprocess.run([*command, *plan.packages], input="\n".join(plan.constraints), text=True, check=True)
    for line in plan.left_alone:
        print(f"left as it is, restart with a newer image if something fails: {line}")
    return plan


if __name__ == "__main__":
    install_missing()
