"""What is not answered has a status and one sentence; nothing stays on disk, nothing of ours is told."""

import httpx
import pytest
from serving import LIMITS

CASES = [
    ("zero", 422, "empty"),
    ("text", 415, "video container"),
    ("playlist", 415, "video container"),
    ("truncated", 422, ""),
    ("audio", 422, "no video stream"),
    ("long", 422, "may last 40 s"),
    ("short", 422, "two frames"),
    ("wide", 422, "megapixels"),
    ("large", 413, "1 MiB"),
]


def check(server, answer, status, said):
    body = answer.json()
    assert (answer.status_code, body["status"]) == (status, status), body
    assert said in body["reason"], body["reason"]
    assert "\n" not in body["reason"]
    assert str(server.service.spool.folder) not in answer.text
    assert server.left() == []


@pytest.mark.parametrize(("kind", "status", "said"), CASES)
def test_bad_files(server, bad, kind, status, said):
    answer = server.post("/predict", (f"{kind}.mp4", bad[kind]))
    check(server, answer, status, said)
    if kind not in {"large"}:
        assert f"{kind}.mp4" in answer.json()["reason"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"at_s": "-1"}, "at_s"),
        ({"at_s": "nan"}, "at_s"),
        ({"at_s": "99"}, "after the end"),
        ({"spacing_s": "0.3"}, "spacing_s"),
        ({"constrained": "perhaps"}, "constrained"),
        ({"start": "3"}, "start"),
    ],
)
def test_bad_fields(server, good, fields, said):
    check(server, server.post("/predict", good, fields=fields), 422, said)


def test_a_body_that_is_no_form(server, good):
    check(server, server.client.post("/predict", content=good[1]), 415, "multipart/form-data")
    check(server, server.client.post("/predict", json={"video": "x"}), 415, "application/json")


@pytest.mark.parametrize(
    ("head", "body", "said"),
    [
        ("multipart/form-data", b"--x--\r\n", "boundary"),
        ("multipart/form-data; boundary=x", b"no form at all", "form"),
        ("multipart/form-data; boundary=x", b"--x--\r\n", ""),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="video"; fil',
            "ends",
        ),
    ],
)
def test_a_broken_form(server, head, body, said):
    check(server, server.client.post("/predict", content=body, headers={"content-type": head}), 422, said)


def test_files_in_the_wrong_place(server, good):
    check(server, server.post("/predict", good, field="file"), 422, "'video'")
    check(server, server.post("/predict", good, good), 413, "takes 1")
    check(server, server.post("/batch_predict", *[good] * 6, field="videos"), 413, "takes 5")
    check(
        server,
        server.client.post("/predict", files={"video": ("a.png", b"x", "image/png")}),
        415,
        "image/png",
    )
    check(server, server.client.post("/predict", files={"at_s": (None, "3")}), 422, "no file")


def test_a_field_has_a_bound(server, good):
    check(server, server.post("/predict", good, fields={"at_s": "1" * 5000}), 413, "at_s")


def test_a_name_is_only_a_name(server, bad):
    answer = server.post("/predict", ("../../../etc/passwd", bad["zero"]))
    check(server, answer, 422, "passwd")
    assert "etc/" not in answer.json()["reason"]


def test_a_body_that_does_not_say_its_length_is_counted(server):
    """Sent in chunks; the server stops keeping it at the limit."""
    head = b'--x\r\nContent-Disposition: form-data; name="video"; filename="a.mp4"\r\n\r\n'

    def body():
        yield head
        for _ in range(40):
            yield b"\0" * 65536

    kind = {"content-type": "multipart/form-data; boundary=x"}
    check(server, server.client.post("/predict", content=body(), headers=kind), 413, "1 MiB")


def test_an_announced_length_is_refused_before_the_body(server):
    """The client waits for `100 Continue`, which never comes: it sends nothing."""
    import socket

    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as raw:
        raw.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 999999999999\r\nExpect: 100-continue\r\n\r\n"
        )
        assert raw.recv(65536).startswith(b"HTTP/1.1 413")


def test_a_slow_upload_is_given_up(predictor, good):
    import time
    from dataclasses import replace

    from serving import running

    def slowly():
        yield b'--x\r\nContent-Disposition: form-data; name="video"; filename="a.mp4"\r\n\r\n'
        time.sleep(1.0)
        yield good[1][:100]

    with running(predictor, replace(LIMITS, upload_s=0.3)) as server:
        kind = {"content-type": "multipart/form-data; boundary=x"}
        check(server, server.client.post("/predict", content=slowly(), headers=kind), 408, "0.3 s")


def test_what_is_not_there_is_said_in_the_same_form(server):
    check(server, server.client.get("/nothing"), 404, "/docs")
    answer = server.client.get("/predict")
    check(server, answer, 405, "/docs")
    assert answer.headers["allow"] == "POST"


def test_the_server_answers_after_all_that(server, good):
    assert server.post("/predict", good).status_code == 200
    assert httpx.get(f"{server.url}/health").json()["status"] == "ok"
