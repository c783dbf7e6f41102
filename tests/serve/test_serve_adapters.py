"""Another adapter on the loaded model, by those who hold the token."""

import pytest
import torch
from serving import running

from nbhelpers.models import add_lora, load, save_adapter
from nbhelpers.video import VideoPredictor

TOKEN = "secret"
BEARER = {"authorization": f"Bearer {TOKEN}"}


def write_adapter(folder, seed, base="tiny/qwen2.5-vl", revision=None):
    """An adapter that changes what is said: random, and large."""
    loaded = load("tiny/qwen2.5-vl", device="cpu")
    report = add_lora(loaded.model, loaded.family, ("text.attention", "text.mlp"), r=8)
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in report.model.named_parameters():
        if "lora_B" in name:
            tensor.data = torch.randn(tensor.shape, generator=generator) * 0.3
    save_adapter(report.model, folder, base=base, revision=revision or loaded.revision, roles=report.roles)


@pytest.fixture(scope="module")
def adapters(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters")
    write_adapter(folder / "site-b", 1)
    write_adapter(folder / "site-c", 2)
    (folder / "not-one").mkdir()
    return folder


@pytest.fixture(scope="module")
def swapping(adapters):
    own = VideoPredictor.load("tiny/qwen2.5-vl", device="cpu")
    with running(own, token=TOKEN, adapters=adapters) as up:
        yield up


def put(server, name, **headers):
    return server.client.put("/adapter", json={"adapter": name}, headers=headers or BEARER)


def text(server, good):
    return server.post("/predict", good, headers=BEARER).json()["text"]


def test_adapters_are_listed_and_changed(swapping, good):
    listed = swapping.client.get("/adapters", headers=BEARER).json()
    assert listed == {"adapter": None, "known": ["site-b", "site-c"]}
    bare = text(swapping, good)
    assert put(swapping, "site-b").json()["adapter"] == "site-b"
    b = text(swapping, good)
    assert put(swapping, "site-c").status_code == 200
    c = text(swapping, good)
    assert put(swapping, "site-b").status_code == 200
    assert text(swapping, good) == b
    assert len({bare, b, c}) == 3
    status = swapping.client.get("/status", headers=BEARER).json()
    assert (status["adapter"], status["model"]["adapter"]) == ("site-b", "site-b")
    assert put(swapping, None).json()["adapter"] is None
    assert text(swapping, good) == bare


@pytest.mark.parametrize("name", ["nothing", "not-one", "..", "../adapters/site-b", "/etc", ""])
def test_only_listed_names_are_taken(swapping, name):
    answer = put(swapping, name)
    assert answer.status_code == 404
    assert "site-b, site-c" in answer.json()["reason"]


def test_an_adapter_of_another_model_leaves_the_old_one(swapping, adapters, good):
    write_adapter(adapters / "foreign", 3, base="Qwen/Qwen3-VL-2B-Instruct", revision="another")
    put(swapping, "site-b")
    before = text(swapping, good)
    answer = put(swapping, "foreign")
    assert answer.status_code == 422
    assert "Qwen3-VL" in answer.json()["reason"]
    assert swapping.client.get("/adapters", headers=BEARER).json()["adapter"] == "site-b"
    assert text(swapping, good) == before


def test_a_damaged_adapter_leaves_the_old_one(swapping, adapters, good):
    write_adapter(adapters / "broken", 4)
    tensors = adapters / "broken" / "adapter_model.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-9])
    put(swapping, "site-b")
    before = text(swapping, good)
    assert put(swapping, "broken").status_code == 422
    assert text(swapping, good) == before


def test_a_wrong_body_is_refused(swapping):
    assert swapping.client.put("/adapter", json={"adapter": 3}, headers=BEARER).status_code == 422
    assert swapping.client.put("/adapter", content=b"{", headers=BEARER).status_code == 422


def test_it_is_guarded(swapping, predictor, adapters):
    assert put(swapping, "site-b", authorization="Bearer wrong").status_code == 401
    with running(predictor, adapters=adapters) as open_server:
        answer = put(open_server, "site-b")
        assert answer.status_code == 403
        assert "token" in answer.json()["reason"]
        assert open_server.client.get("/adapters").status_code == 200


def test_the_adapter_of_the_start_may_be_chosen_again(adapters, good):
    first = adapters / "site-c"
    own = VideoPredictor.load("tiny/qwen2.5-vl", first, device="cpu")
    with running(own, token=TOKEN, adapter=first) as up:
        with_it = text(up, good)
        assert put(up, None).status_code == 200
        assert text(up, good) != with_it
        assert put(up, "site-c").json() == {"adapter": "site-c", "known": ["site-c"]}
        assert text(up, good) == with_it
