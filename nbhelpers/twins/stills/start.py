"""Where the vision tower's weights start: so that it learns shapes from thousands of pictures, not millions.

The class's own random start knows nothing of neighbourhood and looks at brightness first. All of this is
only a start: every weight is trained afterwards.
"""

from typing import TYPE_CHECKING, Any

import torch

from nbhelpers.data.stills import render_still
from nbhelpers.twins.stills.pictures import pixels, training_seed
from nbhelpers.twins.stills.tower import PATCH_PX, PATCHES, PICTURE_PX, VISION

if TYPE_CHECKING:
    from torch import Tensor

_NOISE = 2e-3  # variance below which a direction of patches is sensor noise rather than shape


def start_seeing(tower: Any) -> None:
    """Set positions and attention of a `SiglipVisionModel`; draws from torch's generator."""
    with torch.no_grad():
        tower.embeddings.position_embedding.weight.copy_(_waves())
        for layer in tower.encoder.layers:
            _look_around(layer.self_attn)


def _waves() -> "Tensor":
    """Positions (64, 96) as waves along y and x, so that neighbours begin alike."""
    side, quarter = PATCHES, VISION // 4
    frequency = torch.pi / side * 1.6 ** -torch.linspace(-3, 3, quarter)
    phase = torch.arange(side)[:, None] * frequency
    wave = torch.cat([phase.sin(), phase.cos()], dim=1)  # (8, 48)
    rows, columns = wave[:, None].expand(side, side, -1), wave[None].expand(side, side, -1)
    return 0.4 * torch.cat([rows, columns], dim=2).flatten(0, 1)


def _look_around(attention: Any) -> None:
    """Let patches begin by looking at what is like them and near them (Trockman and Kolter, 2023).

    Query times key starts near the identity, value times output near its negative.
    """
    head = attention.head_dim
    for first in range(0, VISION, head):
        left, values, right = torch.linalg.svd(0.7 * _noise() + 0.7 * torch.eye(VISION))
        root = values[:head].sqrt()[:, None]
        attention.q_proj.weight[first : first + head] = root * left.T[:head]
        attention.k_proj.weight[first : first + head] = root * right[:head]
    left, values, right = torch.linalg.svd(0.4 * _noise() - 0.4 * torch.eye(VISION))
    attention.out_proj.weight.copy_(left * values.sqrt())
    attention.v_proj.weight.copy_(values.sqrt()[:, None] * right)


def _noise() -> "Tensor":
    return torch.randn(VISION, VISION) / VISION**0.5


def whiten_patches(tower: Any, seed: int, pictures: int = 96) -> None:
    """Start the patch embedding (96, 3, 8, 8) as whitening filters of the training pictures.

    From a random start every patch says first how bright it is, and edges, which tell a crate from a ball,
    stay hidden below that for a long time. Whitening gives each direction of variation the same weight
    (Coates and Ng, 2012).
    """
    images = [render_still(i, PICTURE_PX, training_seed(seed)).image for i in range(pictures)]
    cut = torch.nn.functional.unfold(pixels(images), PATCH_PX, stride=PATCH_PX)  # (N, 192, 64)
    patches = cut.transpose(1, 2).flatten(0, 1).double()
    middle = patches.mean(dim=0)
    variances, directions = torch.linalg.eigh(torch.cov((patches - middle).T))
    strongest = directions[:, -VISION:] / (variances[-VISION:] + _NOISE).sqrt()
    embedding = tower.embeddings.patch_embedding
    with torch.no_grad():
        filters = 0.5 * strongest.T.float()
        embedding.weight.copy_(filters.view_as(embedding.weight))
        embedding.bias.copy_(-filters @ middle.float())
