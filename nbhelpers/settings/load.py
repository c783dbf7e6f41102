"""Load a profile with everything laid over it, checked section by section."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbhelpers.artifacts import plain
from nbhelpers.errors import BadInput
from nbhelpers.runtime.profile import choose_profile
from nbhelpers.settings.attack import AttackSection
from nbhelpers.settings.checks import check_names, check_section, source_of
from nbhelpers.settings.codegen import CodegenSection
from nbhelpers.settings.degrade import DegradeSection
from nbhelpers.settings.sections import (
    DataSection,
    DistillSection,
    ExportSection,
    MemorySection,
    Section,
    TeachSection,
)
from nbhelpers.settings.sources import (
    Layer,
    closest,
    file_layer,
    override_layers,
    profile_layers,
    profile_names,
)
from nbhelpers.settings.video import VideoSection

SECTIONS: dict[str, type[Section]] = {
    "memory": MemorySection,
    "data": DataSection,
    "codegen": CodegenSection,
    "degrade": DegradeSection,
    "attack": AttackSection,
    "video": VideoSection,
    "teach": TeachSection,
    "distill": DistillSection,
    "export": ExportSection,
}


@dataclass(frozen=True)
class Settings:
    """Every phase's checked settings, the profile they come from and why it was taken.

    Attributes:
        profile: the name or path that was asked for, or that `auto` chose.
        reason: why it is this one.
        built_in: the built-in profile it is or extends: which models are tried follows it. `cpu` where a
            profile of one's own extends none.
    """

    profile: str
    reason: str
    memory: MemorySection
    data: DataSection
    codegen: CodegenSection
    degrade: DegradeSection
    attack: AttackSection
    video: VideoSection
    teach: TeachSection
    distill: DistillSection
    export: ExportSection
    built_in: str = "cpu"

    def section(self, phase: str) -> Section:
        """The section of one phase.

        Raises:
            BadInput: there is no such phase; names the known ones.
        """
        if phase not in SECTIONS:
            known = ", ".join(SECTIONS)
            raise BadInput(
                f"phase {phase!r}: there is no such phase{closest(phase, SECTIONS)}; known: {known}"
            )
        section: Section = getattr(self, phase)
        return section

    def to_dict(self) -> dict[str, Any]:
        """The sections as plain values."""
        return {phase: plain(self.section(phase)) for phase in SECTIONS}

    def to_yaml(self) -> str:
        """The sections as YAML that `load_settings(profile=path)` reads back to the same values."""
        from omegaconf import OmegaConf

        head = f"# profile: {self.profile} ({self.reason})\n"
        # Not `yaml.safe_dump`: it leaves the text 0E0 without quotes, which omegaconf reads as a number.
        return head + OmegaConf.to_yaml(OmegaConf.create(_escaped(self.to_dict())))


def load_settings(
    profile: str | Path = "auto", overrides: Sequence[str] = (), file: Path | None = None
) -> Settings:
    """Load settings: profile files, then `file`, then `overrides`; later ones win key by key.

    Args:
        profile: `auto` (chosen by the machine), a built-in name (`cpu`, `t4`, `rtx3090`) or the path of a
            YAML file, which may say `extends: cpu`. `${oc.env:NAME,default}` takes a value from the
            environment.
        overrides: such as `distill.epochs=3` or `teach.detector.r=8`; the value is read as YAML.
        file: a YAML file with some sections and keys, laid over the profile.

    Raises:
        BadInput: an unknown profile, section or key, or a value of the wrong type or out of range; names the
            file or override, the key, the value and what is allowed.
    """
    name, reason = _chosen(str(profile))
    layers = profile_layers(name)
    layers += [file_layer(Path(file))] if file is not None else []
    layers += override_layers(overrides)
    check_names(layers, SECTIONS)
    values = _laid_over_each_other(layers, SECTIONS)
    sections: dict[str, Any] = {
        phase: check_section(phase, values.get(phase) or {}, model, layers)
        for phase, model in SECTIONS.items()
    }
    return Settings(profile=name, reason=reason, built_in=_built_in(layers), **sections)


def _built_in(layers: Sequence[Layer]) -> str:
    """The last profile of the package among the layers; `base` alone is no machine's."""
    named = {f"profiles/{name}.yaml": name for name in profile_names()}
    return next((named[layer.name] for layer in reversed(layers) if layer.name in named), "cpu")


def _chosen(profile: str) -> tuple[str, str]:
    if profile == "auto":
        choice = choose_profile()
        return choice.value, choice.reason
    return profile, "it was asked for"


def _laid_over_each_other(layers: Sequence[Layer], sections: Mapping[str, type[Section]]) -> dict[str, Any]:
    """Deep merge, key by key, then environment substitution."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    filled = [_without_empty_groups(layer.content, sections) for layer in layers]
    merged = OmegaConf.merge(*map(OmegaConf.create, filled))
    try:
        return OmegaConf.to_container(merged, resolve=True)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        key = error.full_key or ""
        raise BadInput(f"{source_of(key, layers)}: {key}: {str(error).splitlines()[0]}") from error


def _without_empty_groups(content: dict[str, Any], groups: Mapping[str, type[Section]]) -> dict[str, Any]:
    """Without sections and groups whose keys are all commented out: they would wipe the layers below."""
    kept = {key: value for key, value in content.items() if key not in groups or value is not None}
    return {
        key: _without_empty_groups(value, groups[key].groups()) if key in groups else value
        for key, value in kept.items()
    }


def _escaped(value: Any) -> Any:
    r"""Write `${` as `\${` and double the backslashes before it: reading it back substitutes nothing."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", value) if isinstance(value, str) else value
