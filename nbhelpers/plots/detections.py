"""Detections drawn on an image, through supervision's annotators."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.errors import BadInput
from nbhelpers.plots.palette import PALETTE, text_color

if TYPE_CHECKING:
    import supervision as sv

SMALL_SIDE_PX = 320
LEGIBLE_SIDE_PX = 480


def draw_detections(
    image: np.ndarray,
    detections: "sv.Detections",
    class_names: Sequence[str],
    *,
    scores: bool = True,
    masks: bool = True,
    boxes: bool = True,
    labels: bool = True,
    scale: float | None = None,
    text_scale: float = 1.0,
    opacity: float = 0.45,
) -> np.ndarray:
    """Draw boxes, masks and names on an image.

    Args:
        image: HWC uint8 RGB; left untouched.
        detections: boxes XYXY in pixels of `image`, masks (N, H, W) bool or none, class indices or none.
        class_names: name per class index.
        scores: write the confidence after the name, where there is one.
        masks: fill and outline the masks, where there are any.
        boxes: draw the boxes.
        labels: write the names.
        scale: enlarge the picture by this factor first; by default images whose longer side is under
            320 px are enlarged to about 480 px, so that names stay legible.
        text_scale: factor on the size of the names, which is 1/27 of the longer side.
        opacity: of the mask fill, 0..1.

    Returns:
        HWC uint8 RGB of round(H * scale) x round(W * scale).

    Raises:
        BadInput: the image is not HWC uint8 with three channels, or a class index has no name.
    """
    _check_drawable(image, detections, class_names)
    factor = _auto_scale(image) if scale is None else scale
    canvas, detections = _enlarge(image, detections, factor)
    if len(detections) == 0:
        return canvas
    # supervision paints in OpenCV's channel order.
    bgr = np.ascontiguousarray(canvas[..., ::-1])
    for annotator in _annotators(bgr, masks and detections.mask is not None, boxes, opacity):
        bgr = annotator.annotate(bgr, detections)
    if labels:
        bgr = _label_annotator(bgr, text_scale).annotate(
            bgr, detections, _label_texts(detections, class_names, scores)
        )
    return np.ascontiguousarray(bgr[..., ::-1])


def _check_drawable(image: np.ndarray, detections: "sv.Detections", class_names: Sequence[str]) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise BadInput(f"draw_detections: image is {image.dtype} {image.shape}; give HWC uint8 RGB")
    ids = detections.class_id
    if ids is not None and len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < len(class_names):
        raise BadInput(
            f"draw_detections: class index {int(ids.max())} has no name among {len(class_names)} class names"
        )


def _auto_scale(image: np.ndarray) -> float:
    side = max(image.shape[:2])
    return float(max(1, round(LEGIBLE_SIDE_PX / side))) if side < SMALL_SIDE_PX else 1.0


def _enlarge(
    image: np.ndarray, detections: "sv.Detections", factor: float
) -> tuple[np.ndarray, "sv.Detections"]:
    """Resize image, boxes and masks together; class indices are made explicit so that colours are stable."""
    import cv2
    import supervision as sv

    height, width = image.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    method = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    canvas = image.copy() if factor == 1 else cv2.resize(image, size, interpolation=method)
    mask = detections.mask
    if mask is not None and factor != 1:
        # Interpolated, then cut at one half: the outline of an enlarged mask is smooth and does not grow.
        mask = np.array([cv2.resize(m.astype(np.float32), size) > 0.5 for m in np.asarray(mask, bool)])
    ids = detections.class_id if detections.class_id is not None else np.zeros(len(detections), int)
    moved = sv.Detections(
        xyxy=np.asarray(detections.xyxy, np.float32) * factor,
        mask=mask if mask is not None and len(mask) else None,
        confidence=detections.confidence,
        class_id=np.asarray(ids, int),
    )
    return canvas, moved


def _annotators(canvas: np.ndarray, masks: bool, boxes: bool, opacity: float) -> list[Any]:
    import supervision as sv

    colors = sv.ColorPalette.from_hex(list(PALETTE))
    thickness = max(1, round(max(canvas.shape[:2]) / 320))
    chosen: list[Any] = []
    if masks:
        chosen += [
            sv.MaskAnnotator(color=colors, opacity=opacity),
            sv.PolygonAnnotator(color=colors, thickness=thickness),
        ]
    if boxes:
        chosen.append(sv.BoxAnnotator(color=colors, thickness=thickness))
    return chosen


def _label_annotator(canvas: np.ndarray, text_scale: float) -> Any:
    """Names in the font that matplotlib brings along: it has more than ASCII, and small sizes read well."""
    import matplotlib as mpl
    import supervision as sv

    size = max(11, round(text_scale * max(canvas.shape[:2]) / 27))
    return sv.RichLabelAnnotator(
        color=sv.ColorPalette.from_hex(list(PALETTE)),
        text_color=sv.ColorPalette.from_hex([text_color(i) for i in range(len(PALETTE))]),
        font_path=str(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"),
        font_size=size,
        text_padding=max(2, size // 6),
        smart_position=True,
    )


def _label_texts(detections: "sv.Detections", class_names: Sequence[str], scores: bool) -> list[str]:
    ids = detections.class_id
    names = [class_names[int(i)] if class_names else str(int(i)) for i in (ids if ids is not None else [])]
    if not scores or detections.confidence is None:
        return names
    return [f"{name} {score:.2f}" for name, score in zip(names, detections.confidence, strict=True)]
