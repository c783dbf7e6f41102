"""What the section `video` of a profile may hold (notebook 06), with units, bounds and defaults."""

from typing import Literal

from pydantic import Field

from nbhelpers.settings.sections import Section


class VideoSection(Section):
    """Notebook 06: clips, the adapter and its training."""

    seed: int = Field(0, ge=0)
    model: str = Field(
        "auto",
        min_length=1,
        description="catalogue name, hub id or folder; auto: the profile's models, down to one that fits",
    )
    quantize: Literal["auto", "none", "nf4", "int8"] = Field(
        "auto", description="packing of the text layers; auto: nf4 on a GPU, except of twins"
    )
    videos: int = Field(100, ge=1, description="drawn videos of the embedded default")
    video_s: float = Field(24.0, ge=4, le=3600, description="mean length of a drawn video, seconds")
    video_px: int = Field(168, ge=32, le=1024, multiple_of=2, description="side of a drawn video, pixels")
    cameras: int = Field(2, ge=1, le=9, description="most cameras that film one drawn session")
    world: Literal["base", "shifted"] = Field(
        "shifted", description="site that is drawn: the one the twin was trained on, or another"
    )
    main: float = Field(
        0.6, ge=0, le=1, description="how often drawn work follows the procedure; at 1 the order says it all"
    )
    frames: int = Field(8, ge=2, le=64, multiple_of=2, description="frames of a clip")
    spacings_s: tuple[float, ...] = Field(
        (0.5, 1.0), min_length=1, description="seconds between the frames of a clip, one of these"
    )
    stride_s: float | None = Field(
        None, gt=0, description="seconds from one clip of a video to the next; none: half a clip"
    )
    sampling: Literal["uniform", "entropy", "mixed"] = Field(
        "uniform",
        description="which frames of a clip are shown: evenly, where it changes, or half of each",
    )
    size_px: int | None = Field(
        None, ge=28, le=2048, description="frames are brought down to the area of a square of this side"
    )
    split: str = Field("train:0.7,val:0.15,test:0.15", description="parts and their shares, by source")
    val_clips: int = Field(48, ge=1, description="clips a validation answers, at most")
    test_clips: int = Field(200, ge=1, description="clips the final scores rest on, at most")
    roles: tuple[str, ...] | None = Field(None, description="roles LoRA wraps; none: language attention")
    r: int = Field(16, ge=1, description="rank")
    alpha: int = Field(32, ge=1, description="the update is scaled by alpha / r")
    dropout: float = Field(0.05, ge=0, lt=1)
    learning_rate: float = Field(2e-4, gt=0, lt=1)
    batch: int = Field(4, ge=1, description="clips per micro-batch")
    accumulate: int = Field(1, ge=1, description="micro-batches per step")
    steps: int = Field(400, ge=1, description="optimiser steps")
    validations: int = Field(4, ge=1, description="validations in a whole training, spread evenly")
    patience: int | None = Field(None, ge=1, description="validations without improvement before stopping")
    clip: float = Field(1.0, gt=0, description="largest norm of the whole gradient")
    precision: Literal["auto", "no", "fp16", "bf16"] = Field(
        "auto", description="autocast; auto: by the family's rule for this machine"
    )
    checkpointing: Literal["auto", "on", "off"] = Field(
        "auto", description="compute activations again in the backward pass; auto: on a GPU"
    )
    max_minutes: float = Field(10.0, gt=0, description="tuning stops cleanly after it, with a checkpoint")
    checkpoint_minutes: float = Field(1.0, ge=0, description="time between two checkpoints; 0: every step")
    keep_features: bool = Field(
        True, description="where the vision tower is not trained, compute what it makes of a clip once"
    )
    name_weight: float = Field(
        1.0,
        gt=0,
        le=100,
        description="what a token of an operation's name counts in the loss; others count 1",
    )
    light: float = Field(
        0.0, ge=0, le=1, description="how far the light of clips is varied where pixels are kept; 0: not"
    )
    kept_gib: float = Field(4.0, gt=0, description="bound of kept features or pixels on disk, GiB")
    constrained: bool = Field(False, description="let the model write nothing but answers")
    tensorboard: bool = True
