import json
import socket
import sys

import pytest
import yaml

import nbhelpers
from nbhelpers.errors import BadInput
from nbhelpers.models import FAMILIES, catalog, chain, count_roles, family_of, find_entry, full_config

MODELS = {name: entry for name, entry in catalog().items() if not entry.is_twin}
PURPOSES = ("video", "attack", "degrade", "code", "detector", "segmenter")
PROFILES = ("cpu", "t4", "rtx3090")

# As published: model cards, the hub's counts of safetensors files, papers.
PUBLISHED = {
    "grounding-dino-tiny": 172_250_626,
    "grounding-dino-base": 232_315_264,
    "sam-vit-base": 93_735_728,
    "qwen2.5-vl-3b": 3_754_622_976,
    "qwen2.5-vl-7b": 8_292_166_656,
    "qwen3-vl-2b": 2_127_532_032,
    "gemma-3-1b": 999_885_952,
    "gemma-3-4b": 4_300_079_472,
    "gemma-3-12b": 12_187_325_040,
    "paligemma-3b": 2_923_466_480,
    "smolvlm-256m": 256_484_928,
    "smolvlm-500m": 507_482_304,
    "gemma-2-2b": 2_614_341_888,
    "gemma-2-9b": 9_241_705_984,
    "qwen2.5-coder-0.5b": 494_032_768,
    "qwen2.5-coder-1.5b": 1_543_714_304,
    "qwen2.5-coder-7b": 7_615_616_512,
}


@pytest.mark.parametrize("name", MODELS)
def test_the_architecture_has_the_parameters_the_catalogue_states(name, meta_model):
    model, family = meta_model(name)
    assert sum(parameter.numel() for parameter in model.parameters()) == MODELS[name].parameters
    assert family.model_type == MODELS[name].family
    assert {t.device.type for t in [*model.parameters(), *model.buffers()]} == {"meta"}


def test_the_catalogue_states_the_published_numbers():
    assert {name: MODELS[name].parameters for name in PUBLISHED} == PUBLISHED
    assert not any(MODELS[name].counted_by_us for name in PUBLISHED)


def test_ids_licences_and_gates():
    ids = [entry.id for entry in MODELS.values()]
    assert len(set(ids)) == len(ids)
    assert all(entry.id.count("/") == 1 for entry in MODELS.values())
    assert {e.licence for e in MODELS.values()} == {"apache-2.0", "gemma", "qwen-research"}
    assert {n for n, e in MODELS.items() if e.licence == "qwen-research"} == {
        "qwen2.5-vl-3b",
        "qwen2.5-coder-3b",
    }
    for name, entry in MODELS.items():
        assert entry.gated == (entry.licence == "gemma") == entry.id.startswith("google/"), name


def test_every_model_has_a_twin_that_can_do_all_it_is_for():
    for name, entry in MODELS.items():
        twin = find_entry(entry.twin)
        assert twin.is_twin
        assert set(entry.tasks) & set(twin.tasks), name
        assert FAMILIES[entry.family].inputs <= FAMILIES[twin.family].inputs | {"video"}, name


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_chain_goes_down_in_need_and_ends_in_a_twin_for_its_purpose(purpose, profile):
    entries = [find_entry(name) for name in chain(purpose, profile)]
    sizes = [entry.parameters for entry in entries[:-1]]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes)
    assert [entry.is_twin for entry in entries] == [False] * len(sizes) + [True]
    for entry in entries:
        assert purpose in entry.tasks
        FAMILIES[entry.family].check_task(purpose)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_cpu_needs_no_download(purpose):
    assert all(find_entry(name).is_twin for name in chain(purpose, "cpu"))


def test_a_larger_gpu_starts_at_least_as_high():
    for purpose in PURPOSES:
        small, large = (find_entry(chain(purpose, profile)[0]) for profile in ("t4", "rtx3090"))
        assert large.parameters >= small.parameters


def test_unknown_purposes_and_profiles_are_named():
    with pytest.raises(BadInput, match="purposes: video, attack"):
        chain("poetry", "t4")
    with pytest.raises(BadInput, match="profiles: cpu, t4, rtx3090"):
        chain("video", "h100")


@pytest.mark.parametrize("name", ["gemma-3-4b", "google/gemma-3-4b-it", "GOOGLE/Gemma-3-4B-it"])
def test_short_names_and_ids_in_any_case(name):
    assert find_entry(name).name == "gemma-3-4b"
    assert full_config(name).model_type == "gemma3"


def test_an_unknown_name_gets_the_closest():
    with pytest.raises(BadInput, match=r"did you mean 'gemma-3-4b'"):
        find_entry("gemma-3-4bb")
    with pytest.raises(BadInput, match="not in the hub's cache"):
        full_config("nobody/no-such-model")
    with pytest.raises(BadInput, match="not in the hub's cache"):
        full_config("no such model at all")


def test_the_parts_the_counts_cannot_tell_apart():
    gemma = full_config("gemma-3-4b").text_config
    assert [gemma.layer_types.count(kind) for kind in ("sliding_attention", "full_attention")] == [29, 5]
    assert gemma.layer_types[5] == "full_attention"
    assert full_config("gemma-3-4b").vision_config.num_hidden_layers == 27
    qwen = full_config("qwen2.5-vl-3b")
    assert qwen.text_config.rope_parameters["mrope_section"] == [16, 24, 24]
    assert sum(qwen.text_config.rope_parameters["mrope_section"]) * 2 == 2048 // 16
    assert qwen.vision_config.fullatt_block_indexes == [7, 15, 23, 31]


def test_a_folder_with_a_configuration(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2", "hidden_size": 64}))
    assert full_config(tmp_path).hidden_size == full_config(str(tmp_path)).hidden_size == 64


DAMAGED = [
    "{",
    "[]",
    "{}",
    '{"model_type": "no-such-type"}',
    '{"model_type": "qwen2", "hidden_size": "wide"}',
    '{"model_type": "gemma3", "text_config": 3}',
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_configuration_names_the_file(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(BadInput, match=r"config\.json"):
        full_config(tmp_path)


def test_the_cache_is_read_and_the_network_never(tmp_path, monkeypatch):
    def refuse(*arguments, **named):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repo = tmp_path / "models--someone--some-model"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("abc")
    (repo / "snapshots" / "abc").mkdir(parents=True)
    (repo / "snapshots" / "abc" / "config.json").write_text('{"model_type": "gemma2"}')
    assert full_config("someone/some-model").model_type == "gemma2"
    with pytest.raises(BadInput, match="not in the hub's cache"):
        full_config("someone/another-model")
    assert full_config("qwen3-vl-8b").model_type == "qwen3_vl"


def test_a_twin_counts_the_values_in_its_folder(tmp_path, monkeypatch):
    import torch
    from safetensors.torch import save_file

    assert find_entry("tiny/sam").name == "tiny/sam"
    # By the module itself: the package gives the function of that name.
    monkeypatch.setattr(sys.modules["nbhelpers.models.catalog"], "twins_root", lambda: tmp_path)
    assert find_entry("tiny/sam").parameters == 0
    (tmp_path / "sam").mkdir()
    save_file({"a": torch.zeros(3, 4), "b": torch.zeros(5)}, tmp_path / "sam" / "model.safetensors")
    assert find_entry("tiny/sam").parameters == 17


@pytest.mark.parametrize("name", [name for name, entry in catalog().items() if entry.is_twin])
def test_a_twin_that_is_there_is_of_its_family(name):
    entry = find_entry(name)
    if not entry.parameters:
        pytest.skip(f"{name} is not trained yet; `nbhelpers twins train {name.removeprefix('tiny/')}`")
    config = full_config(name)
    family = family_of(config)
    model = family.meta_model(config)
    assert family.model_type == entry.family
    assert sum(count_roles(model, family).values()) == entry.parameters
    assert 0.1e6 < entry.parameters < 2e6


def test_no_code_names_a_model_of_a_hub():
    from pathlib import Path

    package = Path(nbhelpers.__file__).parent
    ids = [entry.id for entry in MODELS.values()]
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not [name for name in ids if name in text], path


def test_the_file_says_of_every_model_the_same_things():
    from importlib import resources

    document = yaml.safe_load((resources.files("nbhelpers.models") / "catalog.yaml").read_text("utf-8"))
    configs = {p.name for p in (resources.files("nbhelpers.models") / "configs").iterdir()}
    assert {entry.config_file for entry in MODELS.values()} == configs
    keys = {"id", "family", "parameters", "licence", "gated", "twin", "tasks"}
    for name, given in document["entries"].items():
        assert keys <= set(given) <= keys | {"counted"}, name
