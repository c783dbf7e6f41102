"""Adapters on disk: the same outputs before and after, the right base or a clear error, merged or packed."""

import json
import shutil

import pytest
import tiny_models
import torch
from family_configs import small_model

from nbhelpers import __version__
from nbhelpers.artifacts import sha256_file
from nbhelpers.errors import BadInput
from nbhelpers.memory.shapes import Shapes
from nbhelpers.models import add_lora, load, load_adapter, merge_adapter, read_adapter, save_adapter

SMALL = Shapes(images=1, text_tokens=16, new_tokens=4)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_models.qwen2(tmp_path_factory.mktemp("models") / "qwen2")


def ids():
    torch.manual_seed(0)
    return torch.randint(10, 300, (2, 12))


def logits(model):
    model.eval()
    with torch.no_grad():
        return model(input_ids=ids()).logits


def trained(loaded, seed=0):
    """The model with an adapter of random values, as after training."""
    model = add_lora(loaded.model, loaded.family, r=4, dropout=0.0).model
    torch.manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    return model


def saved(base, folder, quantize=None):
    """A saved adapter, its logits and what was loaded."""
    loaded = load(str(base), "tune", quantize=quantize, shapes=SMALL)
    model = trained(loaded)
    save_adapter(
        model, folder, base=loaded.name, revision=loaded.revision, roles=["text.attention", "text.mlp"]
    )
    return logits(model), loaded


def test_outputs_are_equal_before_and_after_and_merged(base, tmp_path):
    wanted, loaded = saved(base, tmp_path / "adapter")
    fresh = load(str(base), shapes=SMALL)
    plain = logits(fresh.model)
    again = load_adapter(fresh.model, tmp_path / "adapter")
    assert not any(parameter.requires_grad for parameter in again.parameters())
    assert float((plain - wanted).abs().max()) > 1e-2  # the adapter does something
    torch.testing.assert_close(logits(again), wanted, atol=1e-5, rtol=0)
    merged = merge_adapter(again)
    assert type(merged) is type(loaded.model) and not any(
        "lora" in name for name, _ in merged.named_parameters()
    )
    torch.testing.assert_close(logits(merged), wanted, atol=1e-5, rtol=0)


def test_only_the_adapter_is_written_with_its_record(base, tmp_path):
    from safetensors.torch import load_file

    _, loaded = saved(base, tmp_path / "adapter")
    tensors = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert tensors and all("lora_" in name for name in tensors)
    names = {path.name for path in (tmp_path / "adapter").iterdir()}
    assert names == {"adapter_model.safetensors", "adapter_config.json", "nbhelpers_adapter.json"}
    record = read_adapter(tmp_path / "adapter")
    assert record.base == base.name and record.revision == loaded.revision  # no absolute path travels
    assert record.roles == ("text.attention", "text.mlp") and record.nbhelpers == __version__
    assert record.parameters == sum(tensor.numel() for tensor in tensors.values())
    text = (tmp_path / "adapter" / "adapter_config.json").read_text()
    assert str(base.parent) not in text and json.loads(text)["base_model_name_or_path"] == base.name


def test_training_goes_on_from_a_saved_adapter(base, tmp_path):
    saved(base, tmp_path / "adapter")
    model = load_adapter(load(str(base), "tune", shapes=SMALL).model, tmp_path / "adapter", trainable=True)
    asking = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert asking and all("lora_" in name for name in asking)
    model(input_ids=ids(), labels=ids()).loss.backward()


def test_another_base_is_refused(base, tmp_path):
    saved(base, tmp_path / "adapter")
    retrained = tiny_models.qwen2(tmp_path / "qwen2", seed=1)
    other = tiny_models.qwen2(tmp_path / "other", seed=1)
    with pytest.raises(BadInput, match="trained on revision sha256"):
        load_adapter(load(str(retrained), shapes=SMALL).model, tmp_path / "adapter")
    with pytest.raises(BadInput, match="is made for qwen2"):
        load_adapter(load(str(other), shapes=SMALL).model, tmp_path / "adapter")
    model = load_adapter(load(str(retrained), shapes=SMALL).model, tmp_path / "adapter", any_revision=True)
    assert logits(model).shape == (2, 12, 320)


def test_the_same_weights_under_another_name_are_the_same_base(base, tmp_path):
    wanted, _ = saved(base, tmp_path / "adapter")
    shutil.copytree(base, tmp_path / "renamed")
    model = load_adapter(load(str(tmp_path / "renamed"), shapes=SMALL).model, tmp_path / "adapter")
    torch.testing.assert_close(logits(model), wanted, atol=1e-5, rtol=0)


def test_another_shape_is_refused_by_layer_before_anything_is_wrapped(base, tmp_path):
    from transformers import AutoModelForCausalLM

    saved(base, tmp_path / "adapter")
    wide = AutoModelForCausalLM.from_pretrained(tiny_models.qwen2(tmp_path / "wide", hidden=32))
    short = AutoModelForCausalLM.from_pretrained(tiny_models.qwen2(tmp_path / "short", layers=1))
    with (
        pytest.warns(UserWarning, match="only shapes"),
        pytest.raises(BadInput, match="features 32 here and 64"),
    ):
        load_adapter(wide, tmp_path / "adapter")
    with pytest.warns(UserWarning, match="only shapes"), pytest.raises(BadInput, match=r"layers\.1\..*lacks"):
        load_adapter(short, tmp_path / "adapter")
    assert not any("lora" in name for name, _ in wide.named_parameters())


def test_damaged_and_foreign_folders_are_refused(base, tmp_path):
    saved(base, tmp_path / "adapter")
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-8] + b"\x00" * 8)
    with pytest.raises(BadInput, match="not the file its record speaks of"):
        read_adapter(tmp_path / "adapter")
    (tmp_path / "adapter" / "nbhelpers_adapter.json").write_text('{"base": "x"}')
    with pytest.raises(BadInput, match="not a record"):
        read_adapter(tmp_path / "adapter")
    with pytest.raises(BadInput, match=r"has no nbhelpers_adapter\.json"):
        read_adapter(base)


def test_an_adapter_none_of_whose_tensors_would_be_used_is_refused(base, tmp_path):
    """peft only warns of names it does not know, and the answers would be those of the base alone."""
    from safetensors.torch import load_file, save_file

    saved(base, tmp_path / "adapter")
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    note = tmp_path / "adapter" / "nbhelpers_adapter.json"
    save_file({name.replace(".lora_", "."): value for name, value in load_file(file).items()}, file)
    note.write_text(json.dumps({**json.loads(note.read_text()), "sha256": sha256_file(file)}))
    with pytest.raises(BadInput, match="holds no low-rank tensors"):
        load_adapter(load(str(base), shapes=SMALL).model, tmp_path / "adapter")


def test_nothing_but_an_adapter_is_replaced(base, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(BadInput, match="no adapter"):
        saved(base, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


def test_a_failure_half_way_leaves_the_old_adapter(base, tmp_path, monkeypatch):
    from nbhelpers.models import adapters

    saved(base, tmp_path / "adapter")
    before = {path.name: path.read_bytes() for path in (tmp_path / "adapter").iterdir()}

    def full(path, value):
        raise OSError("no space left on device")

    monkeypatch.setattr(adapters, "write_json", full)
    loaded = load(str(base), "tune", shapes=SMALL)
    model = trained(loaded, seed=5)
    with pytest.raises(OSError, match="no space"):
        save_adapter(model, tmp_path / "adapter", base="x", revision="y", roles=[])
    assert {path.name: path.read_bytes() for path in (tmp_path / "adapter").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
    monkeypatch.undo()
    save_adapter(model, tmp_path / "adapter", base="x", revision="y", roles=[])
    assert read_adapter(tmp_path / "adapter").base == "x"
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_an_adapter_goes_onto_packed_weights_but_is_not_merged_into_them(base, tmp_path):
    wanted, _ = saved(base, tmp_path / "adapter", quantize="nf4")
    packed = load(str(base), quantize="nf4", shapes=SMALL)
    model = load_adapter(packed.model, tmp_path / "adapter")
    torch.testing.assert_close(logits(model), wanted, atol=1e-5, rtol=0)
    with pytest.raises(BadInput, match="without quantize"):
        merge_adapter(model)


def test_a_model_without_an_adapter_has_none_to_save(base, tmp_path):
    with pytest.raises(BadInput, match="add_lora"):
        save_adapter(load(str(base), shapes=SMALL).model, tmp_path / "a", base="x", revision="y", roles=[])
    assert not (tmp_path / "a").exists()


def first_output(model, inputs):
    """The largest floating-point output of one forward, which both models are compared by."""
    torch.manual_seed(0)
    with torch.no_grad():
        found = model.eval()(**inputs).to_tuple()
    return max((x for x in found if torch.is_tensor(x) and x.is_floating_point()), key=torch.numel)


@pytest.mark.parametrize("model_type", ["grounding-dino", "sam", "qwen2_5_vl"])
def test_every_kind_of_model_goes_to_disk_and_back(model_type, tmp_path):
    model, family = small_model(model_type)
    inputs = family.example_inputs(model.config, Shapes(images=1, text_tokens=16))
    wrapped = add_lora(model, family, r=4, dropout=0.0).model
    for name, parameter in wrapped.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    save_adapter(wrapped, tmp_path / "adapter", base=model_type, revision="r1", roles=family.lora_roles)
    wanted = first_output(wrapped, inputs)
    fresh = small_model(model_type)[0]
    again = load_adapter(fresh, tmp_path / "adapter", base=model_type, revision="r1")
    torch.testing.assert_close(first_output(again, inputs), wanted, atol=1e-5, rtol=0)
    torch.testing.assert_close(first_output(merge_adapter(again), inputs), wanted, atol=1e-4, rtol=1e-4)
