"""Loading by rungs: every refusal with its kind and reason, and nothing left of a model that did not load."""

import gc
import time
import weakref

import fake_hub
import psutil
import pytest
import tiny_models
import torch

from nbhelpers.errors import BadInput, Unavailable
from nbhelpers.memory.shapes import Shapes
from nbhelpers.models import NothingFits, hub_unreachable, load, rungs_table

SMALL = Shapes(images=1, text_tokens=16, new_tokens=4)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    makers = (tiny_models.qwen2, tiny_models.gemma3, tiny_models.sam)
    return {maker.__name__: maker(root / maker.__name__) for maker in makers}


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """A hub whose name no resolver knows (RFC 2606)."""
    fake_hub.point_hub_at(monkeypatch, "https://hub.invalid", tmp_path / "cache")


def refused(*candidates, **options):
    """The rungs of a chain of which nothing can be taken."""
    with pytest.raises(NothingFits) as caught:
        load(candidates, shapes=SMALL, **options)
    assert all(not rung.taken and rung.reason for rung in caught.value.rungs)
    return caught.value.rungs


@pytest.mark.parametrize("name", ["qwen2", "gemma3", "sam"])
def test_a_folder_loads_with_its_processor(folders, name):
    loaded = load(str(folders[name]), shapes=SMALL)
    assert loaded.family.model_type == {"qwen2": "qwen2", "gemma3": "gemma3", "sam": "sam"}[name]
    assert loaded.dtype == torch.float32 and loaded.device == "cpu" and loaded.quantize is None
    assert loaded.revision.startswith("sha256:") and loaded.loader.value == "transformers"
    assert [rung.kind for rung in loaded.rungs] == ["loaded"] and loaded.reason in loaded.table()
    assert loaded.plan.peak > 0 and loaded.seconds > 0 and loaded.peak_bytes >= 0
    assert not loaded.model.training and not any(p.requires_grad for p in loaded.model.parameters())


def test_the_weights_are_those_of_the_file(folders):
    from safetensors.torch import load_file

    stored = load_file(folders["qwen2"] / "model.safetensors")
    live = load(str(folders["qwen2"]), shapes=SMALL).model.state_dict()
    assert all(torch.equal(live[name], tensor) for name, tensor in stored.items())


def test_an_image_goes_through_the_loaded_pair(folders):
    from PIL import Image

    loaded = load(str(folders["gemma3"]), shapes=SMALL)
    inputs = loaded.processor(
        text="<start_of_image> what?", images=Image.new("RGB", (40, 30)), return_tensors="pt"
    )
    with torch.no_grad():
        assert torch.isfinite(loaded.model(**inputs).logits).all()


def test_unknown_names_and_broken_folders_are_not_found(folders, tmp_path, offline):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "config.json").write_text((folders["qwen2"] / "config.json").read_text())
    names = [
        "no-such-name",
        "tiny/nothing",
        str(tmp_path / "empty"),
        str(tmp_path / "bare"),
        "../away/from/here",
    ]
    rungs = refused(*names)
    assert [rung.kind for rung in rungs] == ["not_found"] * 5
    assert "no config.json" in rungs[2].reason and "lacks model.safetensors" in rungs[3].reason


def test_missing_shards_and_tensors_are_named(folders, tmp_path):
    import json
    import shutil

    from safetensors.torch import load_file, save_file

    sharded, partial = tmp_path / "sharded", tmp_path / "partial"
    shutil.copytree(folders["qwen2"], sharded)
    (sharded / "model.safetensors").rename(sharded / "model-1.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (sharded / "model.safetensors.index.json").write_text(json.dumps(index))
    shutil.copytree(folders["qwen2"], partial)
    tensors = load_file(partial / "model.safetensors")
    tensors.pop("model.layers.1.mlp.up_proj.weight")
    save_file(tensors, partial / "model.safetensors", metadata={"format": "pt"})
    rungs = refused(str(sharded), str(partial))
    assert rungs[0].kind == "not_found" and "model-2.safetensors" in rungs[0].reason
    assert rungs[1].kind == "unsupported" and "layers.1.mlp.up_proj.weight" in rungs[1].reason


def test_damaged_files_are_refusals_and_not_crashes(folders, tmp_path):
    import shutil

    config, weights, words = (tmp_path / name for name in ("config", "weights", "words"))
    for folder in (config, weights, words):
        shutil.copytree(folders["qwen2"], folder)
    (config / "config.json").write_text("{")
    (weights / "model.safetensors").write_bytes(b"\x00" * 50)
    (words / "tokenizer.json").write_text("[]")
    rungs = refused(str(config), str(weights), str(words))
    assert [rung.kind for rung in rungs] == ["unsupported", "unsupported", "not_found"]
    assert "model.safetensors" in rungs[1].reason


def test_offline_is_seen_in_seconds_without_asking_the_hub(offline, monkeypatch):
    import huggingface_hub

    def asked(*args, **options):
        raise AssertionError("the network was asked for a file")

    for name in ("hf_hub_download", "snapshot_download"):
        monkeypatch.setattr(huggingface_hub, name, asked)
    refused("no-such-name")  # the imports are not what is timed
    began = time.monotonic()
    rungs = refused("Qwen/Qwen2.5-VL-3B-Instruct", "google/gemma-3-4b-it", "someone/unheard-of")
    assert time.monotonic() - began < 8  # 2 by design; resolvers alone may take 30
    assert [rung.kind for rung in rungs] == ["no_network"] * 3
    assert "hub.invalid" in rungs[0].reason and "licence" in rungs[1].reason


def test_a_silent_resolver_is_not_waited_for(offline, monkeypatch):
    import socket
    import threading

    over, asked = threading.Event(), []

    def connect(*args, **options):
        asked.append(args)
        over.wait(20)
        raise OSError("too late")

    monkeypatch.setattr(socket, "create_connection", connect)
    began = time.monotonic()
    assert "did not answer within 0.5 s" in hub_unreachable(0.5)
    assert "did not answer" in hub_unreachable(0.5)
    assert len(asked) == 1  # the answer is kept
    assert time.monotonic() - began < 10
    over.set()


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_variables_are_honoured(offline, monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    assert variable in hub_unreachable()


def test_proxies_are_probed_instead_of_the_hub(offline, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    assert "proxy.invalid" in hub_unreachable()


def test_the_hub_gives_config_first_and_weights_once(folders, tmp_path, monkeypatch):
    with fake_hub.fake_hub(monkeypatch, tmp_path / "cache", {"some/model": folders["qwen2"]}) as hub:
        tight = refused("some/model", budget=1000)
        assert tight[0].kind == "too_large" and not any("safetensors" in path for path in hub.asked)
        loaded = load("some/model", shapes=SMALL)
        assert loaded.revision == fake_hub.COMMIT and loaded.rungs[0].reason.startswith(
            "fetched from the hub"
        )
        assert sum(path.startswith("GET") and "safetensors" in path for path in hub.asked) == 1
        hub.asked.clear()
        again = load("some/model", shapes=SMALL)
        assert again.source.where == "cache" and hub.asked == []
    assert load("some/model", shapes=SMALL).revision == fake_hub.COMMIT  # the hub is gone, the cache is not


def test_what_the_hub_refuses_becomes_a_kind(tmp_path, monkeypatch):
    repos = {"some/gated": "GatedRepo", "some/down": "Down", "some/branch": "RevisionNotFound"}
    with fake_hub.fake_hub(monkeypatch, tmp_path / "cache", repos) as hub:
        rungs = refused("some/gated", "some/down", "some/branch", "some/none", "google/gemma-3-4b-it")
    kinds = ["gated", "no_network", "not_found", "not_found", "gated"]
    assert [rung.kind for rung in rungs] == kinds
    assert "accept its licence" in rungs[0].reason and "503" in rungs[1].reason
    assert not any("gemma" in path for path in hub.asked)  # the catalogue knows, and there is no token


def test_a_disk_too_small_is_too_large(folders, tmp_path, monkeypatch):
    import shutil

    usage = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with fake_hub.fake_hub(monkeypatch, tmp_path / "cache", {"some/model": folders["qwen2"]}):
        (rung,) = refused("some/model")
    assert rung.kind == "too_large" and "disk" in rung.reason


def test_too_large_says_by_how_much_and_the_next_rung_is_taken(folders):
    budget = load(str(folders["sam"]), shapes=SMALL).plan.needed
    loaded = load([str(folders["gemma3"]), str(folders["sam"])], shapes=SMALL, budget=budget)
    first, second = loaded.rungs
    assert first.kind == "too_large" and "too large by" in first.reason and "it was asked for" in first.reason
    assert second.taken and loaded.family.model_type == "sam"
    assert "too_large" in loaded.table() and "taken" in loaded.table()


def test_what_a_family_cannot_do_is_unsupported(folders):
    (text,) = refused(str(folders["qwen2"]), task="attack")
    assert text.kind == "unsupported" and "image" in text.reason
    (packed,) = refused(str(folders["sam"]), quantize="nf4")
    assert packed.kind == "unsupported" and "nf4" in packed.reason
    (half,) = refused(str(folders["gemma3"]), dtype="float16")
    assert half.kind == "unsupported" and "float16" in half.reason


def test_bfloat16_on_a_t4_is_unsupported(folders, monkeypatch):
    from nbhelpers.runtime import precision

    t4 = precision.CudaDevice(0, "Tesla T4", (7, 5), 15 << 30, True)
    monkeypatch.setattr(precision, "cuda_devices", lambda: ([t4], ""))
    (rung,) = refused(str(folders["qwen2"]), device="cuda", dtype="bfloat16", budget=1 << 33)
    assert rung.kind == "unsupported" and "7.5" in rung.reason


def test_nothing_fits_lists_every_rung(folders, offline):
    with pytest.raises(Unavailable) as caught:
        load(["google/gemma-3-4b-it", str(folders["gemma3"])], budget=1000, shapes=SMALL)
    assert "google/gemma-3-4b-it" in str(caught.value) and "too large" in str(caught.value)
    assert rungs_table(caught.value.rungs).count("\n") == 3


def test_arguments_no_candidate_could_meet_are_errors(folders):
    name = str(folders["qwen2"])
    for options in ({"task": "guess"}, {"quantize": "nf5"}, {"budget": 0}, {"device": "tpu"}):
        with pytest.raises(BadInput):
            load(name, **options)
    with pytest.raises(BadInput):
        load([])


@pytest.mark.parametrize("error", [lambda: torch.OutOfMemoryError("CUDA out of memory"), MemoryError])
def test_memory_that_runs_out_half_way_leaves_nothing_behind(folders, tmp_path, monkeypatch, error):
    from transformers import core_model_loading

    large = tiny_models.qwen2(tmp_path / "large", hidden=384, layers=8)  # 40 MB
    load(str(folders["qwen2"]), shapes=SMALL)  # what the first use of libraries takes is no leak
    put, ghosts, ballast = core_model_loading.set_param_for_module, [], 50

    def put_until_full(model, *args, **options):
        if len(list(model.parameters())) > 60 and not ghosts:
            ghosts.append(weakref.ref(model))
        if (
            ghosts
            and model is ghosts[0]()
            and sum(p.device.type == "cpu" for p in model.parameters()) > ballast
        ):
            raise error()
        return put(model, *args, **options)

    monkeypatch.setattr(core_model_loading, "set_param_for_module", put_until_full)
    gc.collect()
    before = psutil.Process().memory_info().rss
    loaded = load([str(large), str(folders["qwen2"])], shapes=SMALL)
    assert [rung.kind for rung in loaded.rungs] == ["out_of_memory", "loaded"]
    assert ghosts and ghosts[0]() is None
    assert psutil.Process().memory_info().rss - before < 15 << 20


def test_other_errors_are_not_swallowed(folders, monkeypatch):
    from transformers import core_model_loading

    def broken(*args, **options):
        raise RuntimeError("a defect of the library")

    monkeypatch.setattr(core_model_loading, "set_param_for_module", broken)
    with pytest.raises(RuntimeError, match="a defect of the library"):
        load(str(folders["qwen2"]), shapes=SMALL)
