"""Settings of every phase: YAML profiles that extend each other, merged, substituted, checked by pydantic."""

from nbhelpers.settings.attack import AttackSection, EotSettings
from nbhelpers.settings.codegen import CodegenSection, RungSettings
from nbhelpers.settings.degrade import DegradeSection
from nbhelpers.settings.load import SECTIONS, Settings, load_settings
from nbhelpers.settings.sections import (
    AugmentSettings,
    DataSection,
    DistillSection,
    ExportSection,
    LoraSettings,
    LossSettings,
    MemorySection,
    SamSettings,
    Section,
    TeachSection,
)
from nbhelpers.settings.sources import profile_names
from nbhelpers.settings.video import VideoSection

__all__ = [
    "SECTIONS",
    "AttackSection",
    "AugmentSettings",
    "CodegenSection",
    "DataSection",
    "DegradeSection",
    "DistillSection",
    "EotSettings",
    "ExportSection",
    "LoraSettings",
    "LossSettings",
    "MemorySection",
    "SamSettings",
    "RungSettings",
    "Section",
    "Settings",
    "TeachSection",
    "VideoSection",
    "load_settings",
    "profile_names",
]
