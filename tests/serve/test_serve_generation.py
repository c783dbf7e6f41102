"""The generate endpoints over a real socket: users, results, history, limits, the page."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import fakeredis
import httpx
import jwt
import numpy as np
import pytest
from serving import served, until

from nbhelpers.codegen.request import FRAMEWORKS
from nbhelpers.errors import BadInput
from nbhelpers.serve.generation.app import create_generation_app
from nbhelpers.serve.generation.history import History
from nbhelpers.serve.generation.kept import open_kept
from nbhelpers.serve.generation.users import make_token, secret_from_environment
from nbhelpers.serve.generation.work import Bounds, Generator
from nbhelpers.settings import load_settings

SECRET = "a secret of the tests, long enough to sign"
SAFE = load_settings("cpu", ["codegen.order=safe"])
ASKED = {"text": "A service for books with title (text) and price (decimal).", "checks": "quick"}


@contextmanager
def serving_code(folder, settings=SAFE, **more):
    more = {"history": f"sqlite:///{folder}/history.db", "kept": str(folder / "kept"), **more}
    with served(create_generation_app(Generator(settings, SECRET, **more))) as up:
        yield up


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    with serving_code(tmp_path_factory.mktemp("code"), bounds=Bounds(rate="10000/minute")) as one:
        yield one


def bearer(user="anna", secret=SECRET, **more):
    return {"Authorization": f"Bearer {make_token(user, secret, **more)}"}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_program_of_each_kind(up, framework):
    answer = up.client.post(f"/generate/{framework}", json=ASKED, headers=bearer())
    found = answer.json()
    assert answer.status_code == 200, found
    assert (found["framework"], found["strategy"], found["passed"]) == (framework, "template", True)
    assert [one["verdict"] for one in found["checks"]] == ["passed"] * 3
    assert "requirements.txt" in found["files"]
    assert ["entity book", "title: str, price: float", "the text"] in [
        list(one.values()) for one in found["understood"]
    ]
    again = up.client.get(f"/generations/{found['id']}", headers=bearer())
    assert again.json() == found


@pytest.mark.slow
def test_checks_are_full_unless_quick_is_asked_for(up):
    spec = {"entities": {"room": {"size": "int"}}, "operations": ["list"]}
    found = up.client.post("/generate/flask", json={"spec": spec}, headers=bearer()).json()
    assert [one["name"] for one in found["checks"]][-1] == "runs"
    assert found["passed"]
    assert found["isolation"]


def test_the_same_request_is_kept_and_another_is_not(up):
    words = {**ASKED, "text": "A service for lamps with watts (int)."}
    answers = [up.client.post("/generate/generic", json=words, headers=bearer(user)).json() for user in "ab"]
    assert [one["cached"] for one in answers] == [False, True]
    assert answers[0]["files"] == answers[1]["files"]
    assert answers[0]["id"] != answers[1]["id"]
    other = {**words, "text": words["text"] + " Page the list."}
    assert not up.client.post("/generate/generic", json=other, headers=bearer()).json()["cached"]


def test_users_see_their_own_alone(up):
    made = up.client.post("/generate/flask", json=ASKED, headers=bearer("carla")).json()
    listed = up.client.get("/generations", headers=bearer("carla")).json()
    assert [one["id"] for one in listed] == [made["id"]]
    assert "files" not in listed[0]
    assert up.client.get(f"/generations/{made['id']}", headers=bearer("dora")).status_code == 404
    assert up.client.get("/generations", headers=bearer("dora")).json() == []
    assert up.client.get("/generations?limit=1&skip=1", headers=bearer("carla")).json() == []


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "user-token|user's token"),
        ({"Authorization": "Bearer nonsense"}, "not valid"),
        ({"Authorization": "Basic YTpi"}, "user's token"),
        (bearer(secret="x" * 40), "InvalidSignature"),
    ],
)
def test_who_is_refused(up, headers, said):
    answer = up.client.post("/generate/flask", json=ASKED, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert re.search(said, answer.json()["reason"])


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "anna", "aud": "nbhelpers", "exp": 1},
        {"sub": "anna", "aud": "nbhelpers"},
        {"sub": "anna", "exp": 9_999_999_999},
        {"sub": "anna", "aud": "others", "exp": 9_999_999_999},
        {"sub": "../../x", "aud": "nbhelpers", "exp": 9_999_999_999},
        {"aud": "nbhelpers", "exp": 9_999_999_999},
    ],
)
def test_tokens_that_are_signed_and_wrong(up, claims):
    token = jwt.encode(claims, SECRET, algorithm="HS256")
    answer = up.client.get("/generations", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def test_a_token_without_a_signature(up):
    token = jwt.encode({"sub": "anna", "aud": "nbhelpers", "exp": 9_999_999_999}, None, algorithm="none")
    assert up.client.get("/generations", headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/generate/rails", ASKED, 422),
        ("/generate/flask", {}, 422),
        ("/generate/flask", {"text": " "}, 422),
        ("/generate/flask", {"text": "x", "spec": {}}, 422),
        ("/generate/flask", {"text": "x" * 20_000}, 422),
        ("/generate/flask", {"text": "x", "other": 1}, 422),
        ("/generate/flask", {"spec": {"entities": {"a": {"b": "colour"}}}}, 422),
        ("/generations/../secret", None, 404),
        ("/generations/xyz", None, 422),
    ],
)
def test_bad_requests(up, path, body, status):
    method = "GET" if body is None else "POST"
    answer = up.client.request(method, path, json=body, headers=bearer())
    assert answer.status_code == status
    assert answer.json()["reason"]


def test_hard_text_comes_back_unharmed(up):
    text = "A service for notes with body (text). </script><script>alert(1)</script> \" ' {{ 7*7 }} \u2028"
    found = up.client.post("/generate/flask", json={"text": text, "checks": "quick"}, headers=bearer()).json()
    scope = {}
    line = found["files"]["main.py"].partition("DESCRIPTION = ")[2].partition("\n\nRecord")[0]
    exec(f"x = {line}", scope)
    assert scope["x"] == text


def test_too_many_requests_of_one_user(tmp_path):
    with serving_code(tmp_path, bounds=Bounds(rate="2/hour")) as one:
        codes = [one.client.post("/generate/generic", json=ASKED, headers=bearer("eva")) for _ in range(3)]
        assert [answer.status_code for answer in codes] == [200, 200, 429]
        assert int(codes[-1].headers["retry-after"]) > 60
        assert one.client.post("/generate/generic", json=ASKED, headers=bearer("fay")).status_code == 200
        assert "nbhelpers_generation_refusals_total 1.0" in one.client.get("/metrics").text


def test_measures(up):
    up.client.post("/generate/crud", json=ASKED, headers=bearer())
    text = up.client.get("/metrics").text
    assert re.search(r'generations_total\{cached="\w+",framework="crud",strategy="template"\} \d', text)
    assert 'nbhelpers_generation_attempts_total{outcome="passed",strategy="template"}' in text
    assert 'endpoint="/generate/{framework}",status="200"' in text
    assert up.client.get("/health").json() == {"status": "ok", "present": 0, "waiting": 0}


@pytest.mark.slow
def test_fifty_clients_at_once(up):
    """Fifty clients with two requests each, half of them seen before; nothing is refused."""

    def ask(number):
        text = f"A service for parts of kind {number % 25} with name (text), count (int)."
        with httpx.Client(base_url=up.url, timeout=600) as client:
            body = {"text": text, "checks": "quick"}
            answers = [
                client.post(f"/generate/{framework}", json=body, headers=bearer(f"user{number}"))
                for framework in ("fastapi", "flask")
            ]
        return [(one.status_code, one.json().get("passed"), one.elapsed.total_seconds()) for one in answers]

    with ThreadPoolExecutor(50) as clients:
        found = [one for pair in clients.map(ask, range(50)) for one in pair]
    assert {(status, passed) for status, passed, _ in found} == {(200, True)}
    p50, p95 = np.percentile([seconds for _, _, seconds in found], [50, 95])
    print(f"\n100 requests of 50 clients: p50 {p50:.2f} s, p95 {p95:.2f} s")


def test_places_are_bounded(tmp_path):
    with serving_code(tmp_path, bounds=Bounds(places=1, workers=1)) as one:
        one.service.turns.present = 1
        answer = one.client.post("/generate/flask", json=ASKED, headers=bearer())
        assert answer.status_code == 429
        assert answer.headers["retry-after"]
        one.service.turns.present = 0
        one.loop_call(one.service.turns.stopping.set)
        until(lambda: one.client.get("/health").json()["status"] == "stopping")
        assert one.client.post("/generate/flask", json=ASKED, headers=bearer()).status_code == 503


def test_results_survive_a_restart(tmp_path):
    with serving_code(tmp_path) as one:
        first = one.client.post("/generate/flask", json=ASKED, headers=bearer()).json()
    with serving_code(tmp_path) as one:
        assert one.client.get(f"/generations/{first['id']}", headers=bearer()).json() == first
        assert one.client.post("/generate/flask", json=ASKED, headers=bearer()).json()["cached"]
    changed = load_settings("cpu", ["codegen.order=safe", "codegen.new_tokens=77"])
    with serving_code(tmp_path, changed) as one:
        assert not one.client.post("/generate/flask", json=ASKED, headers=bearer()).json()["cached"]


def test_redis_by_url(tmp_path):
    server = fakeredis.TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"redis://127.0.0.1:{server.server_address[1]}/0"
    try:
        kept = open_kept(url)
        kept.set("a", {"x": ["ü", 1]}, 60)
        assert kept.get("a") == {"x": ["ü", 1]}
        assert kept.get("b") is None
        kept.close()
        with serving_code(tmp_path, kept=url) as one:
            cached = [
                one.client.post("/generate/flask", json=ASKED, headers=bearer()).json()["cached"]
                for _ in "ab"
            ]
        assert cached == [False, True]
    finally:
        server.shutdown()
        server.server_close()


def test_kept_results_go_after_their_time(tmp_path):
    kept = open_kept(str(tmp_path))
    kept.set("a", [1], 1e-9)
    assert kept.get("a") is None
    kept.close()


def test_bad_places_are_said():
    with pytest.raises(BadInput, match=r"--cache .*does not answer"):
        open_kept("redis://secret:word@127.0.0.1:9/0")
    with pytest.raises(BadInput, match="--history"):
        History("nonsense")
    with pytest.raises(BadInput, match=r"--history .*\*\*\*") as error:
        History("nodb://me:password@host/x")
    assert "password" not in str(error.value)


def test_secrets(monkeypatch):
    monkeypatch.setenv("NBHELPERS_JWT_SECRET", "short")
    with pytest.raises(BadInput, match="at least 32 bytes"):
        secret_from_environment()
    monkeypatch.setenv("NBHELPERS_JWT_SECRET", SECRET)
    assert secret_from_environment() == SECRET
    for user, hours in (("a b", 1), ("", 1), ("a", 0)):
        with pytest.raises(BadInput):
            make_token(user, SECRET, hours)


def test_the_page_and_what_it_may_do(up):
    page = up.client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    named = set(re.findall(r'(?:src|href)="([^"]+)"', page.text))
    assert named == {"page.js", "page.css"}
    assert all(up.client.get(f"/{name}").status_code == 200 for name in named)
    assert not re.search(r"\son\w+=|<script>|style=", page.text)


def test_the_script_of_the_page_knows_the_page(up):
    """Every element it asks for is there, and nothing it gets is put in as markup."""
    page, script = up.client.get("/").text, up.client.get("/page.js").text
    asked = set(re.findall(r'at\("(\w+)"\)', script))
    assert asked
    assert asked <= set(re.findall(r'id="(\w+)"', page))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)
    options = set(re.findall(r"<option>(\w+)</option>", page))
    assert options == set(FRAMEWORKS)


def test_beside_a_video_model(predictor, tmp_path):
    from fastapi.testclient import TestClient

    from nbhelpers.serve import create_app

    made = {"history": f"sqlite:///{tmp_path}/h.db", "kept": str(tmp_path / "kept")}

    def make(service):
        shared = {"measures": service.measures, "stopping": service.turns.stopping}
        return Generator(SAFE, SECRET, **made, **shared)

    app = create_app(predictor, make_generator=make)
    with TestClient(app) as client:
        assert client.post("/generate/flask", json=ASKED, headers=bearer()).json()["passed"]
        assert client.get("/status").status_code == 200
        assert "/predict" in client.get("/openapi.json").json()["paths"]
        counted = client.get("/metrics").text
        assert (
            'nbhelpers_generations_total{cached="false",framework="flask",strategy="template"} 1.0' in counted
        )
        assert "nbhelpers_upload_bytes_total" in counted
        app.state.service.turns.stopping.set()
        assert client.post("/generate/flask", json=ASKED, headers=bearer()).status_code == 503
    with TestClient(create_app(predictor)) as client:
        assert client.post("/generate/flask", json=ASKED, headers=bearer()).status_code == 404
