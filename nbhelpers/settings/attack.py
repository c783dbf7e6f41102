"""What the section `attack` of a profile may hold (notebook 05), with units, bounds and defaults."""

from typing import Literal

from pydantic import Field, model_validator

from nbhelpers.settings.sections import Section

Range = tuple[float, float]


class EotSettings(Section):
    """How differently the patch is seen in each picture it is trained on; equal ends switch a change off."""

    scale: Range = Field(default=(0.85, 1.0), description="factors on the patch's side, two numbers")
    rotation_deg: Range = Field(default=(-20.0, 20.0), description="turns, degrees clockwise, two numbers")
    perspective: float = Field(
        default=0.0, ge=0, le=0.3, description="how far a corner may move, share of the side"
    )
    gamut: Range = Field(
        default=(0.0, 0.0), description="what a printer does to colours, 0 to 1, two numbers"
    )
    brightness: Range = Field(
        default=(1.0, 1.0), description="factors on the light on the patch, two numbers"
    )
    contrast: Range = Field(default=(1.0, 1.0), description="factors on the patch's contrast, two numbers")
    blur_px: Range = Field(
        default=(0.0, 0.0), description="deviations of a blur of the picture, pixels, two numbers"
    )
    noise: Range = Field(default=(0.0, 0.0), description="deviations of sensor noise, 0 to 1, two numbers")
    jpeg: tuple[int, int] = Field(
        default=(100, 100), description="JPEG qualities, two whole numbers; 100: none"
    )

    @model_validator(mode="after")
    def _spans(self) -> "EotSettings":
        least = {
            "scale": 0.05,
            "brightness": 0.0,
            "contrast": 0.0,
            "gamut": 0.0,
            "blur_px": 0.0,
            "noise": 0.0,
        }
        for name, lowest in least.items():
            low, high = getattr(self, name)
            if not lowest <= low <= high:
                raise ValueError(
                    f"{name} {[low, high]}: give two numbers from {lowest:g} up, the smaller first"
                )
        if self.rotation_deg[0] > self.rotation_deg[1]:
            raise ValueError(f"rotation_deg {list(self.rotation_deg)}: give the smaller number first")
        if not 1 <= self.jpeg[0] <= self.jpeg[1] <= 100:
            raise ValueError(f"jpeg {list(self.jpeg)}: give two qualities from 1 to 100, the smaller first")
        return self


class AttackSection(Section):
    """Notebook 05: the victim, its pictures and questions, the patch and its optimisation."""

    seed: int = Field(0, ge=0)
    model: str = Field(
        "auto",
        min_length=1,
        description="catalogue name, hub id or folder; auto: the profile's models, down to one that fits",
    )
    other: tuple[str, ...] = Field(
        (), description="chain of a second model, which finished patches are tried on; none: no second one"
    )
    quantize: Literal["auto", "none", "nf4", "int8"] = Field(
        "auto", description="packing of the text layers; auto: nf4 on a GPU, except of twins"
    )
    targets: tuple[str, ...] = Field(
        ("cyan ball", "red ball"), min_length=1, description="answers to be provoked, one patch each"
    )
    tasks: tuple[str, ...] = Field(("larger",), min_length=1, description="tasks whose questions are asked")
    match: Literal["exact", "contains"] = Field(
        "exact", description="when an answer counts as the target: letter by letter, or the target is in it"
    )
    pictures: int = Field(
        600, ge=3, description="drawn pictures of the embedded default, or most of a folder"
    )
    world: Literal["base", "shifted"] = Field("base", description="world of the drawn pictures")
    picture_px: int | None = Field(
        None, ge=32, le=2048, description="side pictures are brought to; none: what the model looks at"
    )
    avoid: Literal["nothing", "objects"] = Field(
        "nothing", description="what a patch may not cover, where it is known"
    )
    split: str = Field("train:0.5,val:0.1,test:0.4", description="parts and their shares, by hash")
    share: float = Field(0.09, gt=0, le=0.5, description="of the picture's area, all patches together")
    count: int = Field(1, ge=1, le=16, description="patches in a picture")
    shape: str = Field("square", min_length=1, description="square, circle or an image file that is a mask")
    patch_px: int = Field(32, ge=4, le=1024, description="pixels along a side of the patch")
    detail: int | None = Field(
        None, ge=2, le=1024, description="free values along a side, enlarged smoothly; none: every pixel"
    )
    start: str = Field("noise", min_length=1, description="noise, gray or an image file")
    eot: EotSettings = EotSettings()
    optimizer: Literal["adam", "sign"] = "adam"
    learning_rate: float = Field(0.1, gt=0, lt=1, description="about the step of a mid-grey pixel, 0 to 1")
    steps: int = Field(200, ge=1, description="optimiser steps")
    batch: int = Field(24, ge=1, description="pictures per micro-batch, one question each")
    accumulate: int = Field(1, ge=1, description="micro-batches per step")
    tv: float = Field(0.0, ge=0, description="weight of the total variation")
    nps: float = Field(0.0, ge=0, description="weight of the non-printability score")
    eight_bit: Literal["off", "round", "processor"] = Field(
        "round",
        description="straight-through rounding to a file's levels; processor: its 8-bit path, twice the work",
    )
    precision: Literal["auto", "no", "fp16", "bf16"] = Field(
        "auto", description="autocast; auto: by the family's rule for this machine"
    )
    checkpointing: Literal["auto", "on", "off"] = Field(
        "auto", description="compute activations again in the backward pass; auto: on a GPU"
    )
    validations: int = Field(8, ge=1, description="validations in a whole optimisation, spread evenly")
    val_pictures: int = Field(40, ge=1, description="pictures of a validation, at most")
    test_pictures: int = Field(200, ge=1, description="pictures the final scores rest on, at most")
    hold: float = Field(1.0, gt=0, le=1, description="validation success that is enough")
    patience: int | None = Field(
        None, ge=1, description="validations without better success, or at `hold`, before stopping"
    )
    new_tokens: int = Field(24, ge=1, le=512, description="tokens of an answer, at most")
    ask_batch: int = Field(32, ge=1, description="questions per call of generate")
    max_minutes: float = Field(30.0, gt=0, description="optimising stops cleanly after it, with a checkpoint")
    checkpoint_minutes: float = Field(0.5, ge=0, description="time between two checkpoints; 0: every step")
    print_mm: float = Field(120.0, gt=0, le=1000, description="width of the printed patch, millimetres")
    print_dpi: int = Field(300, ge=36, le=1200, description="dots per inch of the print sheet")
    tensorboard: bool = True
