"""Places, turns, clients that leave, models that fail, and a stop in the middle."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest
import torch
from serving import LIMITS, Held, running, until


@pytest.fixture
def held(predictor):
    made = Held(predictor)
    yield made
    made.gate.set()


def test_a_full_house_is_refused_before_the_upload(held, good):
    with running(held, replace(LIMITS, places=3)) as server, ThreadPoolExecutor(3) as clients:
        waiting = [clients.submit(server.post, "/predict", good) for _ in range(3)]
        until(lambda: server.service.turns.present == 3)
        answer = server.post("/predict", good)
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 120
        assert "3 requests" in answer.json()["reason"]
        assert server.client.get("/health").status_code == 200
        held.gate.set()
        assert [one.result().status_code for one in waiting] == [200] * 3
        until(lambda: server.service.turns.present == 0)
        assert server.post("/predict", good).status_code == 200


def test_who_waits_too_long_is_told_so(held, good):
    with running(held, replace(LIMITS, wait_s=0.3)) as server, ThreadPoolExecutor(2) as clients:
        first = [clients.submit(server.post, "/predict", good) for _ in range(2)]
        until(lambda: server.service.turns.present == 2 and server.service.turns.waiting == 0)
        answer = server.post("/predict", good)
        assert answer.status_code == 503
        assert "0.3 s" in answer.json()["reason"]
        assert "retry-after" in answer.headers
        held.gate.set()
        assert [one.result().status_code for one in first] == [200, 200]
        until(lambda: server.left() == [])


def test_the_model_is_asked_by_one_request_at_a_time(predictor, good):
    class Counting(Held):
        inside = most = 0

        def predict(self, clips, constrained=False):
            self.inside += 1
            self.most = max(self.most, self.inside)
            try:
                return super().predict(clips, constrained)
            finally:
                self.inside -= 1

    counting = Counting(predictor)
    counting.gate.set()
    with running(counting) as server, ThreadPoolExecutor(6) as clients:
        answers = list(clients.map(lambda _: server.post("/predict", good), range(6)))
    assert [one.status_code for one in answers] == [200] * 6
    assert counting.most == 1


def test_a_client_that_leaves_while_it_waits_is_never_answered(held, good):
    with running(held) as server, ThreadPoolExecutor(2) as clients:
        first = [clients.submit(server.post, "/predict", good) for _ in range(2)]
        until(lambda: held.asked == 1 and server.service.turns.present == 2)
        with pytest.raises(httpx.ReadTimeout):
            server.post("/predict", good, timeout=httpx.Timeout(300, read=0.5))
        until(lambda: server.service.turns.present == 2)
        held.gate.set()
        assert [one.result().status_code for one in first] == [200, 200]
        until(lambda: server.left() == [])
        assert held.asked == 2
        assert server.service.measures.counts["/predict"] == {200: 2, 499: 1}


def test_a_client_that_leaves_in_the_middle_of_its_upload_leaves_nothing(held):
    held.gate.set()
    with running(held) as server:
        with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as raw:
            raw.sendall(
                b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
                b"Content-Length: 500000\r\n\r\n"
                b'--x\r\nContent-Disposition: form-data; name="video"; filename="a.mp4"\r\n\r\n'
                + b"\0"
                * 90000
            )
            until(lambda: any(folder.glob("*") for folder in server.left()))
        until(lambda: server.left() == [] and server.service.turns.present == 0)
        assert server.service.measures.counts["/predict"] == {499: 1}
        assert held.asked == 0


class Failing(Held):
    """The real predictor, which fails as often as it is told to."""

    def __init__(self, predictor, error, times):
        super().__init__(predictor)
        self.gate.set()
        self._error, self._times = error, times

    def predict(self, clips, constrained=False):
        if self._times:
            self._times -= 1
            raise self._error
        return super().predict(clips, constrained)


def test_too_little_memory_is_a_matter_of_time(predictor, good):
    with running(Failing(predictor, torch.OutOfMemoryError("CUDA out of memory"), 1)) as server:
        answer = server.post("/predict", good)
        assert answer.status_code == 503
        assert "memory" in answer.json()["reason"]
        assert answer.headers["retry-after"] == "5"
        assert server.left() == []
        assert server.client.get("/health").status_code == 200
        assert server.post("/predict", good).status_code == 200


def test_a_model_that_keeps_failing_makes_the_server_ill(predictor, good, caplog):
    secret = "device-side assert at /secret/path"
    with running(Failing(predictor, RuntimeError(secret), 3)) as server:
        for failures in range(1, 4):
            answer = server.post("/predict", good)
            assert answer.status_code == 500
            assert secret not in answer.text
            assert server.service.failures == failures
        assert secret in caplog.text
        sick = server.client.get("/health")
        assert (sick.status_code, sick.json()["status"]) == (503, "ill")
        assert server.post("/predict", good).status_code == 200
        assert server.client.get("/health").status_code == 200
        assert server.left() == []


def test_a_stop_finishes_what_has_its_turn_and_tells_the_others(held, good):
    with running(held) as server, ThreadPoolExecutor(4) as clients:
        turn = [clients.submit(server.post, "/predict", good) for _ in range(2)]
        until(lambda: server.service.turns.present == 2 and server.service.turns.waiting == 0)
        waiting = [clients.submit(server.post, "/predict", good) for _ in range(2)]
        until(lambda: server.service.turns.waiting == 2)
        folder = server.service.spool.folder
        server.loop_call(server.service.turns.stopping.set)
        assert [one.result().status_code for one in waiting] == [503, 503]
        assert {one.result().json()["reason"] for one in waiting} == {
            "the server is stopping; try again in a moment"
        }
        stopping = server.client.get("/health")
        assert (stopping.status_code, stopping.json()["status"]) == (503, "stopping")
        server.server.should_exit = True
        threading.Timer(0.5, held.gate.set).start()
        assert [one.result().status_code for one in turn] == [200, 200]
        until(lambda: not folder.exists())


def test_folders_of_killed_servers_are_swept(tmp_path):
    from nbhelpers.serve.spool import Spool

    dead = tmp_path / "nbhelpers-uploads-999999999-abc"
    dead.mkdir()
    (dead / "000").write_bytes(b"left")
    alive = Spool(tmp_path)
    second = Spool(tmp_path)
    assert not dead.exists()
    assert alive.folder.exists()
    alive.close()
    second.close()
    assert list(tmp_path.iterdir()) == []


def test_expected_waiting_follows_what_the_last_ones_took(predictor):
    from nbhelpers.serve.turns import Turns

    turns = Turns(LIMITS)
    with turns.place(), turns.place():
        turns._took_s.clear()
        turns._took_s.extend([3.0, 5.0])
        assert turns.expected_s() == 8.0
    turns.close()
