"""AdamW as students are trained with it: no weight decay on norms and biases."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn


def make_optimizer(model: "nn.Module", learning_rate: float, weight_decay: float) -> "torch.optim.Optimizer":
    """Two groups: tensors of two or more dimensions decay, vectors and scalars (norms, biases) do not."""
    import torch

    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=learning_rate)
