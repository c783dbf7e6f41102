"""From rules to transforms: what a strength of 0..1 means, at the size of the picture it is meant for."""

from typing import Any

from nbhelpers.data.augment.library import albumentations
from nbhelpers.data.augment.rules import Rule
from nbhelpers.data.letterbox import GRAY

# The canvas beyond the picture: the gray a student's letterbox shows too, and background in masks. Mirrored
# edges would show objects that nobody labelled.
_CANVAS: dict[str, Any] = {"fill": (GRAY,) * 3, "fill_mask": 0}
# Grain of noise and blur are meant for a picture this large; larger ones are seen scaled down to about it.
VIEWED_PX = 640


def transform_for(rule: Rule, side_px: int, min_visibility: float) -> Any:
    """The transform of a rule.

    Args:
        rule: what is wanted.
        side_px: shorter side of the picture: blurs, spots and grain are shares of it.
        min_visibility: see `Covering`.
    """
    if rule.transform == "bend":
        return _bend(rule.strength, rule.probability, side_px)
    if rule.transform in _GEOMETRY:
        return _GEOMETRY[rule.transform](rule.strength, rule.probability)
    if rule.transform in _LIGHT:
        return _LIGHT[rule.transform](rule.strength, rule.probability)
    if rule.transform in _LENS:
        return _LENS[rule.transform](rule.strength, rule.probability, side_px)
    return _object_transform(rule, min_visibility)


def _affine(p: float, **options: Any) -> Any:
    return albumentations().Affine(p=p, **_CANVAS, **options)


def _zoom(s: float, p: float) -> Any:
    return _affine(p, scale=(1 / (1 + 0.6 * s), 1 + 0.6 * s), keep_ratio=True)


def _zoom_in(s: float, p: float) -> Any:
    return _affine(p, scale=(1 + 0.2 * s, 1 + s), translate_percent=(-0.2 * s, 0.2 * s), keep_ratio=True)


def _stretch(s: float, p: float) -> Any:
    side = (1 / (1 + 0.3 * s), 1 + 0.3 * s)
    return _affine(p, scale={"x": side, "y": side}, shear=(-12 * s, 12 * s))


def _bend(s: float, p: float, side_px: int) -> Any:
    cells = min(5, max(1, side_px // 2))  # a cell must have pixels
    return albumentations().GridDistortion(num_steps=cells, distort_limit=0.35 * s, p=p, **_CANVAS)


def _shift(s: float, p: float) -> Any:
    return _affine(p, translate_percent=(-0.18 * s, 0.18 * s))


def _tilt(s: float, p: float) -> Any:
    return _affine(p, rotate=(-15 * s, 15 * s))


def _perspective(s: float, p: float) -> Any:
    return albumentations().Perspective(scale=(0.03 * s, 0.1 * s), keep_size=True, p=p, **_CANVAS)


def _tone(p: float, brightness: tuple[float, float], contrast: tuple[float, float]) -> Any:
    # Contrast round the picture's mean; `RandomBrightnessContrast` turns round black and so darkens too.
    return albumentations().ColorJitter(
        brightness=brightness, contrast=contrast, saturation=(1, 1), hue=(0, 0), p=p
    )


def _exposure(s: float, p: float) -> Any:
    return _tone(p, (1 - 0.45 * s, 1 + 0.45 * s), (1 - 0.35 * s, 1 + 0.35 * s))


def _shadow(s: float, p: float) -> Any:
    return albumentations().RandomShadow(
        shadow_roi=(0, 0, 1, 1), num_shadows_limit=(1, 2), shadow_intensity_range=(0.25 * s, 0.7 * s), p=p
    )


def _temperature(s: float, p: float) -> Any:
    # In kelvin round daylight's 6500; steps to the warm side are seen more.
    limit = (round(6500 - 3000 * s), round(6500 + 6000 * s))
    return albumentations().PlanckianJitter(mode="blackbody", temperature_limit=limit, p=p)


def _darken(s: float, p: float) -> Any:
    return albumentations().RandomGamma(gamma_limit=(100 + 40 * s, 100 + 170 * s), p=p)


def _flatten(s: float, p: float) -> Any:
    return _tone(p, (1 - 0.1 * s, 1 + 0.1 * s), (1 - 0.75 * s, 1 - 0.35 * s))


def _defocus(s: float, p: float, side_px: int) -> Any:
    widest = max(0.5, 0.008 * s * side_px)
    return albumentations().GaussianBlur(blur_limit=0, sigma_limit=(0.4 * widest, widest), p=p)


def _motion_blur(s: float, p: float, side_px: int) -> Any:
    longest = max(3, _odd(0.05 * s * side_px))
    return albumentations().MotionBlur(blur_limit=(max(3, _odd(longest / 2)), longest), p=p)


def _noise(s: float, p: float, side_px: int) -> Any:
    grain = min(1.0, VIEWED_PX / side_px)
    return albumentations().GaussNoise(std_range=(0.03 * s, 0.12 * s), noise_scale_factor=grain, p=p)


def _odd(value: float) -> int:
    return 2 * round((value - 1) / 2) + 1


def _object_transform(rule: Rule, min_visibility: float) -> Any:
    from nbhelpers.data.augment.covering import Hide, Paste
    from nbhelpers.data.augment.object_transforms import Clutter, Fade, Lights, Recolour, SeeThrough

    strength, p = rule.strength, rule.probability
    if rule.transform in ("hide", "paste"):
        covering = Hide if rule.transform == "hide" else Paste
        return covering(strength=strength, min_visibility=min_visibility, p=p)
    if rule.transform in ("highlights", "glare"):
        return Lights(strength=strength, on_objects=rule.transform == "highlights", p=p)
    kinds = {"see_through": SeeThrough, "fade": Fade, "recolour": Recolour, "clutter": Clutter}
    return kinds[rule.transform](strength=strength, p=p)


_GEOMETRY = {
    "zoom": _zoom,
    "zoom_in": _zoom_in,
    "stretch": _stretch,
    "shift": _shift,
    "tilt": _tilt,
    "perspective": _perspective,
}
_LIGHT = {
    "exposure": _exposure,
    "shadow": _shadow,
    "temperature": _temperature,
    "darken": _darken,
    "flatten": _flatten,
}
_LENS = {"defocus": _defocus, "motion_blur": _motion_blur, "noise": _noise}
GEOMETRY: frozenset[str] = frozenset({*_GEOMETRY, "bend"})
