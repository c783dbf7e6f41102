"""Health, status, metrics, documentation without a network, the token."""

import re

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from serving import LIMITS, running

from nbhelpers.runtime import gpu_status

TOKEN = "a long token, with ümlauts"


def samples(text):
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_health_says_what_there_is(server):
    got = server.client.get("/health").json()
    boards, note = gpu_status()
    assert (got["status"], got["reason"], got["model"]) == ("ok", "", "tiny/qwen2.5-vl")
    assert [one["name"] for one in got["gpus"]] == [board.name for board in boards]
    assert got["gpu_note"] == note


def test_status_counts(server, good, bad):
    before = server.client.get("/status").json()["counts"].get("/predict", {})
    server.post("/predict", good)
    server.post("/predict", ("x.mp4", bad["zero"]))
    got = server.client.get("/status").json()
    assert got["counts"]["/predict"]["200"] == before.get("200", 0) + 1
    assert got["counts"]["/predict"]["422"] == before.get("422", 0) + 1
    latency = got["latencies"]["/predict"]
    assert 0 < latency["p50_s"] <= latency["p95_s"]
    assert latency["n"] == got["counts"]["/predict"]["200"]
    assert got["model"]["rungs"][-1]["taken"] is True
    assert got["model"]["rungs"][-1]["reason"]
    assert got["limits"]["upload_mib"] == LIMITS.upload_mib
    assert got["memory"]["process_bytes"] > 100 << 20
    assert (got["present"], got["waiting"]) == (0, 0)


def test_metrics_are_prometheus_own(server, good, bad):
    before = samples(server.client.get("/metrics").text)
    server.post("/predict", good)
    server.post("/predict", ("x.mp4", bad["text"]))
    answer = server.client.get("/metrics")
    now = samples(answer.text)
    assert answer.headers["content-type"].startswith("text/plain; version=")

    def grown(*key):
        return now[key] - before.get(key, 0)

    assert grown("nbhelpers_requests_total", "/predict", "200") == 1
    assert grown("nbhelpers_requests_total", "/predict", "415") == 1
    assert grown("nbhelpers_answers_total", "parsed") == 1
    assert grown("nbhelpers_stage_seconds_count", "answer") == 1
    assert grown("nbhelpers_upload_bytes_total") == len(good[1]) + len(bad["text"])
    assert now["nbhelpers_requests_present",] == 0
    assert now["process_resident_memory_bytes",] > 100 << 20


def test_unknown_paths_do_not_make_new_series(server):
    for number in range(5):
        server.client.get(f"/nothing/{number}")
    text = server.client.get("/metrics").text
    assert "/nothing" not in text
    assert samples(text)["nbhelpers_requests_total", "404", "other"] >= 5


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_documentation_comes_from_here_alone(server, page):
    """Every address in the page is one of this server, and is there."""
    html = server.client.get(page).text
    addresses = re.findall(r"(?:src|href|url)\s*[=:]\s*[\"']([^\"']+)[\"']", html)
    assert len(addresses) >= 2
    for address in addresses:
        assert address.startswith("/"), address
        assert server.client.get(address).status_code == 200, address
    assert "//" not in re.sub(r"<!--.*?-->", "", html, flags=re.DOTALL).replace("</", "")


def test_the_schema_shows_forms_and_refusals(server):
    schema = server.client.get("/openapi.json").json()
    single, batch = schema["paths"]["/predict"]["post"], schema["paths"]["/batch_predict"]["post"]
    form = single["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["video"] == {"type": "string", "format": "binary"}
    assert {"at_s", "spacing_s", "constrained"} < set(form["properties"])
    many = batch["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]["videos"]
    assert many["type"] == "array"
    assert {"200", "401", "408", "413", "415", "422", "429", "503"} <= set(single["responses"])


@pytest.fixture(scope="module")
def guarded(predictor):
    with running(predictor, token=TOKEN) as up:
        yield up


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"],
)
def test_without_the_token_nothing_is_told(guarded, good, header):
    given = {} if header is None else {"authorization": header.encode()}
    for path in ("/status", "/metrics", "/adapters"):
        assert guarded.client.get(path, headers=given).status_code == 401
    answer = guarded.post("/predict", good, headers=given)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "Authorization" in answer.json()["reason"]


def test_with_the_token_everything_is(guarded, good):
    given = {"authorization": f"Bearer {TOKEN}".encode()}
    assert guarded.client.get("/status", headers=given).status_code == 200
    assert guarded.post("/predict", good, headers=given).status_code == 200


def test_probes_and_documentation_need_no_token(guarded):
    for path in ("/health", "/docs", "/openapi.json"):
        assert httpx.get(guarded.url + path).status_code == 200


def test_an_upload_without_the_token_is_not_read(guarded):
    """It waits for `100 Continue` and gets its refusal instead."""
    import socket

    with socket.create_connection(("127.0.0.1", int(guarded.url.rpartition(":")[2]))) as raw:
        raw.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
        )
        assert raw.recv(65536).startswith(b"HTTP/1.1 401")
