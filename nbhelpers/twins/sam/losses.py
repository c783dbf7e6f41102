"""What the twin is trained on: masks at full resolution, their quality, and the class of every pixel."""

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn import functional

from nbhelpers.teach.sam.losses import cross_entropy, dice, true_iou
from nbhelpers.twins.sam.batches import Batch
from nbhelpers.twins.sam.model import WIDTH
from nbhelpers.twins.sam.scenes import SIDE

if TYPE_CHECKING:
    from transformers import SamModel

_FINE = 4  # the dense head answers at the decoder's resolution: 4 x 4 places per patch


class SamInTraining(nn.Module):
    """The twin and a head that names the class of every pixel from the image embedding.

    The head is dropped afterwards. It teaches the encoder what is where at every pixel of every step, not
    only inside the prompted masks: from scratch that takes half the steps.
    """

    def __init__(self, sam: "SamModel", classes: int) -> None:
        super().__init__()
        self.sam = sam
        self.dense = nn.Conv2d(WIDTH, classes * _FINE**2, 1)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Mask logits (B, K, M, 128, 128), predicted IoU (B, K, M), class logits (B, classes, 64, 64)."""
        embeddings = self.sam.vision_encoder(batch.pixel_values).last_hidden_state
        prompts = {"input_boxes": batch.boxes} if batch.points is None else {"input_points": batch.points}
        output = self.sam(image_embeddings=embeddings, multimask_output=batch.points is not None, **prompts)
        classes = functional.pixel_shuffle(self.dense(embeddings), _FINE)
        return _enlarged(output.pred_masks), output.iou_scores, classes


def _enlarged(masks: Tensor) -> Tensor:
    """Mask logits at full resolution, as the processor's `post_process_masks` enlarges them."""
    flat = functional.interpolate(masks.flatten(0, 1), (SIDE, SIDE), mode="bilinear", align_corners=False)
    return flat.unflatten(0, masks.shape[:2])


def sam_loss(model: nn.Module, batch: Batch) -> dict[str, Any]:
    """Cross entropy and Dice of the best mask, error of the predicted IoU, cross entropy of the classes.

    With several masks per prompt only the best one is taught (Kirillov et al. 2023, section 3); the
    predicted IoU of all of them is.
    """
    logits, quality, classes = model(batch)
    target = batch.masks[:, :, None].expand_as(logits)
    per_mask = cross_entropy(logits, target) + dice(logits, target)
    error = functional.mse_loss(quality, true_iou(logits.detach(), target))
    dense = functional.cross_entropy(classes, batch.classes[:, ::2, ::2])
    masks = per_mask.min(dim=-1).values.mean()
    return {
        "loss": masks + error + dense,
        "masks": masks.detach(),
        "iou": error.detach(),
        "dense": dense.detach(),
    }
