"""Packed weights: which layers, that they compute and train on a CPU, and unsloth in front of it."""

import os
import sys
import types

import pytest
import tiny_models
import torch

from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.memory.shapes import Shapes
from nbhelpers.models import add_lora, family_of, full_config, load
from nbhelpers.models.loaders import How, choose_loader, load_model, read_config
from nbhelpers.models.quantize import (
    check_quantize,
    kept_prefixes,
    packed_modules,
    quantized_modules,
    settle_quantized,
)
from nbhelpers.runtime import Choice

SMALL = Shapes(images=1, text_tokens=16, new_tokens=4)


@pytest.fixture(scope="module")
def gemma(tmp_path_factory):
    return tiny_models.gemma3(tmp_path_factory.mktemp("models") / "gemma3")


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    return tiny_models.qwen2(tmp_path_factory.mktemp("models") / "qwen2")


def ids(count=16):
    torch.manual_seed(0)
    return torch.randint(10, 300, (2, count))


@pytest.mark.parametrize(
    ("name", "layers", "per_layer", "kept"),
    [
        ("gemma-3-4b", 34, 7, {"model.vision_tower", "lm_head"}),
        ("qwen2.5-vl-3b", 36, 7, {"model.visual", "lm_head"}),
        ("qwen2.5-coder-1.5b", 28, 7, {"lm_head"}),
    ],
)
def test_full_size_models_pack_the_text_layers_alone(name, layers, per_layer, kept):
    config = full_config(name)
    family = family_of(config)
    model = family.meta_model(config)
    packed = packed_modules(model, family)
    assert len(packed) == layers * per_layer
    assert all(".layers." in name and "vis" not in name for name in packed)
    assert set(kept_prefixes(model, packed)) == kept


@pytest.mark.parametrize(("quantize", "dtype"), [("nf4", torch.uint8), ("int8", torch.int8)])
def test_only_text_layers_are_packed_and_the_answer_stays_near(gemma, quantize, dtype):
    plain = load(str(gemma), shapes=SMALL)
    packed = load(str(gemma), quantize=quantize, shapes=SMALL)
    names = quantized_modules(packed.model)
    assert names == packed_modules(plain.model, plain.family) and len(names) == 14
    kinds = {name: parameter.dtype for name, parameter in packed.model.named_parameters()}
    assert {kinds[f"{name}.weight"] for name in names} == {dtype}
    assert kinds["model.vision_tower.encoder.layers.0.self_attn.q_proj.weight"] == torch.float32
    assert quantize in packed.reason and packed.quantize == quantize
    with torch.no_grad():
        one, other = plain.model(input_ids=ids()).logits, packed.model(input_ids=ids()).logits
    error = float((one - other).norm() / one.norm())
    assert 0 < error < {"nf4": 0.3, "int8": 0.05}[quantize]


def test_a_qlora_step_trains_after_an_evaluation(qwen):
    loaded = load(str(qwen), "tune", quantize="nf4", shapes=SMALL)
    assert loaded.model.training and loaded.model.is_gradient_checkpointing
    from bitsandbytes.nn.modules import Linear4bit

    layers = [module for module in loaded.model.modules() if isinstance(module, Linear4bit)]
    assert layers and all(layer.weight.quant_state.nested for layer in layers)  # double quantisation
    assert not any(layer.support_avx512bf16_for_cpu for layer in layers)
    model = add_lora(loaded.model, loaded.family, r=4, dropout=0.0).model
    model.eval()
    with torch.no_grad():
        model(input_ids=ids())
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for _ in range(4):
        loss = model(input_ids=ids(), labels=ids()).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.01


def test_an_attack_reaches_the_pixels_through_packed_layers(gemma):
    loaded = load(str(gemma), "attack", quantize="nf4", shapes=SMALL)
    inputs = loaded.family.example_inputs(loaded.config, SMALL, labels=True)
    pixels = inputs["pixel_values"].requires_grad_()
    loaded.model(**{**inputs, "pixel_values": pixels}).loss.backward()
    assert float(pixels.grad.abs().sum()) > 0
    assert not loaded.model.training and not any(p.requires_grad for p in loaded.model.parameters())


def test_layers_packed_against_the_plan_are_noticed(gemma):
    model = load(str(gemma), quantize="nf4", shapes=SMALL).model
    with pytest.raises(CheckFailed, match="1 layers"):
        settle_quantized(model, quantized_modules(model)[1:])


def test_unknown_names_are_refused():
    with pytest.raises(BadInput, match="nf4 or int8"):
        check_quantize("int4")


def test_memory_that_runs_out_while_packing_is_seen_though_transformers_hides_it(gemma, qwen, monkeypatch):
    from transformers.integrations import bitsandbytes

    packing, calls = bitsandbytes.Bnb4bitQuantize.convert, []

    def full(self, *args, **options):
        calls.append(1)
        if 5 < len(calls) <= 14:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")
        return packing(self, *args, **options)

    monkeypatch.setattr(bitsandbytes.Bnb4bitQuantize, "convert", full)
    loaded = load([str(gemma), str(qwen)], quantize="nf4", shapes=SMALL)
    assert [rung.kind for rung in loaded.rungs] == ["out_of_memory", "loaded"]
    assert "memory ran out" in loaded.rungs[0].reason


HOW = How(Choice("float32", ""), "cuda:0", "nf4", "sdpa", True, "tune")


class FakeUnsloth(types.ModuleType):
    """The two loaders of unsloth that are called, on the CPU; `faults` changes what they bring."""

    def __init__(self, fault=None):
        super().__init__("unsloth")
        self.calls, self.fault = [], fault
        self.FastVisionModel = self.FastLanguageModel = self

    def from_pretrained(self, **options):
        from transformers import AutoConfig, AutoTokenizer

        self.calls.append(options)
        if self.fault == "memory":
            raise torch.OutOfMemoryError("CUDA out of memory")
        folder = options["model_name"]
        config = AutoConfig.from_pretrained(folder)
        packing = None if self.fault == "unpacked" else options["quantization_config"]
        kind = family_of(config).model_class(config)
        model = kind.from_pretrained(folder, quantization_config=packing, dtype=options["dtype"])
        return model, AutoTokenizer.from_pretrained(folder)


def with_unsloth(monkeypatch, fault=None):
    from nbhelpers.models import loaders

    fake = FakeUnsloth(fault)
    monkeypatch.setitem(sys.modules, "unsloth", fake)
    monkeypatch.setattr(loaders, "find_spec", lambda name: object())
    plain = loaders._with_transformers
    on_cpu = {"device": "cpu"}
    monkeypatch.setattr(
        loaders, "_with_transformers", lambda f, a, c, h: plain(f, a, c, How(**{**vars(h), **on_cpu}))
    )
    monkeypatch.delenv("UNSLOTH_RETURN_LOGITS", raising=False)
    return fake


def test_unsloth_and_the_plain_path_bring_the_same_model(qwen, monkeypatch):
    fake = with_unsloth(monkeypatch)
    config = read_config(qwen)
    model, loader = load_model(qwen, family_of(config), config, HOW)
    assert loader.value == "unsloth"
    (call,) = fake.calls
    assert call["model_name"] == str(qwen) and call["device_map"] == {"": "cuda:0"}
    assert call["load_in_4bit"] and not call["load_in_8bit"] and call["dtype"] == torch.float32
    assert call["max_seq_length"] == 512 and call["use_gradient_checkpointing"] is True
    assert os.environ["UNSLOTH_RETURN_LOGITS"] == "1"
    plain = load(str(qwen), "tune", quantize="nf4", shapes=SMALL).model
    assert quantized_modules(model) == quantized_modules(plain)
    with torch.no_grad():
        assert torch.equal(model.eval()(ids()).logits, plain.eval()(ids()).logits)


def test_another_model_than_asked_for_sends_it_to_the_plain_path(qwen, monkeypatch):
    with_unsloth(monkeypatch, "unpacked")
    config = read_config(qwen)
    model, loader = load_model(qwen, family_of(config), config, HOW)
    assert loader.value == "transformers" and "another model" in loader.reason
    assert len(quantized_modules(model)) == 14


def test_an_unsloth_that_does_not_import_is_said(qwen, monkeypatch):
    with_unsloth(monkeypatch)
    monkeypatch.setitem(sys.modules, "unsloth", None)
    config = read_config(qwen)
    _, loader = load_model(qwen, family_of(config), config, HOW)
    assert loader.value == "transformers" and "does not import" in loader.reason


def test_memory_that_runs_out_in_unsloth_is_no_reason_to_try_again(qwen, monkeypatch):
    from nbhelpers.models.rungs import Refused

    with_unsloth(monkeypatch, "memory")
    config = read_config(qwen)
    with pytest.raises(Refused) as caught:
        load_model(qwen, family_of(config), config, HOW)
    assert caught.value.kind == "out_of_memory"


def test_which_loader(monkeypatch):
    from nbhelpers.models import loaders

    monkeypatch.setattr(loaders, "find_spec", lambda name: object())
    text, picture = family_of("gemma3"), family_of("sam")
    attack = How(**{**vars(HOW), "task": "attack"})
    cpu = How(**{**vars(HOW), "device": "cpu"})
    assert choose_loader(text, HOW).value == "unsloth"
    assert {choose_loader(*pair).value for pair in [(text, attack), (text, cpu), (picture, HOW)]} == {
        "transformers"
    }
