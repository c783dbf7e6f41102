"""Snapshots: what is put back is what was there, to the byte, at the speed of a memory copy."""

import ctypes
import statistics
import time

import pytest
import torch
from family_configs import small_model
from torch import nn

from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.models import Snapshot
from nbhelpers.models import snapshot as module


def bits(model):
    """The bytes of every parameter, by name."""
    return {
        name: parameter.detach().cpu().contiguous().view(-1).view(torch.uint8).clone()
        for name, parameter in model.named_parameters(remove_duplicate=False)
    }


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@torch.no_grad()
def spoil(model):
    for parameter in model.parameters():
        flat = parameter.data
        flat.copy_(
            torch.full_like(flat, 3) if not flat.is_floating_point() else torch.randn_like(flat.float())
        )


def odd_model():
    """Every dtype a checkpoint may hold, an empty tensor, a scalar, NaN with a payload and infinities."""
    model = nn.Module()
    model.short = nn.Parameter(torch.randn(7, 5).half())
    model.brain = nn.Parameter(torch.randn(3, 11).bfloat16())
    model.single = nn.Parameter(torch.randn(13))
    model.long = nn.Parameter(torch.randn(2, 2).double())
    model.eight = nn.Parameter(torch.randn(4, 4).to(torch.float8_e4m3fn), requires_grad=False)
    model.packed = nn.Parameter(torch.randint(0, 255, (17, 1), dtype=torch.uint8), requires_grad=False)
    model.flags = nn.Parameter(torch.tensor([True, False, True]), requires_grad=False)
    model.scalar = nn.Parameter(torch.tensor(2.5))
    model.none = nn.Parameter(torch.empty(0, 4))
    payload = torch.tensor([0x7FC12345, 0x7F812345, -0x800000, 1], dtype=torch.int32).view(torch.float32)
    model.strange = nn.Parameter(payload)
    return model


def test_every_dtype_comes_back_to_the_byte():
    model = odd_model()
    before = bits(model)
    kept = Snapshot(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.data.view(-1).view(torch.uint8).bitwise_xor_(255)
    assert not same(before, bits(model))
    assert set(kept.changed()) == set(before) - {"none"}
    kept.restore()
    assert same(before, bits(model)) and kept.changed() == []
    assert kept.nbytes == sum(part.numel() for part in before.values())
    assert kept.seconds > 0


def test_tensors_reach_over_blocks(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_BYTES", 1000)
    model = nn.Sequential(nn.Linear(30, 40), nn.Linear(40, 30).bfloat16(), nn.Linear(30, 1))
    before, kept = bits(model), Snapshot(model)
    spoil(model)
    kept.restore()
    assert same(before, bits(model))


def test_tied_tensors_are_kept_once_and_stay_tied():
    model = nn.ModuleDict({"embed": nn.Embedding(50, 8), "head": nn.Linear(8, 50, bias=False)})
    model["head"].weight = model["embed"].weight
    before, kept = bits(model), Snapshot(model)
    assert kept.nbytes == 50 * 8 * 4 and len(kept.names) == 1
    spoil(model)
    kept.restore()
    assert same(before, bits(model)) and model["head"].weight is model["embed"].weight


def test_tied_by_memory_alone_counts_once():
    model = nn.ModuleDict({"a": nn.Linear(4, 4, bias=False), "b": nn.Linear(4, 4, bias=False)})
    model["b"].weight = nn.Parameter(model["a"].weight.data)
    assert Snapshot(model).nbytes == 64


def test_views_and_strides_come_back_in_place():
    fused = torch.randn(6, 8)
    model = nn.Module()
    model.query, model.key = nn.Parameter(fused[:3]), nn.Parameter(fused[3:])
    model.turned = nn.Parameter(torch.randn(8, 6).t())
    model.strided = nn.Parameter(torch.randn(8, 6)[::2])
    pointers = [parameter.data_ptr() for parameter in model.parameters()]
    before, whole, kept = bits(model), fused.clone(), Snapshot(model)
    spoil(model)
    kept.restore()
    assert same(before, bits(model)) and torch.equal(fused, whole)
    assert pointers == [parameter.data_ptr() for parameter in model.parameters()]
    assert model.turned.stride() == (1, 6)


def test_only_what_was_chosen_is_touched():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    kept = Snapshot(model, "0.weight")
    before = bits(model)
    spoil(model)
    spoilt = bits(model)
    kept.restore()
    after = bits(model)
    assert torch.equal(after["0.weight"], before["0.weight"])
    assert all(torch.equal(after[name], spoilt[name]) for name in before if name != "0.weight")


def test_replaced_data_and_parameters_are_found_again():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    before, kept = bits(model), Snapshot(model)
    model[0].weight.data = torch.zeros(4, 4)
    model[1].weight = nn.Parameter(torch.ones(4, 4))
    kept.restore()
    assert same(before, bits(model))


def test_another_shape_is_refused_before_anything_is_written():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    kept = Snapshot(model)
    spoil(model)
    spoilt = bits(model)
    model[1].bias.data = torch.zeros(9)
    with pytest.raises(CheckFailed, match=r"1\.bias.*take a new one"):
        kept.restore()
    assert torch.equal(bits(model)["0.weight"], spoilt["0.weight"])


def test_an_unknown_name_is_an_error():
    with pytest.raises(BadInput, match=r"0\.wieght"):
        Snapshot(nn.Sequential(nn.Linear(2, 2)), "0.wieght")


def test_autograd_notices_a_restore():
    model = nn.Linear(3, 3)
    kept = Snapshot(model)
    inputs = torch.randn(2, 3, requires_grad=True)
    loss = model(inputs).sum()
    kept.restore()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_roles_choose_what_is_kept():
    from nbhelpers.models import roles_of

    model, family = small_model("gemma3")
    by_role = roles_of(model, family)
    text = {name for role, names in by_role.items() if role.startswith("text.") for name in names}
    assert set(Snapshot(model, "text.attention").names) == set(by_role["text.attention"])
    assert set(Snapshot(model, "text").names) == text
    with pytest.raises(BadInput, match=r"text\.attention"):
        Snapshot(model, "text.wings")


def test_packed_weights_come_back_with_their_scales():
    from bitsandbytes.nn import Linear4bit

    layer = Linear4bit(
        64, 64, bias=False, compress_statistics=True, quant_type="nf4", compute_dtype=torch.float32
    )
    model = nn.Sequential(layer)
    model.load_state_dict({"0.weight": torch.randn(64, 64)})
    model.to("cpu")
    inputs = torch.randn(2, 64)
    with torch.no_grad():
        wanted = model(inputs)
        kept = Snapshot(model)
        assert {"0.weight", "0.weight.quant_state.absmax"} <= set(kept.names)
        layer.weight.data.bitwise_not_()
        layer.weight.quant_state.absmax.zero_()
        layer.weight.quant_state.state2.absmax.zero_()
        assert not torch.equal(model(inputs), wanted)
        kept.restore()
        assert torch.equal(model(inputs), wanted)


def copy_seconds(pairs):
    """A plain copy of the same bytes between pages that were touched before."""
    began = time.perf_counter()
    for target, source in pairs:
        ctypes.memmove(target.data_ptr(), source.data_ptr(), target.numel() * target.element_size())
    return time.perf_counter() - began


@pytest.mark.slow
def test_restore_takes_at_most_half_as_long_again_as_a_copy():
    torch.manual_seed(0)
    model = nn.ModuleList([nn.Linear(2048, 2048, dtype=torch.bfloat16) for _ in range(16)])  # 134 MB
    kept = Snapshot(model)
    live = [parameter.detach() for parameter in model.parameters()]
    pairs = [(tensor, tensor.clone()) for tensor in live]
    ratios = []
    for _ in range(11):
        kept.restore()
        ratios.append(kept.seconds / copy_seconds(pairs))
    assert statistics.median(ratios) <= 1.5
