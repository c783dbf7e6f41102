"""An adapter on a base packed in 4 bits: trained, cut, resumed in the same bits, the base never written."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, Qwen2Config, Qwen2ForCausalLM

from nbhelpers.errors import BadInput
from nbhelpers.training import FitSettings, fit
from nbhelpers.training.checkpoints import load_whole

pytestmark = pytest.mark.slow
SETTINGS = FitSettings(steps=8, learning_rate=1e-2, checkpoint_every_s=0, tensorboard=False)


def save_base(folder, seed):
    torch.manual_seed(seed)
    sizes = {"vocab_size": 64, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1}
    Qwen2ForCausalLM(Qwen2Config(**sizes, num_attention_heads=4, num_key_value_heads=2)).save_pretrained(
        folder
    )
    return folder


def adapted(folder):
    import bitsandbytes

    packed = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
    model = AutoModelForCausalLM.from_pretrained(folder, quantization_config=packed)
    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):  # no repacking by an evaluation on AVX-512
            module.support_avx512bf16_for_cpu = False
    torch.manual_seed(1)
    return get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"], lora_dropout=0.1))


def batch(number):
    return torch.randint(0, 64, (4, 12), generator=torch.Generator().manual_seed(number))


def loss(model, ids):
    return model(input_ids=ids, labels=ids).loss


def adapter(model):
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_an_adapter_on_four_bits_resumes_in_the_same_bits(tmp_path):
    def broken(number):
        if number == 5:
            raise OSError("no such file")
        return batch(number)

    base = save_base(tmp_path / "base", seed=0)
    whole, again = adapted(base), adapted(base)
    fit(whole, batch, loss, SETTINGS, tmp_path / "whole")
    assert all(
        value.abs().max() > 0 for name, value in adapter(whole).items() if "lora_B" in name
    )  # began at 0
    with pytest.raises(OSError, match="no such file"):
        fit(adapted(base), broken, loss, SETTINGS, tmp_path / "cut")
    assert fit(again, batch, loss, SETTINGS, tmp_path / "cut").resumed_from == 5
    expected = adapter(whole)
    assert all(torch.equal(expected[name], value) for name, value in adapter(again).items())
    kept = load_whole(tmp_path / "cut" / "checkpoint.pt")["model"]
    assert kept and all("lora_" in name for name in kept)
    with pytest.raises(BadInput, match="other frozen weights"):
        fit(adapted(save_base(tmp_path / "other", seed=7)), batch, loss, SETTINGS, tmp_path / "cut")
