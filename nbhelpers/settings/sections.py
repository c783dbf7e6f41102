"""One pydantic model per phase: what its section of a profile may hold, with units, bounds and defaults."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A phase's settings: immutable, and closed to keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MemorySection(Section):
    """Notebook 01: how much memory may be used, and how it is watched."""

    limit_gib: float = Field(16.0, gt=0, description="upper bound of the budget, GiB")
    keep_free_gib: float = Field(2.0, ge=0, description="left free for the system, GiB")
    sample_interval_s: float = Field(0.1, gt=0, le=10, description="seconds between two readings")


class DataSection(Section):
    """Notebook 02: checking, completing and splitting a COCO set."""

    seed: int = Field(0, ge=0)
    split: str = Field("train:0.7,val:0.15,test:0.15", description="parts and their shares")
    strict: bool = Field(False, description="warnings count as errors")
    cache_mib: int = Field(256, ge=0, description="bound of the decoded-image cache, MiB")
    scenes: int = Field(300, ge=10, description="drawn scenes of the embedded default")
    scene_size: int = Field(160, ge=64, le=2048, description="side of a drawn scene, pixels")


class DistillSection(Section):
    """Notebook 08: the student and its training; `auto` follows the rule in `nbhelpers.distill.auto`."""

    student: Literal["auto", "yolov8", "yolov8_seg", "fastsam"] = "auto"
    size: Literal["n", "s", "m", "l", "x"] = "n"
    image_size: int | Literal["auto"] = Field("auto", description="side of the letterboxed input, pixels")
    epochs: int | Literal["auto"] = "auto"
    batch: int | Literal["auto"] = "auto"
    max_minutes: float = Field(15.0, gt=0, description="training stops cleanly after this many minutes")
    patience: int = Field(50, ge=0, description="epochs without improvement before stopping; 0 never stops")
    seed: int = Field(0, ge=0)
    budget_megapixels: float = Field(120.0, gt=0, description="image area an auto number of epochs sees")
    min_steps: int = Field(400, ge=1, description="optimiser steps that an auto batch leaves at least")
    validations: int = Field(25, ge=1, description="validations in a whole training, spread evenly")
    learning_rate: float = Field(0.002, gt=0, lt=1, description="AdamW, at the end of the warm-up")
    warmup: float = Field(0.05, ge=0, le=0.5, description="share of the epochs with rising learning rate")
    close_mosaic: float = Field(0.2, ge=0, le=1, description="share of the last epochs without mosaics")


class ExportSection(Section):
    """Notebook 09: ONNX, INT8, TensorRT and the comparison."""

    opset: int = Field(18, ge=17, description="ONNX operator set")
    calibration_images: int = Field(64, ge=1, description="images that set the ranges of INT8, at most")
    warmup: int = Field(10, ge=0, description="calls before timing starts")
    runs: int = Field(100, ge=10, description="timed calls per engine")
    max_ap_loss: float = Field(1.0, ge=0, description="AP points INT8 may lose against fp32 ONNX")
