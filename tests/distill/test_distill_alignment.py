"""Teachers' maps over a student's input: where each place comes from, what is seen, how maps shrink."""

import cv2
import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from nbhelpers.data.letterbox import letterbox
from nbhelpers.distill.alignment import TeacherMap, map_of_input, warp_teacher_map
from nbhelpers.distill.batches.layout import plain, varied
from nbhelpers.distill.batches.picture import Objects, Picture
from nbhelpers.distill.batches.render import draw
from nbhelpers.distill.outputs import Placement

WHOLE = (0.0, 0.0, 1.0, 1.0)


def identity(width, height):
    return Placement(1, np.array([[1.0, 0, 0], [0, 1.0, 0]]), (0.0, 0.0, width, height))


def coordinates(rows, columns, width, height):
    """A map of two channels: x and y of the image's pixel at the centre of each place."""
    y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(columns) + 0.5, indexing="ij")
    return torch.stack([x * width / columns, y * height / rows])


def test_the_same_grid_gives_the_same_map_to_the_bit():
    values = torch.randn(5, 8, 8)
    found, valid = warp_teacher_map(TeacherMap(values, WHOLE, (64, 64)), identity(64, 64), 64, (8, 8))
    assert torch.allclose(found, values, atol=1e-6)
    assert torch.equal(valid, torch.ones(1, 8, 8))


def test_half_the_grid_gives_means_of_four_places():
    values = torch.randn(3, 8, 8)
    found, _ = warp_teacher_map(TeacherMap(values, WHOLE, (64, 64)), identity(64, 64), 64, (4, 4))
    assert torch.allclose(found, avg_pool2d(values, 2), atol=1e-6)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("scale", [0.4, 1.0, 2.3])
def test_every_place_comes_from_where_the_matrix_says(flip, scale):
    width, height, size, grid = 120, 80, 96, (12, 12)
    teacher = TeacherMap(coordinates(20, 30, width, height), WHOLE, (width, height))
    matrix = np.array([[-scale if flip else scale, 0, 70.0 if flip else -9.0], [0, scale, 11.0]])
    placement = Placement(1, matrix, (0.0, 0.0, size, size))
    found, valid = warp_teacher_map(teacher, placement, size, grid)
    centre = coordinates(*grid, size, size).permute(1, 2, 0).numpy()
    wanted = (centre - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    margin = 2 + 4 / scale  # half a place of either grid from the border, all is linear
    inner = ((wanted > margin) & (wanted < np.array([width, height]) - margin)).all(-1)
    assert inner.sum() >= 6
    assert (valid[0].numpy()[inner] == 1).all()
    np.testing.assert_allclose(found.permute(1, 2, 0).numpy()[inner], wanted[inner], atol=1e-3)
    outside = ((wanted < -margin) | (wanted > np.array([width, height]) + margin)).any(-1)
    assert (valid[0].numpy()[outside] == 0).all()
    assert not found[:, torch.from_numpy(outside)].any()


def test_a_turned_image_is_followed():
    size = 64
    teacher = TeacherMap(coordinates(16, 16, size, size), WHOLE, (size, size))
    quarter = np.array([[0.0, -1.0, size], [1.0, 0.0, 0.0]])  # (x, y) of the image goes to (64 - y, x)
    found, _ = warp_teacher_map(teacher, Placement(1, quarter, (0, 0, size, size)), size, (8, 8))
    x, y = coordinates(8, 8, size, size)
    assert torch.allclose(found[0], y, atol=1e-3)
    assert torch.allclose(found[1], size - x, atol=1e-3)


def test_padding_of_the_teachers_map_is_not_mixed_in():
    values = torch.full((1, 8, 8), 1e4)
    values[:, :6, :4] = 1.0  # the image lies in the upper left
    teacher = TeacherMap(values, (0.0, 0.0, 0.5, 0.75), (40, 60))
    found, valid = warp_teacher_map(teacher, identity(40, 60), 60, (20, 20))
    columns = torch.arange(20) * 3 + 1.5 < 40
    assert torch.equal(valid[0].bool(), columns.expand(20, 20))
    assert torch.allclose(found[0][:, columns], torch.ones(20, int(columns.sum())))


def test_only_the_region_is_valid_and_by_its_share():
    teacher = TeacherMap(torch.ones(1, 32, 32), WHOLE, (32, 32))
    placement = Placement(1, np.array([[1.0, 0, 0], [0, 1.0, 0]]), (8.0, 0.0, 32.0, 20.0))
    _, valid = warp_teacher_map(teacher, placement, 32, (4, 4))
    assert valid[0].tolist() == [[0, 1, 1, 1], [0, 1, 1, 1], [0, 0.5, 0.5, 0.5], [0, 0, 0, 0]]


def test_an_image_that_is_not_seen_gives_nothing():
    placement = Placement(1, np.array([[1.0, 0, 500], [0, 1.0, 0]]), (0.0, 0.0, 64.0, 64.0))
    found, valid = warp_teacher_map(TeacherMap(torch.ones(2, 4, 4), WHOLE, (64, 64)), placement, 64, (4, 4))
    assert not found.any()
    assert not valid.any()
    nothing = map_of_input([], 7, 64, (4, 4))
    assert nothing[0].shape == (7, 4, 4)
    assert not nothing[1].any()


def test_fine_stripes_shrink_to_grey():
    values = (torch.arange(64) % 2).float().expand(1, 64, 64)
    matrix = np.array([[0.25, 0, 3.1], [0, 0.25, 1.7]])
    placement = Placement(1, matrix, (3.1, 1.7, 19.1, 17.7))
    found, valid = warp_teacher_map(TeacherMap(values, WHOLE, (64, 64)), placement, 64, (16, 16))
    whole = valid[0] == 1
    assert whole.sum() >= 4
    assert (found[0][whole] - 0.5).abs().max() < 0.1


# --- a map that is the downscaled image
def image(width, height, seed):
    """Smooth colours, uint8."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (3, 3, 3)).astype(np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def map_of(picture, cell):
    height, width = picture.shape[:2]
    shrunk = cv2.resize(picture, (width // cell, height // cell), interpolation=cv2.INTER_AREA)
    return TeacherMap(torch.from_numpy(shrunk).permute(2, 0, 1).half() / 255, WHOLE, (width, height))


def picture_of(pixels, number):
    none = np.zeros(0, np.int64)
    objects = Objects(np.zeros((0, 4), np.float32), none, np.zeros(0, np.float32), None, None)
    return Picture(number, pixels, np.array([[1.0, 0, 0], [0, 1.0, 0]]), objects)


def within(placements, size, grid):
    """Which places lie wholly in one region: on seams, pixels of two images meet."""
    low = np.arange(grid) * size / grid
    high = low + size / grid
    found = np.zeros((grid, grid), bool)
    for left, top, right, bottom in (placement.region for placement in placements):
        found |= ((low >= top) & (high <= bottom))[:, None] & ((low >= left) & (high <= right))
    return torch.from_numpy(found)


def compared(pixels, placements, maps, size, grid):
    """The largest difference between the map and the input, both at the grid, where one image is seen."""
    found, valid = map_of_input([(maps[p.image_id], p) for p in placements], 3, size, (grid, grid))
    wanted = avg_pool2d(torch.from_numpy(pixels).permute(2, 0, 1).float() / 255, size // grid)
    whole = within(placements, size, grid)
    assert torch.equal(valid[0][whole], torch.ones(int(whole.sum())))
    return (found - wanted).abs()[:, whole].max().item(), whole.float().mean().item()


def test_a_letterboxed_image_and_its_map_agree():
    pixels = image(160, 120, 0)
    placed_pixels, _ = letterbox(pixels, 128)
    part = plain(pixels.shape[:2], 128)
    placement = Placement(0, part.matrix, part.region)
    drawn = (placed_pixels.transpose(1, 2, 0) * 255).astype(np.uint8)
    difference, share = compared(drawn, [placement], {0: map_of(pixels, 4)}, 128, 16)
    assert difference < 0.03
    assert share == pytest.approx(0.75)


@pytest.mark.parametrize("seed", range(6))
def test_a_mosaic_and_the_maps_of_its_images_agree(seed):
    shapes = [(120, 160), (160, 160), (160, 100), (128, 160)]
    pixels = [image(width, height, seed * 10 + k) for k, (height, width) in enumerate(shapes)]
    parts = varied(shapes, 160, np.random.default_rng(seed))
    drawn = draw([picture_of(one, k) for k, one in enumerate(pixels)], parts, 160)
    maps = {k: map_of(one, 4) for k, one in enumerate(pixels)}
    difference, share = compared(drawn.pixels, drawn.placements, maps, 160, 20)
    assert difference < 0.02  # of 1
    assert share > 0.2
    shifted = {k: TeacherMap(one.values, (0.05, 0, 1, 1), one.image_size) for k, one in maps.items()}
    assert compared(drawn.pixels, drawn.placements, shifted, 160, 20)[0] > 2 * difference


def test_two_images_that_meet_within_a_place_share_it():
    maps = {
        1: TeacherMap(torch.full((1, 16, 16), 2.0), WHOLE, (32, 32)),
        2: TeacherMap(torch.full((1, 16, 16), 6.0), WHOLE, (32, 32)),
    }
    left = Placement(1, np.array([[1.0, 0, -8], [0, 1, 0]]), (0.0, 0.0, 10.0, 32.0))
    right = Placement(2, np.array([[1.0, 0, 6], [0, 1, 0]]), (10.0, 0.0, 32.0, 32.0))
    found, valid = map_of_input([(maps[1], left), (maps[2], right)], 1, 32, (4, 4))
    assert torch.equal(valid, torch.ones(1, 4, 4))
    assert found[0, 0].tolist() == [2, 5, 6, 6]  # a quarter of the second place is of the first image
