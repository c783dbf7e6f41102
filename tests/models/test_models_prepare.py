"""The state a loaded model is in: frozen or training, checkpointed, finite, on one device."""

import pytest
import tiny_models
import torch
from torch import nn

from nbhelpers.memory.shapes import Shapes
from nbhelpers.models import NothingFits, add_lora, family_of, load
from nbhelpers.models.prepare import check_finite, one_device
from nbhelpers.models.rungs import Refused

SMALL = Shapes(images=1, text_tokens=16, new_tokens=4)


@pytest.fixture(scope="module")
def gemma(tmp_path_factory):
    return tiny_models.gemma3(tmp_path_factory.mktemp("models") / "gemma3")


def step(loaded, checkpointing_seen):
    """Loss and pixel gradient of one step, and which layers were checkpointed."""
    torch.manual_seed(0)
    inputs = loaded.family.example_inputs(loaded.config, SMALL, labels=True)
    pixels = inputs["pixel_values"].requires_grad_()
    calls = []
    for name, module in loaded.model.named_modules():
        if hasattr(module, "_gradient_checkpointing_func"):
            plain = module._gradient_checkpointing_func

            def counted(*args, plain=plain, name=name, **options):
                calls.append(name)
                return plain(*args, **options)

            module._gradient_checkpointing_func = counted
    loss = loaded.model(**{**inputs, "pixel_values": pixels}).loss
    loss.backward()
    assert bool(calls) is checkpointing_seen
    return loss.detach(), pixels.grad


def test_tuning_trains_with_checkpoints_and_input_gradients(gemma):
    loaded = load(str(gemma), "tune", shapes=SMALL)
    assert loaded.model.training and loaded.model.is_gradient_checkpointing
    assert loaded.model.config.get_text_config().use_cache is False
    embedded = []
    loaded.model.get_input_embeddings().register_forward_hook(
        lambda m, i, o: embedded.append(o.requires_grad)
    )
    model = add_lora(loaded.model, loaded.family, dropout=0.0).model
    inputs = loaded.family.example_inputs(loaded.config, SMALL, labels=True)
    model(**inputs).loss.backward()
    assert embedded == [True]
    grads = [parameter.grad for name, parameter in model.named_parameters() if "lora_B" in name]
    assert grads and all(float(grad.abs().sum()) > 0 for grad in grads)


def test_checkpointing_can_be_left_out(gemma):
    model = load(str(gemma), "tune", gradient_checkpointing=False, shapes=SMALL).model
    assert model.training and not model.is_gradient_checkpointing


def test_an_attack_may_checkpoint_and_gets_the_same_gradient(gemma):
    plain = step(load(str(gemma), "attack", shapes=SMALL), checkpointing_seen=False)
    loaded = load(str(gemma), "attack", gradient_checkpointing=True, shapes=SMALL)
    assert not any(module.training for module in loaded.model.modules() if isinstance(module, nn.Dropout))
    checkpointed = step(loaded, checkpointing_seen=True)
    assert float(plain[1].abs().sum()) > 0
    torch.testing.assert_close(checkpointed, plain)


def test_a_class_without_checkpointing_says_so(tmp_path, monkeypatch):
    from transformers import SamModel

    monkeypatch.setattr(SamModel, "supports_gradient_checkpointing", False)
    folder = str(tiny_models.sam(tmp_path / "sam"))
    with pytest.raises(NothingFits) as caught:
        load(folder, "tune", gradient_checkpointing=True, shapes=SMALL)
    assert caught.value.rungs[0].kind == "unsupported" and "checkpointing" in caught.value.rungs[0].reason
    assert not load(folder, "tune", shapes=SMALL).model.is_gradient_checkpointing


def test_overflow_in_float16_is_a_refusal(tmp_path):
    folder = tiny_models.qwen2(tmp_path / "qwen2")
    good = load(str(folder), dtype="float16", shapes=SMALL)
    assert good.dtype == torch.float16
    with torch.no_grad():
        good.model.model.layers[0].mlp.down_proj.weight.fill_(60_000)
    with pytest.raises(Refused, match="not finite in float16") as caught:
        check_finite(good.model, family_of("qwen2"), "cpu")
    assert caught.value.kind == "unsupported"


def test_a_model_on_two_devices_is_refused():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, device="meta"))
    with pytest.raises(Refused, match="cpu, meta"):
        one_device(model)
    assert one_device(nn.Linear(2, 2)) == "cpu"


def test_an_unknown_family_loads_with_a_warning(tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = tmp_path / "gpt2"
    config = GPT2Config(vocab_size=320, n_embd=32, n_layer=2, n_head=2, n_positions=256)
    GPT2LMHeadModel(config).save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    with pytest.warns(UserWarning, match="not among the known families"):
        loaded = load(str(folder), shapes=SMALL)
    assert type(loaded.model).__name__ == "GPT2LMHeadModel" and not loaded.family.known
