import copy

import pytest
import torch
from family_configs import RESNET, SMALL, small_config, small_model

from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.memory.shapes import Shapes
from nbhelpers.models import (
    add_lora,
    count_roles,
    expand_roles,
    family_of,
    freeze_batch_norm,
    full_config,
    lora_modules,
    lora_roles,
    role_of,
    tensor_digests,
    verify_only_adapter_changed,
)
from nbhelpers.models.roles import plain_name

DINO = "grounding-dino-tiny"
DETECTORS = ("grounding-dino", "mm-grounding-dino")


def wrapped_at_full_size(name, **given):
    config = full_config(name)
    family = family_of(config)
    return add_lora(family.meta_model(config), family, **given)


COUNTS = [
    # Backbone, text, encoder and decoder attention: the default.
    (DINO, None, 16, 2_482_176),
    (DINO, "*.attention", 16, 2_482_176),
    # Encoder and decoder attention, its sampling, fusion; then with the feed-forward layers.
    (DINO, ("*coder.attention", "*coder.sampling", "fusion"), 16, 1_695_744),
    (DINO, ("encoder", "decoder", "fusion"), 16, 2_826_240),
    # Without the sampling.
    (DINO, ("*coder.attention", "*coder.mlp", "fusion"), 16, 2_654_208),
    ("grounding-dino-base", ("*coder.attention", "*coder.mlp", "fusion"), 16, 2_654_208),
    ("mm-grounding-dino-tiny", None, 16, 2_482_176),
    ("sam-vit-huge", None, 8, 94_208),
    ("sam-vit-base", "mask_decoder", 8, 167_936),
    ("sam2.1-hiera-tiny", None, 8, 94_208),
    ("qwen2.5-vl-3b", None, 16, 36 * 16 * (4096 + 2304 + 2304 + 4096)),
    ("gemma-3-4b", None, 16, 34 * 16 * (4608 + 3584 + 3584 + 4608)),
    ("qwen2.5-coder-0.5b", "text", 8, 24 * 8 * (2 * 1792 + 2 * 1024 + 3 * 5760)),
]


@pytest.mark.parametrize(("name", "roles", "r", "trainable"), COUNTS, ids=str)
def test_counts_at_full_size(name, roles, r, trainable, meta_model):
    model, family = meta_model(name)
    layers = [model.get_submodule(module) for module in lora_modules(model, family, roles)]
    assert sum(r * (layer.in_features + layer.out_features) for layer in layers) == trainable
    assert trainable < 0.02 * sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("name", "given", "trainable"),
    [
        (DINO, {"r": 16, "alpha": 32, "dropout": 0.1}, 2_482_176),
        ("sam-vit-huge", {"r": 8, "alpha": 16, "dropout": 0.05}, 94_208),
        ("qwen2.5-vl-3b", {}, 36 * 16 * (4096 + 2304 + 2304 + 4096)),
    ],
    ids=str,
)
def test_what_is_reported_is_what_is_trained(name, given, trainable):
    report = wrapped_at_full_size(name, **given)
    assert report.trainable == trainable
    assert sum(p.numel() for p in report.model.parameters() if p.requires_grad) == trainable
    assert sum(p.numel() for p in report.model.parameters()) == trainable + report.total
    assert sum(report.by_role.values()) == trainable
    assert report.share < 0.02
    assert f"{trainable:,} of {report.total:,}" in str(report)
    assert set(report.roles) == set(family_of(full_config(name)).lora_roles)


def test_the_default_of_grounding_dino_reaches_all_its_parts(meta_model):
    model, family = meta_model(DINO)
    plan = lora_modules(model, family)
    assert {role.partition(".")[0] for role in plan.values()} == {
        "backbone", "text", "fusion", "encoder", "decoder",
    }  # fmt: skip
    # The list of names one would guess matches the last of its four alone.
    guessed = ["q_proj", "k_proj", "v_proj", "out_proj"]
    linear = [n for n, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    own = [
        n for n in linear if n.startswith(("model.encoder.", "model.decoder.")) and n.endswith(tuple(guessed))
    ]
    assert {name.rpartition(".")[2] for name in own} == {"out_proj"}


@pytest.mark.parametrize("name", ["gemma-3-12b", "qwen3-vl-4b", "paligemma-3b", "smolvlm-500m", "gemma-2-9b"])
def test_language_attention_is_the_default_and_vision_is_off(name, meta_model):
    model, family = meta_model(name)
    plan = lora_modules(model, family)
    assert set(plan.values()) == {"text.attention"}
    assert len(plan) == 4 * model.config.get_text_config().num_hidden_layers


def one_step(report, family):
    """One optimiser step on all that asks for a gradient."""
    model = report.model.train()
    side = 128 if family.model_type in DETECTORS else None
    shapes = Shapes(batch=2, size=side, text_tokens=9)
    output = model(**family.example_inputs(model.config, shapes, labels=True))
    loss = output.loss if family.own_loss else output.pred_masks.square().mean()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-2, weight_decay=0.0)
    loss.backward()
    optimizer.step()


@pytest.mark.parametrize("model_type", SMALL)
def test_one_step_changes_the_adapter_and_not_a_byte_else(model_type):
    model, family = small_model(model_type)
    report = add_lora(model, family, r=4, alpha=8, dropout=0.0)
    before = tensor_digests(report.model)
    one_step(report, family)
    changed = verify_only_adapter_changed(before, report.model)
    assert {name.rpartition(".lora_")[2].partition(".")[0] for name in changed} == {"B"}
    assert {role_of(family, name) for name in changed} <= set(family.lora_roles)
    with pytest.raises(CheckFailed, match="no adapter tensor changed"):
        verify_only_adapter_changed(tensor_digests(report.model), report.model)


@pytest.mark.parametrize("model_type", SMALL)
def test_every_layer_lora_may_wrap_learns(model_type):
    """A layer whose weight is read but never called would be wrapped to no effect."""
    model, family = small_model(model_type)
    report = add_lora(model, family, list(family.linears), r=2, dropout=0.0)
    before = tensor_digests(report.model)
    one_step(report, family)
    changed = verify_only_adapter_changed(before, report.model)
    assert {plain_name(name).removesuffix(".weight") for name in changed} == set(report.modules)


@pytest.mark.parametrize("model_type", ["qwen2", "sam", "grounding-dino"])
def test_a_changed_weight_of_the_base_is_found(model_type):
    model, family = small_model(model_type)
    report = add_lora(model, family, r=4)
    before = tensor_digests(report.model)
    one_step(report, family)
    victim_name, victim = next((n, p) for n, p in report.model.named_parameters() if "norm" in n.lower())
    with torch.no_grad():
        bits = victim.view(torch.int32)
        bits.view(-1)[0] ^= 1  # the last bit of one value
    with pytest.raises(CheckFailed, match="1 tensors outside the adapter changed, such as") as error:
        verify_only_adapter_changed(before, report.model)
    assert victim_name in str(error.value)


def test_a_step_that_trains_the_base_is_found():
    model, family = small_model("qwen2")
    report = add_lora(model, family, r=4)
    before = tensor_digests(report.model)
    report.model.base_model.model.model.norm.weight.requires_grad_(True)
    one_step(report, family)
    with pytest.raises(CheckFailed, match=r"model\.norm\.weight"):
        verify_only_adapter_changed(before, report.model)


def test_values_that_are_not_finite_and_digests_of_another_model():
    model, family = small_model("qwen2")
    report = add_lora(model, family, r=4)
    before = tensor_digests(report.model)
    adapter = next(p for n, p in report.model.named_parameters() if "lora_B" in n)
    with torch.no_grad():
        adapter[0, 0] = float("nan")
    with pytest.raises(CheckFailed, match="no longer finite"):
        verify_only_adapter_changed(before, report.model)
    with pytest.raises(BadInput, match="digests of another model"):
        verify_only_adapter_changed({"a": "b"}, report.model)


def test_batch_normalisation_stays_as_it_is_while_training():
    model, family = small_model("qwen2")
    model.probe = torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 4))
    report = add_lora(model, family, r=4)
    assert report.frozen_batch_norm == ("base_model.model.probe.0",)
    probe = report.model.train().base_model.model.probe
    assert probe.training
    assert not probe[0].training
    before = tensor_digests(report.model)
    probe(torch.randn(8, 4) + 5).sum()
    one_step(report, family)
    assert verify_only_adapter_changed(before, report.model)
    assert not any(parameter.requires_grad for parameter in probe[0].parameters())
    assert not copy.deepcopy(report.model).train().base_model.model.probe[0].training


def test_moving_statistics_are_found_where_batch_normalisation_was_not_frozen():
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(4))
    before = tensor_digests(model)
    model.train()(torch.randn(8, 4))
    with pytest.raises(CheckFailed, match=r"running_mean|num_batches"):
        verify_only_adapter_changed(before, model)
    assert freeze_batch_norm(model) == ("0",)


@pytest.mark.parametrize("changes", [{}, {"backbone_config": RESNET}], ids=["swin", "resnet"])
def test_a_wrapped_grounding_dino_keeps_its_tied_box_heads(tmp_path, changes):
    model, family = small_model("grounding-dino", **changes)
    roles = ["encoder.attention", "decoder.attention"]
    report = add_lora(model, family, roles, r=4, dropout=0.0)
    one_step(report, family)
    merged = report.model.eval().merge_and_unload()
    merged.save_pretrained(tmp_path)
    again = type(merged).from_pretrained(tmp_path).eval()
    assert again.config.tie_word_embeddings is True
    heads = again.model.decoder.bbox_embed
    assert all(heads[i].layers[0].weight is heads[0].layers[0].weight for i in range(len(heads)))
    inputs = family.example_inputs(model.config, Shapes(size=128, text_tokens=9))
    with torch.no_grad():
        torch.testing.assert_close(again(**inputs).pred_boxes, merged(**inputs).pred_boxes)


def test_grounding_dino_answers_with_its_word_embeddings():
    model, family = small_model("grounding-dino")
    with pytest.raises(NotImplementedError):
        model.get_input_embeddings()
    names = [name for name, _ in model.named_parameters()]
    add_lora(model, family, r=4)
    assert model.get_input_embeddings() is model.model.text_backbone.embeddings.word_embeddings
    twin = copy.deepcopy(model)
    assert twin.get_input_embeddings() is twin.model.text_backbone.embeddings.word_embeddings
    assert not hasattr(type(model)(small_config("grounding-dino")), "_embedding_tower")
    assert len(names) == len([n for n, _ in model.named_parameters() if ".lora_" not in n])


def test_the_untrained_adapter_changes_no_output():
    model, family = small_model("gemma3")
    inputs = family.example_inputs(model.config, Shapes(text_tokens=9))
    with torch.no_grad():
        before = model(**inputs).logits
        report = add_lora(model, family, "text", r=4)
        assert torch.equal(report.model.eval()(**inputs).logits, before)


def test_packed_weights_count_with_the_values_they_stand_for_and_stay_as_they_are(tmp_path):
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    plain, family = small_model("qwen2")
    plain.save_pretrained(tmp_path)
    packing = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
    packed = AutoModelForCausalLM.from_pretrained(tmp_path, quantization_config=packing)
    assert packed.model.layers[0].mlp.up_proj.weight.dtype == torch.uint8
    assert count_roles(packed, family) == count_roles(plain, family)
    report = add_lora(packed, family, "text", r=4)
    assert report.total == sum(p.numel() for p in plain.parameters())
    assert len(report.modules) == 2 * 7
    before = tensor_digests(report.model)
    one_step(report, family)
    assert len(verify_only_adapter_changed(before, report.model)) == 14


def test_roles_and_names_narrow_what_is_wrapped():
    model, family = small_model("gemma3")
    report = add_lora(model, family, "text.attention", r=4, modules=[r".*layers\.1\..*", "v_proj"])
    assert report.modules == (
        "model.language_model.layers.0.self_attn.v_proj",
        *(f"model.language_model.layers.1.self_attn.{part}_proj" for part in "qkvo"),
    )
    assert report.roles == ("text.attention",)


def test_nothing_matched_and_outside_the_roles_are_errors():
    model, family = small_model("gemma3")
    with pytest.raises(
        BadInput, match=r"role 'text.norm': no linear layers for LoRA in gemma3; roles that have"
    ):
        add_lora(model, family, "text.norm")
    with pytest.raises(BadInput, match=r"it matches model\.vision_tower.*fc1, outside them"):
        add_lora(model, family, "text.attention", modules=["fc1"])
    with pytest.raises(BadInput, match="nor any other linear layer"):
        add_lora(model, family, "text.attention", modules=["no_such"])
    with pytest.raises(BadInput, match="no roles were given"):
        add_lora(model, family, [])
    assert not any(".lora_" in name for name, _ in model.named_parameters()), "a refusal changes nothing"


def test_a_role_this_model_has_no_layers_of_is_an_error():
    model, family = small_model("grounding-dino", backbone_config=RESNET)
    with pytest.raises(BadInput, match=r"no linear layers of role backbone\.attention"):
        add_lora(model, family)


@pytest.mark.parametrize("given", [{"r": 0}, {"alpha": 0}, {"dropout": 1.0}, {"dropout": -0.1}], ids=str)
def test_values_out_of_range(given):
    model, family = small_model("qwen2")
    with pytest.raises(BadInput, match="use r >= 1"):
        add_lora(model, family, **given)


def test_a_second_adapter_is_refused():
    model, family = small_model("qwen2")
    report = add_lora(model, family, r=4)
    with pytest.raises(BadInput, match="has a LoRA adapter already"):
        add_lora(report.model, family, r=4)


def test_names_of_roles_for_lora_are_those_with_linear_layers():
    family = family_of("grounding-dino")
    assert lora_roles(family) == family.lora_roles
    assert lora_roles(family, "decoder") == ("decoder.attention", "decoder.sampling", "decoder.mlp")
    assert set(expand_roles(family, "decoder")) > set(lora_roles(family, "decoder"))


def test_an_unknown_family_is_wrapped_everywhere_but_at_the_head_and_inside_multi_head_attention():
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    model = LlamaForCausalLM(config)
    model.pool = torch.nn.MultiheadAttention(16, 2)
    with pytest.warns(UserWarning, match="not among the known"):
        family = family_of(config)
    plan = lora_modules(model, family)
    assert len(plan) == 7
    assert "lm_head" not in plan
    assert "pool.out_proj" not in plan
    assert add_lora(model, family, r=2).roles == ("other",)
