"""One pydantic model per phase: what its section of a profile may hold, with units, bounds and defaults."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A phase's settings: immutable, and closed to keys it does not know.

    A field that is a section itself is a group of keys (`teach.detector.r`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def group(cls, key: str) -> "type[Section] | None":
        """The section that stands at a key; none for a plain value or an unknown key."""
        annotation = cls.model_fields[key].annotation if key in cls.model_fields else None
        return annotation if isinstance(annotation, type) and issubclass(annotation, Section) else None

    @classmethod
    def groups(cls) -> "dict[str, type[Section]]":
        """The groups of keys, by key."""
        found = {key: cls.group(key) for key in cls.model_fields}
        return {key: group for key, group in found.items() if group is not None}

    @model_validator(mode="before")
    @classmethod
    def _over_the_groups_defaults(cls, values: Any) -> Any:
        """Keys left out of a group keep what *this* section gives them, not what the group's class gives."""
        if not isinstance(values, dict):
            return values
        return {key: cls._completed(key, value) for key, value in values.items()}

    @classmethod
    def _completed(cls, key: str, value: Any) -> Any:
        if cls.group(key) is None or not (value is None or isinstance(value, dict)):
            return value
        default: Section = cls.model_fields[key].get_default(call_default_factory=True)
        return _laid_over(default.model_dump(), value or {})


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        deeper = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = _laid_over(below[key], value) if deeper else value
    return merged


class MemorySection(Section):
    """Notebook 01: how much memory may be used, and how it is watched."""

    limit_gib: float = Field(16.0, gt=0, description="upper bound of the budget, GiB")
    keep_free_gib: float = Field(2.0, ge=0, description="left free for the system, GiB")
    sample_interval_s: float = Field(0.1, gt=0, le=10, description="seconds between two readings")


Characteristic = Literal[
    "changes_shape",
    "changes_size",
    "reflective_surface",
    "low_contrast",
    "moves_or_vibrates",
    "semi_transparent",
    "similar_to_background",
    "multiple_objects",
    "partially_hidden",
]


class AugmentSettings(Section):
    """What the pictures of a site are like; the calm values ask for no augmentation."""

    characteristics: tuple[Characteristic, ...] = Field(default=(), description="of the objects")
    lighting: Literal["stable", "variable", "poor"] = "stable"
    camera: Literal["fixed", "moving", "shaky"] = "fixed"
    background: Literal["clean", "busy", "changing"] = "clean"
    distance: Literal["fixed", "variable", "close"] = "fixed"
    intensity: Literal["low", "medium", "high"] = Field(
        default="medium", description="how strongly and how often it is imitated"
    )


class DataSection(Section):
    """Notebook 02: checking, completing and splitting a COCO set."""

    seed: int = Field(0, ge=0)
    split: str = Field("train:0.7,val:0.15,test:0.15", description="parts and their shares")
    strict: bool = Field(False, description="warnings count as errors")
    cache_mib: int = Field(256, ge=0, description="bound of the decoded-image cache, MiB")
    scenes: int = Field(300, ge=10, description="drawn scenes of the embedded default")
    scene_size: int = Field(160, ge=64, le=2048, description="side of a drawn scene, pixels")
    world: Literal["base", "shifted"] = Field(
        "base", description="site the scenes are drawn of: the one the twins were trained on, or another"
    )
    labelled: float | Literal["auto"] = Field(
        "auto", description="share of the train part whose labels are used; auto: 0.1 of drawn scenes, else 1"
    )
    augment: AugmentSettings = AugmentSettings()


class LoraSettings(Section):
    """LoRA of one teacher and how long it is trained."""

    model: str = Field(
        default="auto",
        min_length=1,
        description="catalogue name, hub id or folder; auto: the profile's models, down to one that fits",
    )
    roles: tuple[str, ...] | None = Field(
        default=None, description="roles it wraps; none: the family's default"
    )
    r: int = Field(default=16, ge=1, description="rank")
    alpha: int = Field(default=32, ge=1, description="the update is scaled by alpha / r")
    dropout: float = Field(default=0.05, ge=0, lt=1)
    learning_rate: float = Field(default=1e-3, gt=0, lt=1)
    batch: int = Field(default=4, ge=1, description="images per step")
    accumulate: int = Field(default=1, ge=1, description="micro-batches per step")
    steps: int = Field(default=300, ge=1, description="optimiser steps")
    validations: int = Field(default=6, ge=1, description="validations in a whole training, spread evenly")
    patience: int | None = Field(
        default=None, ge=1, description="validations without improvement before stopping"
    )


class SamSettings(LoraSettings):
    """What only SAM has: prompts, losses, the kept embeddings."""

    steps: int = Field(default=200, ge=1, description="optimiser steps")
    box_jitter: float = Field(
        default=0.2, ge=0, lt=0.5, description="share of a box's sides by which it is moved at most"
    )
    points: int = Field(default=0, ge=0, description="points given beside the box; 0: the box alone")
    focal: float = Field(
        default=0.0, ge=0, description="weight of the focal loss beside cross entropy and Dice"
    )
    embeddings_gib: float = Field(
        default=2.0, gt=0, description="bound of the kept image embeddings on disk, GiB"
    )


class TeachSection(Section):
    """Notebook 07: the teachers and their adapters."""

    seed: int = Field(default=0, ge=0)
    max_minutes: float = Field(
        default=10.0, gt=0, description="each teacher's training stops cleanly after it"
    )
    clip: float = Field(default=0.1, gt=0, description="largest norm of the whole gradient")
    precision: Literal["auto", "no", "fp16", "bf16"] = "auto"
    tensorboard: bool = True
    detector: LoraSettings = LoraSettings(
        roles=("backbone", "text", "fusion", "encoder", "decoder"), learning_rate=3e-3
    )  # the twin's; published models want the family's default roles and 1e-4 (profile t4)
    segmenter: SamSettings = SamSettings(r=8, alpha=16)
    nms: float = Field(
        default=0.5, gt=0, le=1, description="IoU above which of two boxes of a class the weaker goes"
    )


class LossSettings(Section):
    """Weights of the student's losses; 0 leaves one out."""

    detection: float = Field(default=1.0, ge=0, description="boxes and classes")
    segmentation: float = Field(default=1.0, ge=0, description="masks")
    feature: float = Field(default=0.0, ge=0, description="squared error to the teachers' feature maps")
    logit: float = Field(default=0.0, ge=0, description="divergence from the teacher's class scores")
    temperature: float = Field(default=2.0, gt=0, description="softens both sides of the logit loss")


class DistillSection(Section):
    """Notebook 08: the student and its training; `auto` follows the rule in `nbhelpers.distill.auto`."""

    student: Literal["auto", "yolov8", "yolov8_seg", "fastsam", "d_fine"] = "auto"
    size: Literal["t", "n", "s", "m", "l", "x"] = "n"  # t: d_fine alone
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
    tensorboard: bool = Field(True, description="losses and scores are written for TensorBoard")
    losses: LossSettings = LossSettings()
    pseudo_score: float = Field(
        0.0, ge=0, le=1, description="least score of a pseudo-label, beside the thresholds chosen per class"
    )
    pseudo_weight: Literal["score", "one"] = Field("one", description="what a pseudo-label counts for")
    pseudo_f1: float = Field(
        0.3, ge=0, le=1, description="least F1 on validation of a class that the teachers may label"
    )
    people_share: float | None = Field(
        0.5,
        gt=0,
        lt=1,
        description="share of inputs that people labelled, beside teachers'; null: as they come",
    )


class ExportSection(Section):
    """Notebook 09: ONNX, INT8, TensorRT and the comparison."""

    opset: int = Field(18, ge=17, description="ONNX operator set")
    calibration_images: int = Field(64, ge=1, description="images that set the ranges of INT8, at most")
    warmup: int = Field(10, ge=0, description="calls before timing starts")
    runs: int = Field(100, ge=10, description="timed calls per engine")
    max_ap_loss: float = Field(1.0, ge=0, description="AP points INT8 may lose against fp32 ONNX")
