"""The two stages of the training: the eye first, then reading and writing with the eye going on.

What a picture shows is learned fastest where the truth lies close to the pixels: the first stage trains the
vision tower and the projector alone, with `AttributeHead`. The second trains the whole model on its language
loss, the heads beside it so that the tower keeps what it knows.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from nbhelpers.training import FitSettings, fit
from nbhelpers.twins.stills.attributes import AttributeHead
from nbhelpers.twins.stills.pictures import Pictures
from nbhelpers.twins.stills.start import whiten_patches

if TYPE_CHECKING:
    from torch import Tensor

PICTURES_PER_STEP, POOL, LOG_EVERY = 32, 24_000, 20
_RATE, _TOWER_RATE = 2e-3, 5e-4  # of everything; of the tower in the second stage
_HEADS_WEIGHT = 0.15  # of each head beside the language loss


class Eye(nn.Module):
    """The vision tower, the projector and the heads that read them."""

    def __init__(self, model: Any, head: AttributeHead) -> None:
        super().__init__()
        self.tower, self.projector, self.head = (
            model.model.vision_tower,
            model.model.multi_modal_projector,
            head,
        )

    def forward(self, pixel_values: "Tensor", true: "dict[str, Tensor]") -> "dict[str, Tensor]":
        """The heads' losses of a batch of pictures."""
        patches = self.tower(pixel_values=pixel_values).last_hidden_state
        return self.head(patches, self.projector(patches), true)


class Reader(nn.Module):
    """The whole model with the heads beside it."""

    def __init__(self, model: Any, head: AttributeHead) -> None:
        super().__init__()
        self.model, self.head = model, head
        self._patches: Tensor | None = None
        model.model.vision_tower.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: Any, outputs: Any) -> None:
        self._patches = outputs.last_hidden_state

    def forward(self, batch: dict[str, Any]) -> "dict[str, Tensor]":
        """The language losses with pictures and, where the batch has texts, without; the heads' losses."""
        asked = self.model(**batch["asked"], use_cache=False)
        losses = {"asked": asked.loss}
        if "read" in batch:
            losses["read"] = self.model(**batch["read"], use_cache=False).loss
        assert self._patches is not None
        heads = self.head(self._patches, asked.image_hidden_states, batch["true"])
        self._patches = None
        return losses | heads


def _eye_loss(eye: Eye, batch: dict[str, Any]) -> "dict[str, Tensor]":
    losses = eye(batch["pixel_values"], batch["true"])
    # Kinds are the hardest to learn; the outline is a mean over pixels that are mostly background.
    extra = losses["patch_kind"] + losses["kind"] + 2 * losses["shape"]
    return {"loss": torch.stack(list(losses.values())).sum() + extra, **losses}


def _reader_loss(reader: Reader, batch: dict[str, Any]) -> "dict[str, Tensor]":
    losses = reader(batch)
    heads = torch.stack([value for name, value in losses.items() if name not in ("asked", "read")]).sum()
    written = losses["asked"] + 0.4 * losses["read"] if "read" in losses else losses["asked"]
    return {"loss": written + _HEADS_WEIGHT * heads, **losses}


def learn(
    model: Any, batches: Callable[[int], dict[str, Any]], cells: int, steps: tuple[int, int], seed: int,
    work: Path,
) -> None:  # fmt: skip
    """Both stages, in place; goes on where a call before it in `work` was stopped.

    Args:
        model: new; has `model.vision_tower`, a `SiglipVisionModel`, `model.multi_modal_projector` and
            `model.language_model`.
        batches: of the second stage, see `train_reader`.
        cells: what a picture becomes for the language model, to a side.
        steps: of the optimiser, in the first stage and in the second.
        seed: of pictures and training.
        work: of checkpoints, a folder for each stage.
    """
    whiten_patches(model.model.vision_tower, seed)
    head = AttributeHead(model.config.text_config.hidden_size)
    train_eye(model, head, cells, steps[0], seed, work / "eye")
    train_reader(model, head, batches, steps[1], seed, work / "reader")


def train_eye(model: Any, head: AttributeHead, cells: int, steps: int, seed: int, folder: Path) -> None:
    """First stage, in place; goes on where a call before it in `folder` was stopped.

    Args:
        model: has `model.vision_tower`, a `SiglipVisionModel`, and `model.multi_modal_projector`.
        head: trained beside it.
        cells: what a picture becomes for the language model, to a side.
        steps: of the optimiser.
        seed: of the pictures.
        folder: of checkpoints.
    """
    pictures = Pictures(seed, PICTURES_PER_STEP, POOL, cells)
    fit(Eye(model, head), pictures, _eye_loss, _settings(steps, 50, seed), folder)


def train_reader(
    model: Any,
    head: AttributeHead,
    batches: Callable[[int], dict[str, Any]],
    steps: int,
    seed: int,
    folder: Path,
) -> None:
    """Second stage, in place; goes on where a call before it in `folder` was stopped.

    Args:
        model: as for `train_eye`.
        head: as the first stage left it.
        batches: number to `asked`, model inputs with pictures; `true`, their attributes; and `read`, model
            inputs without pictures, where there are any. Of pictures from number `POOL` on, which the first
            stage has not seen.
        steps: of the optimiser.
        seed: of the training.
        folder: of checkpoints.
    """
    settings = _settings(steps, 60, seed)
    fit(Reader(model, head), batches, _reader_loss, settings, folder, optimizer=_slow_eye)


def _settings(steps: int, warmup: int, seed: int) -> FitSettings:
    return FitSettings(
        steps=steps,
        learning_rate=_RATE,
        warmup_steps=min(warmup, steps),
        final_factor=0.02,
        weight_decay=0.02,
        betas=(0.9, 0.98),
        seed=seed,
        log_every=LOG_EVERY,
        tensorboard=False,
    )


def _slow_eye(reader: nn.Module) -> torch.optim.Optimizer:
    """AdamW that lets the vision tower, which has learned already, go on at a smaller rate."""
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, parameter in reader.named_parameters():
        groups[".vision_tower." in name].append(parameter)
    return torch.optim.AdamW(
        [{"params": groups[True], "lr": _TOWER_RATE}, {"params": groups[False], "lr": _RATE}],
        betas=(0.9, 0.98),
        weight_decay=0.02,
    )
