"""How many pixels of a frame a model looks at: published processors would enlarge small frames."""

from typing import Any


def limit_area(processor: Any, model_type: str, side_px: int | None, frames: int) -> None:
    """Have a processor bring every frame down to about the area of a square of `side_px`, in its own shape.

    Args:
        processor: changed in place.
        model_type: of the family: Qwen3-VL counts the pixels of a whole video, others those of a frame.
        side_px: None leaves the processor as it is.
        frames: in a clip.
    """
    if side_px is None:
        return
    video = side_px * side_px * (frames if model_type == "qwen3_vl" else 1)
    for name, area in (("video_processor", video), ("image_processor", side_px * side_px)):
        part = getattr(processor, name, None)
        if part is not None and {"shortest_edge", "longest_edge"} <= set(dict(part.size)):
            # No lower bound but one token: a frame that is small is not blown up.
            least = (part.patch_size * part.merge_size) ** 2
            part.size = {"shortest_edge": min(least, area), "longest_edge": area}
