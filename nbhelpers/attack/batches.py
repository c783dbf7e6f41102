"""Batch number k of an optimisation, a pure function of (seed, k): pictures, questions, places."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nbhelpers.attack.compose import paste
from nbhelpers.attack.laying import to_floats
from nbhelpers.attack.objective import away, non_printability, total_variation, towards
from nbhelpers.attack.patch import Patch
from nbhelpers.attack.pictures import Part
from nbhelpers.attack.poses import PoseRanges, corners_of, side_of
from nbhelpers.attack.transforms import Wear, generator, wear_patch, wear_picture
from nbhelpers.attack.victim import Victim

if TYPE_CHECKING:
    from torch import Tensor

    from nbhelpers.settings import AttackSection


def pose_ranges(settings: "AttackSection") -> PoseRanges:
    """Scale, turn and tilt of the settings; any legal place."""
    eot = settings.eot
    return PoseRanges(eot.scale, eot.rotation_deg, eot.perspective)


def wear_of(settings: "AttackSection") -> Wear:
    """Ink, light, lens, sensor and JPEG of the settings."""
    eot = settings.eot
    return Wear(eot.gamut, eot.brightness, eot.contrast, eot.blur_px, eot.noise, eot.jpeg)


@dataclass(frozen=True)
class Batches:
    """Draws what a step looks at.

    Attributes:
        part: pictures and prompts that are learned from.
        settings: batch, seed, count, ranges.
        side_px: side of the pictures.
        patch_side: side of a patch at scale 1, pixels of the picture.
        outline: (P, P) float, the patch's mask.
        wanted: the target for every question, or None.
        references: right or clean answers by picture and task, for an untargeted attack.
    """

    part: Part
    settings: "AttackSection"
    side_px: int
    patch_side: float
    outline: np.ndarray
    wanted: str | None
    references: Mapping[tuple[str, str], str]

    def __call__(self, number: int) -> dict[str, Any]:
        """`pictures` (N, 3, S, S) in 0..1, `corners` (N, count, 4, 2), `questions`, `answers`, `number`."""
        seed, size = self.settings.seed, self.settings.batch
        rng = np.random.default_rng((seed, 1, number))
        pictures = [self.part.pictures[int(i)] for i in rng.integers(len(self.part.pictures), size=size)]
        prompts = [self.part.prompts[int(i)] for i in rng.integers(len(self.part.prompts), size=size)]
        corners = corners_of(
            [(seed, 2, number, row) for row in range(size)],
            self.patch_side, pose_ranges(self.settings), self.settings.count, self.side_px,
            [picture.legal(self.side_px) for picture in pictures], self.outline,
        )  # fmt: skip
        return {
            "pictures": to_floats([picture.pixels(self.side_px) for picture in pictures]),
            "corners": torch.from_numpy(corners),
            "questions": [prompt.text for prompt in prompts],
            "answers": [
                self.wanted or self.references[picture.name, prompt.task]
                for picture, prompt in zip(pictures, prompts, strict=True)
            ],
            "number": number,
        }


def batches_of(
    part: Part,
    settings: "AttackSection",
    side_px: int,
    mask: "Tensor",
    wanted: str | None,
    references: Mapping[tuple[str, str], str],
) -> Batches:
    """Batches for a patch with this mask (P, P)."""
    side = side_of(settings.share, settings.count, float(mask.mean()), side_px)
    return Batches(part, settings, side_px, side, mask.cpu().numpy(), wanted, references)


@dataclass
class PatchLoss:
    """The loss of a batch, for `training.fit`; remembers which batch it saw last.

    Attributes:
        victim: frozen.
        settings: weights of the terms, transforms.
        targeted: towards the answers of a batch, or away from them.
        number: of the batch seen last; -1 before the first.
    """

    victim: Victim
    settings: "AttackSection"
    targeted: bool
    number: int = -1

    def __call__(self, patch: Patch, batch: Mapping[str, Any]) -> dict[str, Any]:
        """`loss` with its parts `answer`, `tv` and `nps`."""
        self.number = int(batch["number"])
        with torch.autocast(patch.device.type, enabled=False):
            pixels = patch.pixels()
            shown = self.shown(patch, pixels, batch)
        likely, counts = self.victim.log_likelihood(
            shown, batch["questions"], batch["answers"], self.settings.eight_bit
        )
        answer = towards(likely, counts) if self.targeted else away(likely, counts)
        tv, nps = total_variation(pixels, patch.mask), non_printability(pixels, patch.mask)
        loss = answer + self.settings.tv * tv + self.settings.nps * nps
        return {"loss": loss, "answer": answer.detach(), "tv": tv.detach(), "nps": nps.detach()}

    def shown(self, patch: Patch, pixels: "Tensor", batch: Mapping[str, Any]) -> "Tensor":
        """The batch's pictures with the patch in them, after all transforms, (N, 3, S, S) in 0..1."""
        draw = generator(self.settings.seed, 3, self.number)
        wear = wear_of(self.settings)
        worn = wear_patch(pixels, len(batch["pictures"]), wear, draw)
        return wear_picture(paste(batch["pictures"], worn, patch.mask, batch["corners"]), wear, draw)
