"""The class's own detection loss, with the term of its first stage put right.

`model(..., labels=...)` of transformers 5.17 adds a term for the proposals that the encoder makes. But it
scores the learnt query embeddings against the text before the encoder, and the boxes it compares are
detached: the term says nothing of the picture and teaches the proposals nothing, while its gradient moves the
text. In the papers (two-stage Deformable DETR, Zhu et al. 2021; DINO, Zhang et al. 2023; Grounding DINO, Liu
et al. 2023) it takes the scores and boxes of the proposals themselves; so it does here, by the same function.
"""

import contextlib
from collections.abc import Iterator
from copy import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@contextlib.contextmanager
def decoder_loss(model: Any) -> Iterator[None]:
    """Inside, `model(..., labels=...)` gives the class's own loss of its decoder layers alone.

    Args:
        model: the transformers model itself, not its peft wrapper.
    """
    own = model.loss_function
    use_decoder_loss(model)
    try:
        yield
    finally:
        model.loss_function = own


def use_decoder_loss(model: Any) -> None:
    """Take the term of the proposals out of the loss of this model, for good."""
    from transformers.loss.loss_grounding_dino import GroundingDinoForObjectDetectionLoss

    def loss(
        logits: "Tensor", labels: Any, device: Any, boxes: "Tensor", config: Any,
        label_maps: Any, text_mask: "Tensor", **others: Any,
    ) -> Any:  # fmt: skip
        single = copy(config)
        single.two_stage = False
        return GroundingDinoForObjectDetectionLoss(
            logits, labels, device, boxes, single, label_maps, text_mask, **others
        )

    model.loss_function = loss


def detection_loss(model: Any, batch: dict[str, Any], config: Any) -> dict[str, Any]:
    """Loss of one batch with one prompt: all decoder layers, and the proposals.

    Args:
        model: inside `decoder_loss`; possibly wrapped.
        batch: as `DetectorBatches` gives it.
        config: of the model.

    Returns:
        `loss`; `weight`, the objects of the batch, by which the loss is divided; of the last decoder layer
        `ce` (focal), `bbox` (L1) and `giou`, unweighted; `proposals`.
    """
    outputs = model(**batch["inputs"], labels=batch["labels"])
    loss, proposals = outputs.loss, proposal_loss(outputs, batch, config)
    parts = {name: outputs.loss_dict[f"loss_{name}"].detach() for name in ("ce", "bbox", "giou")}
    objects = sum(len(own["class_labels"]) for own in batch["labels"])
    return {
        "loss": loss + proposals, "weight": max(1, objects), **parts, "proposals": proposals.detach()
    }  # fmt: skip


def proposal_loss(outputs: Any, batch: dict[str, Any], config: Any) -> "Tensor":
    """The class's own loss of the proposals that the first stage hands to the decoder."""
    import torch
    from transformers.loss.loss_grounding_dino import GroundingDinoForObjectDetectionLoss
    from transformers.models.grounding_dino import modeling_grounding_dino as source

    scores, boxes = outputs.enc_outputs_class, outputs.enc_outputs_coord_logits
    chosen = torch.topk(scores.amax(dim=-1), config.num_queries, dim=1).indices[..., None]
    scores = torch.gather(scores, 1, chosen.expand(-1, -1, scores.shape[-1]))
    boxes = torch.gather(boxes, 1, chosen.expand(-1, -1, 4)).sigmoid()
    single = copy(config)
    single.two_stage = single.auxiliary_loss = False
    maps: Any = source.build_label_maps
    mask: Any = source.build_text_mask
    loss: Tensor = GroundingDinoForObjectDetectionLoss(
        scores, batch["labels"], scores.device, boxes, single,
        maps(scores, batch["inputs"]["input_ids"]), mask(scores, batch["inputs"]["attention_mask"]),
    )[0]  # fmt: skip
    return loss
