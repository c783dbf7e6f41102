"""Groups: which weights they are, of the twins and of full-size models without weights."""

import pytest
import torch
from torch import nn

from nbhelpers.degrade.groups import groups_of, parse_group, resolve
from nbhelpers.degrade.lesions import apply_lesion, size_of
from nbhelpers.degrade.methods import Lesion
from nbhelpers.degrade.norms import gain_offset
from nbhelpers.errors import BadInput
from nbhelpers.models import count_roles, family_of, full_config


def test_groups_are_spelled_with_layers_and_heads():
    group = parse_group("attn_only@0-2,5#1,3")
    assert group.roles == ("text.attention",)
    assert group.layers == (0, 1, 2, 5)
    assert group.heads == (1, 3)
    assert parse_group("vision.mlp").roles == ("vision.mlp",)
    for wrong in ("attn only", "attn_only@", "attn_only@7-3", "attn_only@-", ""):
        with pytest.raises(BadInput, match="group"):
            parse_group(wrong)


def test_counts_of_the_twins_groups(twin):
    counts, groups = count_roles(twin.model, twin.family), groups_of(twin.model, twin.family)
    assert groups["attn_mlp"] == counts["text.attention"] + counts["text.mlp"] == 786_432
    assert groups["all_text"] + groups["vision"] + groups["projector"] == sum(counts.values())


def test_text_attention_is_not_the_vision_towers(twin):
    names = [part.name for part in resolve(twin.model, twin.family, "attn_only@0")]
    assert names == [
        f"model.language_model.layers.0.self_attn.{kind}_proj.weight" for kind in ("q", "k", "v", "o")
    ]


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("hippocampus", r"groups of this model: attn_only, mlp_only.*roles: text.embedding"),
        ("attn_only@9", r"there are layers 0 to 3"),
        ("embed_only@0", "lie outside layers"),
        ("attn_only#7", r"heads \[7\]: this model has heads 0 to 3"),
        ("mlp_only#0", "only text attention has heads"),
    ],
)
def test_unknown_and_empty_groups_list_what_there_is(twin, group, message):
    with pytest.raises(BadInput, match=message):
        resolve(twin.model, twin.family, group)


def test_a_tied_head_is_the_embedding_under_either_name(twin):
    names = [part.name for part in resolve(twin.model, twin.family, "text.head")]
    assert names == ["model.language_model.embed_tokens.weight"]


def test_a_text_model_has_no_vision(coder):
    assert "vision" not in groups_of(coder.model, coder.family)
    with pytest.raises(BadInput, match="has none"):
        resolve(coder.model, coder.family, "vision")


def test_a_head_is_its_rows_of_the_query_and_its_columns_of_the_output(twin):
    layer = twin.model.model.language_model.layers[2].self_attn
    q, o = layer.q_proj.weight, layer.o_proj.weight
    before_q, before_o = q.detach().clone(), o.detach().clone()
    report = apply_lesion(twin.model, twin.family, Lesion("ablation", "attn_only@2#1", 1.0))
    assert report.values == 2 * 32 * 128
    assert not q[32:64].any()
    assert not o[:, 32:64].any()
    q_rest, o_rest = [i for i in range(128) if not 32 <= i < 64], [i for i in range(128) if not 32 <= i < 64]
    assert torch.equal(q[q_rest], before_q[q_rest])
    assert torch.equal(o[:, o_rest], before_o[:, o_rest])


def test_ablating_a_heads_weights_takes_its_share_of_the_output_away(twin):
    """What leaves the output projection is then what the other heads put in."""
    layer, heads = twin.model.model.language_model.layers[0].self_attn, torch.randn(1, 5, 128)
    own = heads.clone()
    own[..., :96] = 0
    expected = layer.o_proj(heads) - layer.o_proj(own)
    apply_lesion(twin.model, twin.family, Lesion("ablation", "attn_only@0#3", 1.0))
    torch.testing.assert_close(layer.o_proj(heads), expected, rtol=1e-4, atol=1e-5)


class _PlusOne(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * (1 + self.weight)


def test_what_a_norm_adds_to_its_weight_is_asked_of_the_norm():
    norm = _PlusOne()
    before = norm.weight.detach().clone()
    assert gain_offset(norm) == 1
    assert gain_offset(nn.RMSNorm(8)) == 0
    assert gain_offset(nn.LayerNorm(8)) == 0
    assert gain_offset(nn.LayerNorm(8).to("meta")) == 0
    assert torch.equal(norm.weight, before)


@pytest.mark.parametrize(
    ("name", "layers", "offset"),
    [("gemma-3-4b", 34, True), ("gemma-3-1b", 26, True), ("qwen3-vl-2b", 28, False)],
)
def test_groups_at_real_size(name, layers, offset):
    config = full_config(name)
    family = family_of(config)
    model = family.meta_model(config)
    groups = groups_of(model, family)
    assert size_of(resolve(model, family, "attn_mlp")) == groups["attn_mlp"]
    assert size_of(resolve(model, family, f"attn_only@{layers - 1}")) * layers == groups["attn_only"]
    with pytest.raises(BadInput, match=f"layers 0 to {layers - 1}"):
        resolve(model, family, f"mlp_only@{layers}")
    norms = resolve(model, family, "norms")
    assert all((part.offset == 1) == offset for part in norms)
