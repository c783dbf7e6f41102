"""Lay a patch into pictures, differentiably: homography, bilinear sampling, soft edges."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate


def homographies(corners: Tensor) -> Tensor:
    """The maps from picture pixels to the patch's own square.

    Args:
        corners: (N, 4, 2) float, where the patch's corners lie in the picture, pixels, clockwise from its
            upper left.

    Returns:
        (N, 3, 3) float64: picture (x, y, 1) to patch coordinates -1..1, up to scale (Hartley and Zisserman,
        Multiple View Geometry, 4.1, from four points).
    """
    source = corners.double()
    target = torch.tensor([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)], dtype=torch.float64)
    target = target.to(source.device).expand_as(source)
    x, y = source.unbind(-1)
    u, v = target.unbind(-1)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    rows_u = torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], dim=-1)
    rows_v = torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], dim=-1)
    matrix = torch.cat([rows_u, rows_v], dim=1)
    solved = torch.linalg.solve(matrix, torch.cat([u, v], dim=1))
    return torch.cat([solved, torch.ones_like(solved[:, :1])], dim=1).reshape(-1, 3, 3)


def sampling_grid(corners: Tensor, size: tuple[int, int]) -> Tensor:
    """Where in the patch each pixel of the picture looks, for `grid_sample` without aligned corners.

    Args:
        corners: (N, 4, 2), see `homographies`.
        size: height and width of the picture.

    Returns:
        (N, H, W, 2) float32; outside -1..1 there is no patch.
    """
    height, width = size
    rows = torch.arange(height, dtype=torch.float64, device=corners.device) + 0.5
    columns = torch.arange(width, dtype=torch.float64, device=corners.device) + 0.5
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)], dim=-1).reshape(-1, 3)
    mapped = points @ homographies(corners).transpose(1, 2)
    # Behind the horizon of a strong tilt the divisor is 0 or less; there is no patch there.
    depth = mapped[..., 2:].clamp_min(1e-6)
    grid = torch.where(mapped[..., 2:] > 1e-6, mapped[..., :2] / depth, torch.full_like(depth, 2.0))
    return grid.reshape(-1, height, width, 2).float().clamp(-2, 2)


def paste(pictures: Tensor, pixels: Tensor, mask: Tensor, corners: Tensor) -> Tensor:
    """Pictures with the patch in them.

    A patch with many more pixels than it covers is averaged down first, else it would be seen through a
    sieve.

    Args:
        pictures: (N, 3, H, W) float, any range.
        pixels: (3, P, P), or (N, 3, P, P) for one of its own per picture; same range.
        mask: (P, P) float, 0..1.
        corners: (N, count, 4, 2), see `homographies`.

    Returns:
        (N, 3, H, W); differentiable in `pictures` and `pixels`.
    """
    count = corners.shape[1]
    side = float((corners[:, :, 1] - corners[:, :, 0]).norm(dim=-1).mean())
    pixels = pixels.expand(len(pictures), *pixels.shape[-3:])
    ink = torch.cat([pixels * mask, mask.expand(len(pictures), 1, *mask.shape)], dim=1)
    if mask.shape[-1] > 1.5 * side:
        small = max(2, round(side))
        ink = interpolate(ink, size=(small, small), mode="area")
    for place in range(count):
        grid = sampling_grid(corners[:, place], (pictures.shape[-2], pictures.shape[-1]))
        laid = grid_sample(
            ink, grid.to(ink.dtype), mode="bilinear", padding_mode="zeros", align_corners=False
        )
        pictures = pictures * (1 - laid[:, 3:]) + laid[:, :3]
    return pictures
