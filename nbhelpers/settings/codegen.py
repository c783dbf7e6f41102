"""What the section `codegen` of a profile may hold (notebook 03), with units, bounds and defaults."""

from typing import Literal

from pydantic import Field

from nbhelpers.settings.sections import Section


class RungSettings(Section):
    """What one strategy may take for one request."""

    time_limit_s: float = Field(default=120.0, gt=0, description="seconds of writing, over all tries")
    retries: int = Field(default=1, ge=0, le=10, description="further tries after the first")


class HostedSettings(RungSettings):
    """The hosted model, asked through huggingface_hub."""

    model: str | None = Field(
        default=None, min_length=1, description="id on the hub; none leaves hosted inference out"
    )
    provider: str = Field(
        default="auto", min_length=1, description="who serves it; auto: the account's first choice"
    )
    base_url: str | None = Field(
        default=None,
        min_length=1,
        description="a server of one's own with the same protocol, instead of the hub's",
    )


class CodeCheckSettings(Section):
    """Limits of the contained child in which generated code is checked."""

    wall_s: float = Field(default=120.0, gt=0, description="seconds on the clock, per step")
    cpu_s: float = Field(default=60.0, gt=0, description="processor seconds of each process")
    memory_mib: float = Field(default=2048.0, ge=64, description="of each process, and of all together, MiB")
    processes: int = Field(default=64, ge=4, description="processes and threads at once")
    disk_mib: float = Field(default=64.0, gt=0, description="what it may write, MiB")
    output_kib: float = Field(default=256.0, gt=0, description="of standard output and error, KiB each")


class CodegenSection(Section):
    """Notebook 03: which strategies write code, in which order, and how it is checked."""

    seed: int = Field(0, ge=0)
    order: Literal["quality", "safe"] = Field(
        "quality", description="quality: local model, hosted, templates; safe: templates first"
    )
    model: str = Field(
        "auto",
        min_length=1,
        description="catalogue name, hub id or folder; auto: the profile's models, down to one that fits",
    )
    quantize: Literal["auto", "none", "nf4", "int8"] = Field(
        "auto", description="packing of the local model; auto: nf4 on a GPU, except of twins"
    )
    min_free_gib: float = Field(4.0, ge=0, description="free memory below which no local model is tried, GiB")
    new_tokens: int = Field(1024, ge=16, le=16384, description="tokens a model may write")
    local: RungSettings = RungSettings()
    hosted: HostedSettings = HostedSettings(time_limit_s=60.0, retries=2)
    template: RungSettings = RungSettings(time_limit_s=10.0, retries=0)
    checks: CodeCheckSettings = CodeCheckSettings()
    bench_requests: int = Field(30, ge=1, description="requests of the benchmark, per strategy")
