"""`nbhelpers serve` in a process of its own: starts, answers, stops."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from serving import until

ROOT = Path(__file__).resolve().parents[2]


class Command:
    """A server that runs, what it said, and where it is."""

    def __init__(self, *options, **environment):
        command = [sys.executable, "-m", "nbhelpers", "serve", "--model", "tiny/qwen2.5-vl", "--port", "0"]
        self.process = subprocess.Popen(
            [*command, *map(str, options), "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", **environment},
        )  # fmt: skip
        self.lines = []
        self._reader = threading.Thread(target=lambda: self.lines.extend(self._read()), daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)
        return []

    @property
    def url(self):
        """Where it is, once it says so."""
        said = [line for line in self.lines if " at http" in line]
        return said[0].split(" at ")[1].split("/docs")[0] if said else ""

    def ready(self):
        until(lambda: bool(self.url) or self.process.poll() is not None, 600)
        assert self.url, "".join(self.lines)
        return self

    def stop(self, number=signal.SIGTERM):
        """Exit code and the JSON it printed."""
        self.process.send_signal(number)
        out = self.process.stdout.read()
        return self.process.wait(60), json.loads(out)


@contextmanager
def serving(*options, **environment):
    command = Command(*options, **environment)
    try:
        yield command.ready()
    finally:
        command.process.kill()
        command.process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(tmp_path, good, number):
    with serving("--spool", tmp_path) as command:
        sent = {"video": (good[0], good[1], "video/mp4")}
        assert httpx.post(f"{command.url}/predict", files=sent, timeout=120).status_code == 200
        assert list(tmp_path.iterdir()) != []
        with ThreadPoolExecutor(4) as clients:
            asked = [
                clients.submit(httpx.post, f"{command.url}/predict", files=sent, timeout=120)
                for _ in range(4)
            ]
            until(lambda: httpx.get(f"{command.url}/status").json()["present"] >= 3)
            code, printed = command.stop(number)
            answers = [one.result() for one in asked]
        assert code == 0, "".join(command.lines)
        assert {one.status_code for one in answers} <= {200, 503}
        assert 200 in {one.status_code for one in answers}
        assert printed["requests"]["/predict"] == 5
        assert list(tmp_path.iterdir()) == []
        assert "Traceback" not in "".join(command.lines)


@pytest.mark.slow
def test_a_token_comes_from_a_file(tmp_path):
    file = tmp_path / "token"
    file.write_text("of a file\n")
    with serving("--token-file", file, NBHELPERS_SERVE_TOKEN="of the environment") as command:
        assert httpx.get(f"{command.url}/status").status_code == 401
        for token, status in (("of a file", 200), ("of the environment", 401)):
            header = {"authorization": f"Bearer {token}"}
            assert httpx.get(f"{command.url}/status", headers=header).status_code == status
        assert "asks for a token" in "".join(command.lines)


@pytest.mark.slow
def test_it_writes_code_too(tmp_path, good):
    from nbhelpers.serve.generation.users import make_token

    secret = "a secret of the tests, which is long enough to sign with"
    with serving("--code", tmp_path / "kept", "--profile", "cpu", NBHELPERS_JWT_SECRET=secret) as command:
        header = {"authorization": f"Bearer {make_token('anna', secret)}"}
        asked = {"text": "a service for books with title (text)", "order": "safe", "checks": "quick"}
        sent = httpx.post(f"{command.url}/generate/flask", json=asked, headers=header, timeout=120)
        assert sent.json()["passed"]
        assert len(httpx.get(f"{command.url}/generations", headers=header).json()) == 1
        assert "page.js" in httpx.get(f"{command.url}/").text
        video = {"video": (good[0], good[1], "video/mp4")}
        assert httpx.post(f"{command.url}/predict", files=video, timeout=120).status_code == 200
        code, printed = command.stop()
        assert (code, printed["requests"]["/generate/{framework}"]) == (0, 1)
    assert (tmp_path / "kept" / "history.sqlite3").is_file()


def test_without_a_secret_no_code_is_served(capsys, monkeypatch, tmp_path):
    from nbhelpers.cli.app import run

    monkeypatch.delenv("NBHELPERS_JWT_SECRET", raising=False)
    answer = run(["serve", "--model", "tiny/qwen2.5-vl", "--code", str(tmp_path)])
    assert answer.exit_code == 2
    assert "NBHELPERS_JWT_SECRET" in answer.error


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--token-file", "/nowhere"], "--token-file /nowhere"),
        (["--adapters", "/nowhere"], "--adapters /nowhere"),
        (["--adapter", "/nowhere"], "/nowhere"),
        (["--model", "tiny/nothing"], "tiny/nothing"),
        (["--places", "0"], "--places"),
    ],
)
def test_bad_options_are_said_at_once(options, said, capsys, monkeypatch):
    from nbhelpers.cli.app import run

    monkeypatch.delenv("NBHELPERS_SERVE_TOKEN", raising=False)
    answer = run(["serve", "--model", "tiny/qwen2.5-vl", *options])
    assert answer.exit_code != 0
    assert said in answer.error


def test_an_empty_token_is_no_token(monkeypatch):
    from nbhelpers.cli.app import run

    monkeypatch.setenv("NBHELPERS_SERVE_TOKEN", "  ")
    answer = run(["serve", "--model", "tiny/qwen2.5-vl"])
    assert answer.exit_code == 2
    assert "NBHELPERS_SERVE_TOKEN: holds no token" in answer.error


def test_a_taken_port_is_said(predictor):
    from nbhelpers.errors import BadInput
    from nbhelpers.serve import create_app, run_server

    app = create_app(predictor)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(BadInput, match="in use"):
        run_server(app, port=taken.getsockname()[1])
    app.state.service.close()
