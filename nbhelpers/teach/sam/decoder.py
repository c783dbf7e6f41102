"""The part of SAM that is trained, as a module of its own."""

from typing import Any

from torch import Tensor, nn

from nbhelpers.teach.sam.batches import SamBatch
from nbhelpers.teach.sam.embeddings import plain_model
from nbhelpers.teach.sam.losses import mask_losses
from nbhelpers.teach.sam.outlines import prompt


class PromptedDecoder(nn.Module):
    """Prompt encoder and mask decoder of a SAM or SAM 2, sharing its weights.

    The image encoder is reached through it but is no part of it: training mode, checkpoints and processes
    that train side by side leave it alone.

    Args:
        model: SamModel or Sam2Model, wrapped by peft or not.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        base = plain_model(model)
        self.prompt_encoder, self.mask_decoder = base.prompt_encoder, base.mask_decoder
        self._sam = [base]  # in a list: a module would become a part

    def forward(self, batch: SamBatch) -> tuple[Tensor, Tensor]:
        """Mask logits (P, s, s) and predicted IoU (P,) of a batch's objects, float32."""
        levels = [level[batch.picture] for level in batch.levels]
        return prompt(self._sam[0], levels, batch.boxes, batch.points)


class DecoderLoss:
    """The loss of a `PromptedDecoder`, as `training.fit` asks for one.

    Args:
        focal: weight of the focal part; 0 leaves it out.
    """

    def __init__(self, focal: float = 0.0) -> None:
        self.focal = focal

    def __call__(self, model: nn.Module, batch: SamBatch) -> dict[str, Tensor]:
        """The loss and its parts."""
        logits, iou = model(batch)
        return mask_losses(logits, iou, batch.target, batch.valid, self.focal)


def side_of(config: Any) -> int:
    """Side of the decoder's answer, places: the patches of the input, enlarged twice by 2."""
    prompts = config.prompt_encoder_config
    return 4 * int(prompts.image_size) // int(prompts.patch_size)
