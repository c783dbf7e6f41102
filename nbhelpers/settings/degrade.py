"""What the section `degrade` of a profile may hold (notebook 04), with units, bounds and defaults."""

from typing import Literal

from pydantic import Field, field_validator

from nbhelpers.settings.sections import Section

Levels = dict[str, dict[str, tuple[float, ...]]]

# Ends of the grids of the experiments by which these lesions became known (llm-degrad): noise up to 1.4 in
# attention, 0.5 in the MLP and 1.0 in the embedding; ablation up to 0.8; 1,024 levels down to 4 in nine
# geometric steps. Level 0, the sham, is run whether it is listed or not.
PUBLISHED: Levels = {
    "mult_gauss": {
        "attn_only": (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4),
        "mlp_only": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5),
        "embed_only": (0.1, 0.2, 0.4, 0.6, 0.8, 1.0),
        "default": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5),
    },
    "ablation": {"default": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)},
    "uni_quant": {"default": (1024, 512, 256, 128, 64, 32, 16, 8, 4)},
}


class DegradeSection(Section):
    """Notebook 04: which weights are damaged, how and how far, and what is asked of the model then."""

    seed: int = Field(0, ge=0, description="enters the seed of every lesion and of every draw")
    model: str = Field(
        "auto",
        min_length=1,
        description="catalogue name, hub id or folder; auto: the profile's models, down to one that fits",
    )
    quantize: Literal["none", "nf4", "int8"] = Field(
        "none", description="packing while loading; packed weights can be damaged after unpacking only"
    )
    unpack: bool = Field(False, description="unpack packed weights after loading")
    config: str = Field("dreams_it", min_length=1, description="what is asked: a name or a YAML file")
    languages: tuple[Literal["en", "it"], ...] = Field(("en",), min_length=1)
    prompts: int | None = Field(None, ge=1, description="of the configuration, spread evenly; none: all")
    methods: tuple[str, ...] = Field(("mult_gauss", "ablation", "uni_quant"), min_length=1)
    controls: tuple[str, ...] = Field(
        ("norm_matched", "gain_only", "mask_elsewhere"), description="run beside the methods they belong to"
    )
    control_targets: tuple[str, ...] = Field(("attn_only",), description="groups the controls are run on")
    targets: tuple[str, ...] = Field(
        ("attn_only", "mlp_only", "embed_only"), min_length=1, description="groups of weights to damage"
    )
    levels: Levels = Field(
        PUBLISHED, description="method -> group (or default) -> levels; controls take their method's"
    )
    repeats: int = Field(3, ge=1, description="draws of each lesion that draws anything")
    new_tokens: int | None = Field(None, ge=1, le=4096, description="none: the configuration's")
    temperature: float = Field(0.0, ge=0, le=10, description="0: greedy")
    top_p: float = Field(1.0, gt=0, le=1, description="where tokens are sampled")
    batch: int = Field(64, ge=1, le=1024, description="most texts written at once; a dry run may choose less")
    window: int = Field(512, ge=8, description="tokens of a window of the perplexity")
    own_perplexity: bool = Field(True, description="score what was written by the intact model")
    verify_every: int = Field(1, ge=1, description="lesions between two comparisons of all restored bytes")
    summary_every: int = Field(20, ge=1, description="lesions between two written summaries")
    stop_above: float = Field(0.95, gt=0, le=1, description="share of memory in use at which it stops")
    max_minutes: float | None = Field(None, gt=0, description="it stops cleanly after it, to be resumed")

    @field_validator("levels")
    @classmethod
    def _levels_without_holes(cls, levels: Levels) -> Levels:
        for method, by_group in levels.items():
            if not all(by_group.values()):
                raise ValueError(f"{method}: a group without levels; leave the group out instead")
        return levels
