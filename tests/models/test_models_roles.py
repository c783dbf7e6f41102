import pytest
import torch
from family_configs import SMALL, small_model

from nbhelpers.errors import BadInput
from nbhelpers.models import (
    FAMILIES,
    catalog,
    count_roles,
    expand_roles,
    family_of,
    role_of,
    roles_of,
    select,
    tied,
)
from nbhelpers.models.roles import layer_of, plain_name

MODELS = [name for name, entry in catalog().items() if not entry.is_twin]
# Where a tower hangs in each class, written down independently of the patterns.
VISION = ("model.visual.", "model.vision_tower.", "model.vision_model.", "model.backbone.", "vision_encoder.")
TEXT = ("model.language_model.", "model.text_model.", "model.text_backbone.", "lm_head.")


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_of_the_full_architecture_has_one_role(name, meta_model):
    model, family = meta_model(name)
    names = [parameter for found in roles_of(model, family).values() for parameter in found]
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    assert sum(count_roles(model, family).values()) == catalog()[name].parameters


@pytest.mark.parametrize("name", MODELS)
def test_vision_and_text_never_mix(name, meta_model):
    model, family = meta_model(name)
    for parameter, _ in model.named_parameters():
        role = role_of(family, parameter)
        if parameter.startswith(VISION):
            assert role.startswith(("vision.", "backbone.", "projector")), parameter
            assert role != "projector" or "merger" in parameter, parameter
        if parameter.startswith(TEXT):
            assert role.startswith("text."), parameter
        if role.startswith("text.") and "image" in family.inputs:
            assert parameter.startswith(TEXT), parameter


@pytest.mark.parametrize(
    ("name", "role", "count"),
    [
        ("sam-vit-huge", "prompt_encoder", 6_476),
        ("sam-vit-huge", "mask_decoder", 4_058_340),
        ("sam-vit-huge", "vision", 637_026_048),
        ("sam-vit-large", "vision", 308_278_272),
        ("gemma-3-4b", "text.embedding", 262_208 * 2560),
        ("gemma-3-4b", "text.attention", 34 * (2560 * 256 * (8 + 4 + 4) + 8 * 256 * 2560)),
        ("gemma-3-4b", "text.mlp", 34 * 3 * 2560 * 10_240),
        ("gemma-3-4b", "projector", 1152 * 2560 + 1152),
        ("qwen2.5-vl-3b", "text.mlp", 36 * 3 * 2048 * 11_008),
        ("qwen2.5-vl-3b", "projector", 1280 + 5120 * 5120 + 5120 + 5120 * 2048 + 2048),
        ("qwen2.5-vl-7b", "text.head", 152_064 * 3584),
        ("gemma-2-2b", "text.norm", (26 * 4 + 1) * 2304),
        ("grounding-dino-tiny", "queries", 900 * 256),
        ("grounding-dino-tiny", "text.embedding", (30_522 + 512 + 2) * 768),
        ("paligemma-3b", "projector", 1152 * 2048 + 2048),
    ],
)
def test_known_counts(name, role, count, meta_model):
    model, family = meta_model(name)
    counts = count_roles(model, family)
    assert sum(counts.get(one, 0) for one in expand_roles(family, role)) == count


@pytest.mark.parametrize("model_type", SMALL)
def test_small_models_fit_the_same_patterns(model_type):
    model, family = small_model(model_type)
    assert sum(count_roles(model, family).values()) == sum(p.numel() for p in model.parameters())


def test_another_backbone_than_swin_is_one_role():
    from family_configs import RESNET

    model, family = small_model("grounding-dino", backbone_config=RESNET)
    assert count_roles(model, family)["backbone.other"] > 0


@pytest.mark.parametrize(
    ("name", "is_tied"), [("qwen2.5-vl-3b", True), ("qwen2.5-vl-7b", False), ("gemma-3-4b", True)]
)
def test_a_tied_embedding_is_embedding_and_head(name, is_tied, meta_model):
    model, family = meta_model(name)
    both = {"model.language_model.embed_tokens.weight": ("text.embedding", "text.head")} if is_tied else {}
    assert tied(model, family) == both
    head = select(model, family, "text.head")
    assert list(head) == (list(both) or ["lm_head.weight"])


def test_parameters_no_pattern_knows_and_ambiguous_ones_are_errors():
    model, family = small_model("qwen2")
    model.extra = torch.nn.Linear(2, 2)
    with pytest.raises(BadInput, match=r"qwen2: parameter extra\.weight has no role"):
        roles_of(model, family)
    from dataclasses import replace

    double = replace(family, roles={**family.roles, "again": (r"lm_head\.weight", r".*norm\.weight")})
    with pytest.raises(BadInput, match=r"more than one role: text\.norm, again"):
        role_of(double, "model.norm.weight")


def test_short_names_and_patterns_of_roles():
    family = family_of("gemma3")
    assert expand_roles(family, "text.attention") == ("text.attention",)
    assert set(expand_roles(family, "text")) == {r for r in family.roles if r.startswith("text.")}
    assert set(expand_roles(family, "*.norm")) == {"text.norm", "vision.norm"}
    assert expand_roles(family, ["projector", "projector"]) == ("projector",)
    with pytest.raises(BadInput, match=r"role 'txt': gemma3 has none; its roles: text\.embedding"):
        expand_roles(family, ["text", "txt"])
    with pytest.raises(BadInput, match="no roles were given"):
        expand_roles(family, [])


# The groups of a lesion study, by role.
GROUPS = {
    "attn_only": ["text.attention"],
    "mlp_only": ["text.mlp"],
    "embed_only": ["text.embedding"],
    "attn_mlp": ["text.attention", "text.mlp"],
    "norms": ["text.norm"],
    "all_text": ["text"],
    "vision": ["vision"],
    "projector": ["projector"],
}


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("model_type", ["gemma3", "qwen3_vl", "paligemma"])
def test_the_groups_of_a_lesion_study_can_be_selected(model_type, group):
    model, family = small_model(model_type)
    chosen = select(model, family, GROUPS[group])
    expected = {"vision": VISION, "projector": ("model.multi_modal_projector.", "model.visual.")}.get(
        group, TEXT
    )
    assert chosen
    assert all(name.startswith(expected) for name in chosen)
    assert all(chosen[name] is parameter for name, parameter in model.named_parameters() if name in chosen)


def test_the_same_layer_of_the_other_tower_is_left_alone():
    model, family = small_model("gemma3")
    chosen = select(model, family, "text.attention", layers=0)
    assert len(chosen) == 4
    assert "model.language_model.layers.0.self_attn.v_proj.weight" in chosen
    assert "model.vision_tower.encoder.layers.0.self_attn.v_proj.weight" not in chosen


def test_layers_are_chosen_by_number(meta_model):
    model, family = meta_model("gemma-3-4b")
    assert len(select(model, family, "text.attention", layers=range(8, 16))) == 8 * 4
    assert len(select(model, family, ["text.mlp"], layers=[33])) == 3
    assert len(select(model, family, "text", layers=5)) == 4 + 3 + 6
    with pytest.raises(BadInput, match=r"layers \[34\]: not in these roles; there are layers 0 to 33"):
        select(model, family, "text.mlp", layers=range(30, 35))
    with pytest.raises(BadInput, match="lie outside layers"):
        select(model, family, "text.embedding", layers=0)
    with pytest.raises(BadInput, match="none"):
        select(model, family, "text.mlp", layers=[])


def test_a_role_the_model_lacks_is_an_error_that_lists_what_it_has():
    model, family = small_model("paligemma")
    with pytest.raises(
        BadInput, match=r"vision\.head: this model has no such parameters; it has: text\.embed"
    ):
        select(model, family, "vision.head")


@pytest.mark.parametrize(
    ("name", "plain", "layer"),
    [
        (
            "base_model.model.model.layers.3.self_attn.q_proj.lora_A.default.weight",
            "model.layers.3.self_attn.q_proj.weight",
            3,
        ),
        (
            "base_model.model.model.layers.3.self_attn.q_proj.base_layer.bias",
            "model.layers.3.self_attn.q_proj.bias",
            3,
        ),
        (
            "base_model.model.model.layers.12.mlp.up_proj.lora_B.weight",
            "model.layers.12.mlp.up_proj.weight",
            12,
        ),
        ("model.visual.blocks.7.norm1.weight", "model.visual.blocks.7.norm1.weight", 7),
        (
            "model.text_backbone.encoder.layer.11.output.dense.bias",
            "model.text_backbone.encoder.layer.11.output.dense.bias",
            11,
        ),
        ("lm_head.weight", "lm_head.weight", None),
    ],
)
def test_names_with_an_adapter(name, plain, layer):
    assert plain_name(name) == plain
    assert layer_of(name) == layer


def test_linears_for_lora_belong_to_the_role_they_stand_under(meta_model):
    for name in (
        "grounding-dino-tiny",
        "sam-vit-base",
        "sam2.1-hiera-tiny",
        "qwen2.5-vl-3b",
        "qwen3-vl-2b",
        "gemma-3-4b",
        "smolvlm-256m",
    ):
        model, family = meta_model(name)
        from nbhelpers.models import lora_modules

        plan = lora_modules(model, family, list(family.linears))
        assert plan
        for module, role in plan.items():
            assert role_of(family, f"{module}.weight") == role, module


def test_every_family_is_in_the_catalogue_or_says_which_it_stands_for():
    assert set(FAMILIES) - {entry.family for entry in catalog().values()} == {"sam2_video"}
