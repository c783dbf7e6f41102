"""D-FINE as a student's network: image in, boxes and scores out, on the class of transformers."""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from nbhelpers.distill.students.d_fine_sizes import QUERIES, d_fine_config

_LEAST_QUERIES = 50


@dataclass(frozen=True)
class RawOutputs:
    """What the detector computes; L decoder layers, K queries, T places of the encoder, boxes in shares.

    Attributes:
        logits: (B, L + 1, K, C) of the decoder, its first guess first, its answer last.
        boxes: (B, L + 1, K, 4) centre XYWH in shares of the input.
        distances: (B, L, K, 4 (R + 1)) logits of each side's refinement, and `references` (B, L, K, 4), the
            boxes they refine.
        place_logits: (B, T, C), and `place_boxes` (B, T, 4), of the encoder's places, which queries are
            chosen from.
        maps: (B, c, h, w) of the encoder, finest first.
    """

    logits: Tensor
    boxes: Tensor
    distances: Tensor
    references: Tensor
    place_logits: Tensor
    place_boxes: Tensor
    maps: tuple[Tensor, ...]


class DFineNetwork(nn.Module):
    """D-FINE (Peng et al. 2024, arXiv:2410.13842) with random weights.

    It takes RGB 0..1 as it is: the published models were trained without a mean and a deviation, too.
    """

    def __init__(self, size: str, classes: int) -> None:
        super().__init__()
        from transformers import DFineForObjectDetection

        self.detector = DFineForObjectDetection(d_fine_config(size, classes))
        redraw(self.detector)

    def raw(self, pixels: Tensor) -> RawOutputs:
        """All that is predicted for (B, 3, H, W) float32, RGB, 0..1; in eval mode by the last layer alone."""
        model = cast(Any, self.detector).model
        features = model.backbone.model(pixels).feature_maps
        maps = model.encoder(
            [project(m) for project, m in zip(model.encoder_input_proj, features, strict=True)]
        )
        maps = tuple(maps.last_hidden_state)
        sources = [project(m) for project, m in zip(model.decoder_input_proj, maps, strict=True)]
        shapes = tuple((source.shape[2], source.shape[3]) for source in sources)
        memory = torch.cat([source.flatten(2).transpose(1, 2) for source in sources], 1)
        anchors, valid = model.generate_anchors(shapes, device=memory.device, dtype=memory.dtype)
        places = model.enc_output(valid.to(memory.dtype) * memory)
        logits, coordinates = model.enc_score_head(places), model.enc_bbox_head(places) + anchors
        chosen = logits.amax(-1).topk(queries_of(memory.shape[1]), 1).indices
        with _traceable():
            found = model.decoder(
                inputs_embeds=_rows(places, chosen).detach(),
                encoder_hidden_states=memory,
                reference_points=_rows(coordinates, chosen).detach(),
                spatial_shapes=torch.tensor(shapes, device=memory.device),
                spatial_shapes_list=shapes,
            )
        return RawOutputs(
            logits=found.intermediate_logits,
            boxes=found.intermediate_reference_points,
            distances=found.intermediate_predicted_corners,
            references=found.initial_reference_points,
            place_logits=logits,
            place_boxes=coordinates.sigmoid(),
            maps=maps,
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Predictions as `distill.postprocess.decode` reads them.

        Args:
            pixels: (N, 3, H, W) float32, RGB, 0..1; H and W multiples of 32.

        Returns:
            (N, 4 + C, K) float32: boxes XYWH (centre) in pixels of the input, class scores 0..1.
        """
        raw = self.raw(pixels)
        height, width = pixels.shape[2:]
        scale = torch.tensor([width, height, width, height], dtype=raw.boxes.dtype, device=raw.boxes.device)
        return torch.cat([raw.boxes[:, -1] * scale, raw.logits[:, -1].sigmoid()], -1).transpose(1, 2)


def queries_of(places: int) -> int:
    """How many of the encoder's places the decoder looks into: a quarter, 50 to 300, as far as there are."""
    return min(places, max(_LEAST_QUERIES, min(QUERIES, places // 4)))


def _rows(table: Tensor, index: Tensor) -> Tensor:
    """Rows (B, K, c) of a table (B, T, c). `take_along_dim` would write the batch's size into a graph."""
    return table.gather(1, index[..., None].expand(-1, -1, table.shape[2]))


# What the model's own initialisation sets on purpose: class biases, refinements that begin at nothing, gates.
_KEPT = (
    "class_embed",
    "enc_score_head",
    "sampling_offsets",
    "attention_weights",
    "gateway",
    "lqe_layers",
)
# The first boxes are the anchors themselves, as in the paper's code.
_ZERO = re.compile(r"(enc_bbox_head|pre_bbox_head|bbox_embed\.\d+)\.layers\.2$")


@torch.no_grad()
def redraw(detector: nn.Module) -> None:
    """Draw weights that can be trained from scratch.

    The class is made to be filled with trained weights: it draws every matrix with deviation 0.01, through
    whose box heads next to no gradient comes. The paper's code leaves layers to torch's own initialisation.
    """
    for name, module in detector.named_modules():
        if not isinstance(module, nn.Linear | nn.Conv2d):
            continue
        if _ZERO.search(name):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(cast(Tensor, module.bias))
        elif not any(part in name for part in _KEPT):
            module.reset_parameters()


@contextlib.contextmanager
def _traceable() -> Iterator[None]:
    """While a graph is traced, leave out checks of shapes that no exported operator can express."""
    if not torch.compiler.is_exporting():
        yield
        return
    name = "TRANSFORMERS_DISABLE_TORCH_CHECK"  # the switch that transformers offers
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before
