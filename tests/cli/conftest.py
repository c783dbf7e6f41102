"""Call the command line as a script does."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def call() -> Callable[..., subprocess.CompletedProcess]:
    """The function `call(*arguments)`: the command in a process of its own."""

    def run(*arguments: Any) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "nbhelpers", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=ROOT, check=False)

    return run


@pytest.fixture(scope="session")
def call_json(call) -> Callable[..., tuple[int, dict, str]]:
    """The function `call_json(*arguments)`: exit code, the JSON object on standard output, standard error."""

    def run(*arguments: Any) -> tuple[int, dict, str]:
        done = call(*arguments, "--json")
        return done.returncode, json.loads(done.stdout), done.stderr

    return run
