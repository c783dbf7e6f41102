"""Hosted inference against a local server that misbehaves: every failure has its reason, none is fatal."""

import time

import pytest
from hosted_server import hosting

from nbhelpers.codegen import token
from nbhelpers.codegen.checks import QUICK
from nbhelpers.codegen.hosted import HostedWriter
from nbhelpers.codegen.request import CodeRequest, Entity, Field
from nbhelpers.codegen.rungs import generate
from nbhelpers.codegen.writers import Left, TemplateWriter
from nbhelpers.settings import CodegenSection

REQUEST = CodeRequest("fastapi", (Entity("book", (Field("title", "str"),)),), ("get",), text="words {{ }}")


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
    with hosting() as one:
        yield one


def settings(server, **hosted):
    return CodegenSection(hosted={"model": "some/coder", "base_url": server.url, **hosted})


def test_a_good_answer(server):
    server.behaviours = ["Here it is:\n```python\nimport fastapi\nx = 'ü'\n```\nEnjoy."]
    written = HostedWriter(settings(server)).write(REQUEST, 0, "", 30)
    assert written.project.files == {"main.py": "import fastapi\nx = 'ü'\n"}
    assert written.identity.name == "some/coder"
    assert written.tokens > 0
    body, authorization = server.asked[0]
    assert authorization == "Bearer hf_of_a_test"
    assert body["model"] == "some/coder"
    assert "GET /books/{id}" in body["messages"][1]["content"]
    assert "<<<\nwords {{ }}\n>>>" in body["messages"][1]["content"]


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (401, "unauthorized"), (403, "unauthorized"), (402, "payment_required"), (429, "rate_limited"),
        (500, "server_error"), (503, "server_error"), (504, "timeout"), (404, "no_model"),
        (422, "bad_answer"), ("garbage", "bad_answer"), ("empty", "bad_answer"), ("endless", "bad_answer"),
        ("hang", "timeout"), ("drip", "timeout"), ("cut", "no_network"),
    ],
)  # fmt: skip
def test_every_failure_has_its_reason(server, behaviour, kind):
    server.behaviours = [behaviour]
    with pytest.raises(Left) as left:
        HostedWriter(settings(server)).write(REQUEST, 0, "", 20 if behaviour == "endless" else 3)
    assert left.value.kind == kind
    assert left.value.reason
    assert "hf_of_a_test" not in left.value.reason


def test_nobody_listens(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "x")
    own = CodegenSection(hosted={"model": "some/coder", "base_url": "http://127.0.0.1:9/v1"})
    with pytest.raises(Left) as left:
        HostedWriter(own).write(REQUEST, 0, "", 5)
    assert left.value.kind == "no_network"


def test_what_can_pass_is_tried_again_and_what_cannot_is_not(server):
    for behaviour, tries in ((429, 3), (500, 3), (401, 1), (402, 1)):
        server.behaviours, server.asked[:] = [behaviour], []
        found = generate(REQUEST, settings(server), [HostedWriter(settings(server))], steps=QUICK, say=list)
        assert len(server.asked) == len(found.attempts) == tries
        assert not found.ok


def test_retry_after_is_heeded_within_the_time_limit(server):
    server.behaviours, server.retry_after = [429], "3600"
    own = settings(server)
    began = time.monotonic()
    found = generate(REQUEST, own, [HostedWriter(own)], steps=QUICK, say=list)
    assert [a.kind for a in found.attempts] == ["rate_limited"]
    assert time.monotonic() - began < own.hosted.time_limit_s


def test_a_second_try_is_told_what_the_first_did_wrong(server):
    server.behaviours = ["```python\ndef f(:\n```", "```python\nx = 1\n```"]
    own = settings(server)
    found = generate(REQUEST, own, [HostedWriter(own)], steps=QUICK, say=list)
    assert [a.outcome for a in found.attempts] == ["failed", "passed"]
    assert "parses: main.py:1" in server.asked[1][0]["messages"][1]["content"]


def test_the_next_rung_takes_over(server):
    server.behaviours = [503]
    own, said = settings(server, retries=0), []
    found = generate(REQUEST, own, [HostedWriter(own), TemplateWriter()], steps=QUICK, say=said.append)
    assert [a.rung for a in found.attempts] == ["hosted", "template"]
    assert found.chosen.rung == "template"
    assert "status 503" in said[0]
    assert "status 503" in found.table()


def test_no_model_and_no_token(monkeypatch):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(token, "_login", lambda: (None, "nobody is logged in"))
    for hosted, kind in (({"model": None}, "off"), ({"model": "some/coder"}, "no_token")):
        with pytest.raises(Left) as left:
            HostedWriter(CodegenSection(hosted=hosted)).write(REQUEST, 0, "", 5)
        assert left.value.kind == kind
    assert "not on Kaggle" in left.value.reason


def test_where_a_token_is_found(monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", " hf_old ")
    assert token.find_token() == ("hf_old", token.Choice("found", "the variable HUGGING_FACE_HUB_TOKEN"))
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN")
    monkeypatch.setattr(token, "_colab", lambda: ("hf_secret", ""))
    found, where = token.find_token()
    assert (found, where.reason) == ("hf_secret", "Colab's secrets")
    assert "hf_secret" not in str(where)
