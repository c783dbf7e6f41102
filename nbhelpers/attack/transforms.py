"""What happens to a print on its way into a file: ink, light, lens, sensor, JPEG.

Expectation over transforms (Athalye et al. 2018, "Synthesizing robust adversarial examples"): each change is
drawn from a seed, differentiable (JPEG by a straight-through gradient), and off where its range is nothing.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nbhelpers.attack.pictures import Pixels

Range = tuple[float, float]


@dataclass(frozen=True)
class Wear:
    """How much a patch and the picture around it may change.

    Attributes:
        gamut: what a printer does to colours, from 0 (nothing) to 1 (see `printed`).
        brightness: factors on the light on the patch, such as (0.8, 1.2).
        contrast: factors on the patch's contrast about its own mean.
        blur_px: deviations of a Gaussian blur over the whole picture, pixels.
        noise: deviations of sensor noise over the whole picture, 0..1 of the range of a pixel.
        jpeg: qualities, 1 to 100; (100, 100) saves nothing.
    """

    gamut: Range = (0.0, 0.0)
    brightness: Range = (1.0, 1.0)
    contrast: Range = (1.0, 1.0)
    blur_px: Range = (0.0, 0.0)
    noise: Range = (0.0, 0.0)
    jpeg: tuple[int, int] = (100, 100)


def generator(*seed: int) -> torch.Generator:
    """A generator of its own for a tuple of numbers; equal numbers draw equally on every device."""
    state = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(state & (2**63 - 1))


def _drawn(span: tuple[float, float], count: int, draw: torch.Generator) -> Tensor:
    return span[0] + (span[1] - span[0]) * torch.rand(count, generator=draw)


def printed(pixels: Tensor, strength: Tensor) -> Tensor:
    """Colours as ink on paper gives them back: less saturated, greenish blues and deep reds the most.

    A linear map towards what inks mix to (each primary keeps some of its neighbours), black lifted to 6 %
    and white lowered to 94 %: the rough shape of an office printer's gamut, not a profile of any one.

    Args:
        pixels: (N, 3, H, W), 0..1.
        strength: (N,), 0 leaves colours alone, 1 is the whole map.
    """
    mix = torch.tensor([[0.84, 0.11, 0.05], [0.06, 0.84, 0.10], [0.06, 0.12, 0.82]])
    mix = mix.to(pixels)
    inked = torch.einsum("ij,njhw->nihw", mix, pixels) * 0.88 + 0.06
    share = strength.to(pixels).view(-1, 1, 1, 1)
    return pixels + share * (inked - pixels)


def wear_patch(pixels: Tensor, count: int, wear: Wear, draw: torch.Generator) -> Tensor:
    """The patch as it looks in each of `count` pictures: ink, then light.

    Args:
        pixels: (3, P, P), 0..1.
        count: pictures.
        wear: see `Wear`.
        draw: everything is drawn from it, whatever is switched off.

    Returns:
        (count, 3, P, P), 0..1.
    """
    shown = pixels.expand(count, *pixels.shape)
    strength, light, contrast = (
        _drawn(span, count, draw) for span in (wear.gamut, wear.brightness, wear.contrast)
    )
    if wear.gamut != (0.0, 0.0):
        shown = printed(shown, strength)
    if wear.contrast != (1.0, 1.0):
        mean = shown.mean(dim=(1, 2, 3), keepdim=True)
        shown = mean + contrast.to(shown).view(-1, 1, 1, 1) * (shown - mean)
    if wear.brightness != (1.0, 1.0):
        shown = shown * light.to(shown).view(-1, 1, 1, 1)
    return shown.clamp(0, 1) if wear != Wear() else shown


def wear_picture(pictures: Tensor, wear: Wear, draw: torch.Generator) -> Tensor:
    """Whole pictures behind a lens, on a sensor, in a JPEG.

    Args:
        pictures: (N, 3, H, W), 0..1.
        wear: see `Wear`.
        draw: everything is drawn from it.
    """
    count = len(pictures)
    blurs, noises, qualities = (_drawn(span, count, draw) for span in (wear.blur_px, wear.noise, wear.jpeg))
    if wear.blur_px != (0.0, 0.0):
        pictures = _blurred(pictures, blurs)
    if wear.noise != (0.0, 0.0):
        grain = torch.randn(pictures.shape, generator=draw).to(pictures)
        pictures = (pictures + noises.to(pictures).view(-1, 1, 1, 1) * grain).clamp(0, 1)
    if wear.jpeg != (100, 100):
        pictures = straight_through(pictures, jpeg(pictures.detach(), qualities.round().long().tolist()))
    return pictures


def _blurred(pictures: Tensor, deviations: Tensor) -> Tensor:
    """A Gaussian of its own deviation for each picture, separable, edges repeated."""
    from torch.nn.functional import conv2d, pad

    reach = max(1, int(3 * float(deviations.max()) + 0.5))
    steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
    weights = torch.exp(-0.5 * (steps / deviations.clamp_min(1e-3)[:, None]) ** 2)
    weights = (weights / weights.sum(dim=1, keepdim=True)).to(pictures)
    count, channels, height, width = pictures.shape
    kernels = weights.repeat_interleave(channels, dim=0)[:, None, None]
    flat = pad(pictures, (reach,) * 4, mode="replicate").reshape(1, count * channels, height + 2 * reach, -1)
    across = conv2d(flat, kernels, groups=count * channels)
    both = conv2d(across, kernels.transpose(2, 3), groups=count * channels)
    return both.reshape(count, channels, height, width)


def jpeg(pictures: Tensor, qualities: list[int]) -> Tensor:
    """Each picture through a JPEG file of its quality, (N, 3, H, W) in 0..1; no gradient."""
    eight = pictures.mul(255).round().clamp(0, 255).permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy()
    read = [jpeg_file(one, quality) for one, quality in zip(eight, qualities, strict=True)]
    return torch.from_numpy(np.stack(read)).permute(0, 3, 1, 2).to(pictures) / 255


def jpeg_file(image: Pixels, quality: int) -> Pixels:
    """One picture (H, W, 3) uint8 RGB written as JPEG and read back."""
    import cv2

    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    read = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(read[..., ::-1])


def straight_through(value: Tensor, seen: Tensor) -> Tensor:
    """`seen` in the forward pass, the gradient of `value` in the backward pass (Bengio et al. 2013)."""
    return value + (seen - value).detach()


def to_levels(pictures: Tensor) -> Tensor:
    """Rounded to the 256 levels of a file, with the gradient of no rounding; 0..1 in and out."""
    return straight_through(pictures, pictures.detach().mul(255).round().clamp(0, 255) / 255)
