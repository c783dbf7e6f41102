"""What each kind of damage does to weights, checked by hand on small tensors and on the twin."""

import math

import pytest
import torch

from nbhelpers.degrade.blocks import BLOCK, blocks, draw, seed_of
from nbhelpers.degrade.chat import Asked, tokenizer_of
from nbhelpers.degrade.generation import Decoding, write
from nbhelpers.degrade.groups import GROUPS, resolve
from nbhelpers.degrade.lesions import apply_lesion, quantized, target
from nbhelpers.degrade.methods import METHODS, Lesion
from nbhelpers.degrade.unpack import packed_names, unpack
from nbhelpers.errors import BadInput
from nbhelpers.metrics.text import score_texts
from nbhelpers.models import Snapshot, load, tensor_digests

LEVELS = {"mult_gauss": 0.5, "ablation": 0.3, "uni_quant": 8, "norm_matched": 0.5, "gain_only": 0.5}
OWN = ("attn_only", "mlp_only", "embed_only", "attn_mlp", "norms", "all_text", "vision", "projector")


def copies(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def of_group(loaded, group):
    return {part.name for part in resolve(loaded.model, loaded.family, group)}


@pytest.mark.parametrize("group", [*OWN, "mlp_only@1", "attn_only@0-2", "vision.mlp@2"])
def test_nothing_outside_the_group_changes_and_restoring_is_byte_exact(twin, group):
    before, snapshot = tensor_digests(twin.model), Snapshot(twin.model)
    inside = of_group(twin, group)
    apply_lesion(twin.model, twin.family, Lesion("mult_gauss", group, 0.5))
    after = tensor_digests(twin.model)
    changed = {name for name, _ in twin.model.named_parameters() if before[name] != after[name]}
    assert changed
    assert changed <= inside
    # What is all zeros (a bias that was never trained) cannot be changed by a factor.
    assert all(not twin.model.get_parameter(name).any() for name in inside - changed)
    snapshot.restore()
    assert tensor_digests(twin.model) == before


def test_every_group_has_a_test_above():
    assert set(OWN) == set(GROUPS)


def test_multiplicative_noise_multiplies_by_one_plus_sigma_times_the_drawn_noise(twin):
    name = "model.language_model.layers.1.mlp.up_proj.weight"
    before = copies(twin.model)[name]
    apply_lesion(twin.model, twin.family, Lesion("mult_gauss", "mlp_only@1", 0.25, 3, "lab"))
    noise = draw("normal", before.shape, ("lab", "text.mlp", 0.25, 3, name, 0))
    torch.testing.assert_close(twin.model.get_parameter(name), before * (1 + 0.25 * noise), rtol=0, atol=0)
    assert abs(float(noise.mean())) < 0.02
    assert float(noise.std()) == pytest.approx(1, abs=0.02)


def test_ablation_sets_its_share_to_zero_and_leaves_the_rest(twin):
    before = copies(twin.model)
    report = apply_lesion(twin.model, twin.family, Lesion("ablation", "mlp_only", 0.3))
    assert report.zeroed == report.changed
    assert report.zeroed / report.values == pytest.approx(0.3, abs=4 * math.sqrt(0.21 / report.values))
    for part in resolve(twin.model, twin.family, "mlp_only"):
        kept = part.values != 0
        assert torch.equal(part.values[kept], before[part.name][kept])
    whole = apply_lesion(twin.model, twin.family, Lesion("ablation", "mlp_only", 1.0))
    assert whole.rms_after == 0


def test_quantisation_by_hand():
    weights = torch.tensor([-1.0, -0.6, -0.1, 0.2, 0.75, 1.0])
    # Five levels from -1 to 1: -1, -.5, 0, .5, 1.
    expected = torch.tensor([-1.0, -0.5, 0.0, 0.0, 1.0, 1.0])
    torch.testing.assert_close(quantized(weights, 5, -1.0, 1.0), expected)
    assert torch.equal(quantized(torch.ones(3), 4, 1.0, 1.0), torch.ones(3))


@pytest.mark.parametrize("levels", [4, 8, 64, 1024])
def test_quantised_tensors_have_at_most_so_many_values_and_keep_their_ends(twin, levels):
    before = copies(twin.model)
    apply_lesion(twin.model, twin.family, Lesion("uni_quant", "attn_only", levels))
    for part in resolve(twin.model, twin.family, "attn_only"):
        old, new = before[part.name], part.values
        assert len(new.unique()) <= levels
        assert float((new - old).abs().max()) <= float(old.max() - old.min()) / (levels - 1) / 2 * 1.001
        torch.testing.assert_close(new.aminmax(), old.aminmax())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_arithmetic_is_float32_whatever_the_weights_are(twin, dtype):
    """In bfloat16 1,024 levels cannot even be counted; rounded once at the end, all is as in float32."""
    name = "model.language_model.layers.0.mlp.up_proj.weight"
    part = next(p for p in resolve(twin.model, twin.family, "mlp_only@0") if p.name == name)
    stored = part.parameter.data
    narrow = stored.to(dtype)
    try:
        for lesion in (Lesion("mult_gauss", "mlp_only@0", 0.3), Lesion("uni_quant", "mlp_only@0", 1024)):
            part.parameter.data = narrow.float()
            apply_lesion(twin.model, twin.family, lesion)
            exact = part.parameter.data.to(dtype)
            part.parameter.data = narrow.clone()
            apply_lesion(twin.model, twin.family, lesion)
            assert torch.equal(part.parameter.data, exact)
    finally:
        part.parameter.data = stored


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("group", ["attn_only", "norms", "embed_only"])
def test_the_sham_changes_no_byte(twin, method, group):
    before = tensor_digests(twin.model)
    report = apply_lesion(twin.model, twin.family, Lesion(method, group, 0))
    assert report.changed == 0
    assert tensor_digests(twin.model) == before


def test_noise_grows_the_norm_and_its_two_controls_part_growth_from_noise(twin):
    snapshot, sigma = Snapshot(twin.model), 0.8
    grown = math.sqrt(1 + sigma**2)
    found = {}
    for method in ("mult_gauss", "gain_only", "norm_matched"):
        found[method] = apply_lesion(twin.model, twin.family, Lesion(method, "mlp_only", sigma))
        found[method, "values"] = copies(twin.model)["model.language_model.layers.2.mlp.up_proj.weight"]
        snapshot.restore()
    ratio = {m: found[m].rms_after / found[m].rms_before for m in ("mult_gauss", "gain_only", "norm_matched")}
    assert ratio["mult_gauss"] == pytest.approx(grown, rel=0.01)
    assert ratio["gain_only"] == pytest.approx(grown, rel=1e-5)
    assert ratio["norm_matched"] == pytest.approx(1, rel=1e-5)
    # The control is the very noise of the method, scaled: one factor for the whole tensor.
    quotient = found["mult_gauss", "values"] / found["norm_matched", "values"]
    assert float(quotient.std()) < 1e-4


def test_as_many_weights_are_masked_elsewhere(twin):
    before = tensor_digests(twin.model)
    here = apply_lesion(twin.model, twin.family, Lesion("ablation", "attn_only", 0.4))
    own = of_group(twin, "attn_only")
    lesion = Lesion("mask_elsewhere", "attn_only", 0.4)
    elsewhere = {part.name for part in target(twin.model, twin.family, lesion)}
    assert elsewhere == of_group(twin, "mlp_only") | of_group(twin, "embed_only")
    middle = tensor_digests(twin.model)
    there = apply_lesion(twin.model, twin.family, lesion)
    assert there.zeroed == pytest.approx(here.zeroed, rel=0.02)
    after = tensor_digests(twin.model)
    assert all(after[name] == middle[name] for name in own)
    assert all(after[name] != before[name] for name in elsewhere)


def test_more_than_there_is_elsewhere_is_refused(twin):
    with pytest.raises(BadInput, match=r"levels up to 0\.56 can be matched"):
        apply_lesion(twin.model, twin.family, Lesion("mask_elsewhere", "mlp_only", 0.8))


def test_a_lesion_depends_on_nothing_but_its_seed(twin):
    """Not on order, not on other groups, not on torch's own generator; but on each part of the key."""
    snapshot = Snapshot(twin.model)
    name = "model.language_model.layers.3.self_attn.v_proj.weight"

    def after(*lesions):
        for lesion in lesions:
            apply_lesion(twin.model, twin.family, lesion)
        made = copies(twin.model)[name]
        snapshot.restore()
        return made

    alone = after(Lesion("mult_gauss", "attn_only", 0.5))
    torch.manual_seed(1)
    assert torch.equal(
        after(Lesion("ablation", "mlp_only", 0.5), Lesion("mult_gauss", "attn_only", 0.5)), alone
    )
    assert torch.equal(after(Lesion("mult_gauss", "attn_mlp", 0.5)), alone)  # the same, side by side
    assert torch.equal(after(Lesion("mult_gauss", "attn_only@3", 0.5)), alone)
    for other in (
        Lesion("mult_gauss", "attn_only", 0.5, repeat=1),
        Lesion("mult_gauss", "attn_only", 0.5, experiment="b"),
        Lesion("mult_gauss", "attn_only", 0.6),
    ):
        assert not torch.equal(after(other), alone)


def test_seeds_are_the_same_on_every_machine():
    assert seed_of(("lab", "text.mlp", 0.5, 1, "w", 0)) == 6133290951352179780


def test_a_tied_embedding_is_reported_as_output_head_too(twin, coder):
    report = apply_lesion(twin.model, twin.family, Lesion("mult_gauss", "embed_only", 0.1))
    assert report.also == ("text.head",)
    assert apply_lesion(twin.model, twin.family, Lesion("mult_gauss", "attn_only", 0.1)).also == ()


def test_noise_on_gemmas_norms_is_on_what_they_multiply_with(twin):
    """They use 1 + w: a factor on a small w does nothing, so the lesion is of the sum."""
    name = "model.language_model.norm.weight"
    before = copies(twin.model)[name]
    report = apply_lesion(twin.model, twin.family, Lesion("mult_gauss", "norms", 0.5))
    noise = draw("normal", before.shape, ("", "text.norm", 0.5, 0, name, 0))
    torch.testing.assert_close(twin.model.get_parameter(name).data, (1 + before) * (1 + 0.5 * noise) - 1)
    assert report.offset == report.tensors
    ablated = apply_lesion(twin.model, twin.family, Lesion("ablation", "norms", 1.0))
    assert ablated.rms_after == 0
    assert bool((twin.model.get_parameter(name) == -1).all())


def test_qwens_norms_multiply_with_the_weight_itself(coder):
    snapshot = Snapshot(coder.model)
    report = apply_lesion(coder.model, coder.family, Lesion("ablation", "norms", 1.0))
    assert report.offset == 0
    assert not coder.model.get_parameter("model.norm.weight").any()
    snapshot.restore()


@pytest.mark.parametrize(
    ("lesion", "message"),
    [
        (("burn", "attn_only", 0.1), "method 'burn': there are mult_gauss"),
        (("ablation", "attn_only", 1.5), "must be 0 or from 0 to 1"),
        (("uni_quant", "attn_only", 1), "must be 0 or from 2"),
        (("uni_quant", "attn_only", 4.5), "whole number"),
        (("mult_gauss", "attn only", 0.1), "write a group"),
    ],
)
def test_what_is_no_damage_is_refused(lesion, message):
    with pytest.raises(BadInput, match=message):
        Lesion(*lesion)


def test_packed_weights_are_refused_by_name_and_can_be_unpacked():
    packed = load("tiny/gemma-3", task="infer", device="cpu", quantize="nf4")
    with pytest.raises(BadInput, match=r"layers\.0\.self_attn\.q_proj\.weight: is packed \(nf4\).*unpack"):
        apply_lesion(packed.model, packed.family, Lesion("mult_gauss", "attn_only", 0.1))
    names = packed_names(packed.model)
    assert len(names) == 4 * 7
    assert unpack(packed) == len(names)
    assert packed_names(packed.model) == []
    report = apply_lesion(packed.model, packed.family, Lesion("mult_gauss", "attn_only", 0.1))
    assert report.changed / report.values > 0.85  # the others are zeros: nf4 has one
    assert unpack(packed) == 0


def test_large_tensors_go_block_by_block_and_each_block_draws_its_own_noise():
    rows = 5
    big = torch.ones(rows, BLOCK // 2)
    assert [len(block) for block in blocks(big)] == [2, 2, 1]
    one, other = (draw("uniform", (4,), ("k", number)) for number in (0, 1))
    assert not torch.equal(one, other)
    assert float(one.min()) >= 0
    assert float(one.max()) < 1


def rise(loaded, method, text, sigma=1.0):
    """How many times the perplexity of a text is what it was, under a lesion of attention."""
    tokenizer = tokenizer_of(loaded)
    snapshot, before = Snapshot(loaded.model), score_texts(loaded.model, tokenizer, [text]).perplexity
    apply_lesion(loaded.model, loaded.family, Lesion(method, "attn_only", sigma))
    after = score_texts(loaded.model, tokenizer, [text]).perplexity
    snapshot.restore()
    return after / before


def test_growth_alone_costs_nothing_between_norms_and_much_without_them(twin, coder):
    """Gemma-3 has a norm behind every block and on queries and keys; Qwen2 has neither."""
    # What each knows best: its own.
    dream = write(twin, [Asked(0, "tell", "en", "Tell me a dream.", 60)], Decoding(), 0)[0].text
    assert rise(twin, "gain_only", dream) == pytest.approx(1, abs=1e-3)
    assert rise(twin, "norm_matched", dream) == pytest.approx(rise(twin, "mult_gauss", dream), rel=0.02)
    assert rise(twin, "mult_gauss", dream) > 1.5
    asked = Asked(0, "add", "en", "Write a function that adds two numbers.", 100)
    program = write(coder, [asked], Decoding(), 0)[0].text
    assert rise(coder, "gain_only", program) > 1.3
    assert rise(coder, "mult_gauss", program) > 1.3 * rise(coder, "norm_matched", program)


@pytest.mark.gpu
@pytest.mark.parametrize("method", ["mult_gauss", "ablation", "uni_quant"])
def test_a_lesion_is_the_same_on_a_gpu(twin, method):
    before = copies(twin.model)
    lesion = Lesion(method, "mlp_only", LEVELS[method])
    apply_lesion(twin.model, twin.family, lesion)
    here = {part.name: part.values.clone() for part in resolve(twin.model, twin.family, "mlp_only")}
    other = load("tiny/gemma-3", task="infer", device="cuda:0")
    apply_lesion(other.model, other.family, lesion)
    for name, values in here.items():
        there = other.model.get_parameter(name).cpu().float()
        torch.testing.assert_close(
            there, values, rtol=1e-2 if other.dtype != torch.float32 else 1e-6, atol=1e-6
        )
        assert not torch.equal(values, before[name])
