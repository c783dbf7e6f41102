"""The vision tower: SigLIP for pictures of 64 px, which it cuts into 8 x 8 patches."""

from typing import Any

PICTURE_PX = 64
PATCH_PX = 8
PATCHES = PICTURE_PX // PATCH_PX  # to a side
VISION = 96


def vision_config(**more: Any) -> dict[str, Any]:
    """Values of a `SiglipVisionConfig`; `more` goes on top."""
    return {
        "hidden_size": VISION,
        "intermediate_size": 256,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "image_size": PICTURE_PX,
        "patch_size": PATCH_PX,
        "vision_use_head": False,
        **more,
    }
