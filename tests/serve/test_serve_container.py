"""Dockerfile and compose.yaml, as far as they can be checked without an engine."""

import fnmatch
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nbhelpers.serve.run import _GRACE_S

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def instructions():
    """(instruction, arguments) of every stage, continued lines joined, comments left out."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in joined.splitlines() if line.strip()]


def last(name):
    return [arguments for found, arguments in instructions() if found == name][-1]


@pytest.fixture(scope="module")
def compose():
    """With `<<` and anchors resolved, as an engine reads it."""
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_hadolint_finds_nothing():
    done = subprocess.run(
        [BIN / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_find_something(tmp_path):
    file = tmp_path / "Dockerfile"
    file.write_text((ROOT / "Dockerfile").read_text().replace("13.0.1-base-ubuntu24.04", "latest"))
    done = subprocess.run([BIN / "hadolint", file], capture_output=True, text=True, check=False)
    assert "DL3007" in done.stdout


def test_compose_follows_the_published_schema(tmp_path, compose):
    check = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec"]
    assert subprocess.run([*check, ROOT / "compose.yaml"], check=False).returncode == 0
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(yaml.safe_dump({**compose, "services": {"serve": {"volume": []}}}))
    assert subprocess.run([*check, wrong], capture_output=True, check=False).returncode == 1


def test_the_base_is_cudas_and_pinned():
    import torch

    bases = [arguments.split()[0] for name, arguments in instructions() if name == "FROM"]
    assert len(set(bases)) == 1
    found = re.fullmatch(r"nvidia/cuda:(\d+\.\d+)\.\d+-base-ubuntu(\d+\.\d+)", bases[0])
    assert found is not None
    assert found[2] == "24.04"  # Python 3.12
    if torch.version.cuda is not None:
        assert found[1] == torch.version.cuda


def test_it_runs_as_nobody_special(compose):
    assert int(last("USER")) >= 1000
    names = [name for name, _ in instructions()]
    assert names.index("USER") < len(names) - 1 - names[::-1].index("ENTRYPOINT")
    for service in compose["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def health_command():
    return json.loads(last("HEALTHCHECK").partition("CMD")[2])


def test_the_health_check_asks_health(compose, server):
    """It is run against a real server, well and ill; only the port differs."""
    command = health_command()
    for service in compose["services"].values():
        assert service["healthcheck"]["test"] == ["CMD", *command]
    assert "http://127.0.0.1:8000/health" in command[-1]
    here = [sys.executable, "-c", command[-1].replace("http://127.0.0.1:8000", server.url)]
    assert subprocess.run(here, check=False).returncode == 0
    server.service.failures = 3
    try:
        assert subprocess.run(here, capture_output=True, check=False).returncode != 0
    finally:
        server.service.failures = 0
    nobody = [sys.executable, "-c", command[-1].replace(":8000", ":9")]
    assert subprocess.run(nobody, capture_output=True, check=False).returncode != 0


def test_every_option_of_the_image_exists(compose, capsys):
    from nbhelpers.cli.app import run

    run(["serve", "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    entry, default = json.loads(last("ENTRYPOINT")), json.loads(last("CMD"))
    assert entry[:2] == ["nbhelpers", "serve"]
    for words in (entry, default, compose["services"]["cpu"]["command"]):
        assert {word for word in words if word.startswith("--")} <= known
    assert entry[entry.index("--port") + 1] == last("EXPOSE")
    ports = [service["ports"] for service in compose["services"].values()]
    assert all(port == ["127.0.0.1:8000:8000"] for port in ports)


def test_one_gpu_is_reserved_where_one_is_wanted(compose):
    devices = compose["services"]["serve"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    cpu = compose["services"]["cpu"]
    assert "deploy" not in cpu
    assert cpu["profiles"] == ["cpu"]
    assert cpu["environment"]["CUDA_VISIBLE_DEVICES"] == ""


def test_what_must_last_lies_in_volumes(compose):
    declared = set(json.loads(last("VOLUME")))
    assert declared == {"/models", "/uploads"}
    assert "HF_HOME=/models" in last("ENV")
    assert json.loads(last("ENTRYPOINT"))[-1] == "/uploads"
    for service in compose["services"].values():
        mounts = dict(mount.split(":")[1::-1] for mount in service["volumes"])
        assert declared <= set(mounts)
        assert {mounts[place] for place in declared} == set(compose["volumes"])
        assert "./adapters:/adapters:ro" in service["volumes"]


def test_it_asks_for_a_token_and_a_clean_stop(compose):
    from nbhelpers.cli.serve import TOKEN

    for service in compose["services"].values():
        assert service["environment"][TOKEN].startswith("${" + TOKEN + ":?")
        assert int(service["stop_grace_period"].removesuffix("s")) > _GRACE_S
        assert service["init"] is True
    assert last("STOPSIGNAL") == "SIGTERM"


def test_what_is_copied_is_there_and_not_ignored():
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    for name, arguments in instructions():
        if name != "COPY" or arguments.startswith("--from"):
            continue
        *sources, _ = shlex.split(arguments)
        for source in sources:
            assert (ROOT / source).exists(), source
            assert any(fnmatch.fnmatch(source, pattern) for pattern in allowed), source
