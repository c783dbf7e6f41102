"""The patch, its shapes, places and the laying of it: known answers, invariants, bad input."""

import numpy as np
import pytest
import torch
from PIL import Image

from nbhelpers.attack import make_patch, read_png, save_png
from nbhelpers.attack.compose import homographies, paste
from nbhelpers.attack.patch import PRINTABLE, start_pixels
from nbhelpers.attack.poses import PoseRanges, draw_corners, side_of
from nbhelpers.attack.shapes import shape_mask
from nbhelpers.errors import BadInput


def rng(seed=0):
    return np.random.default_rng(seed)


def square(left, top, side):
    corners = [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
    return torch.tensor([[corners]], dtype=torch.float64)


def test_a_circle_covers_pi_quarters_of_its_square():
    assert shape_mask("circle", 64).mean() == pytest.approx(np.pi / 4, abs=1e-3)
    assert shape_mask("square", 5).min() == 1


def test_a_mask_from_a_file_is_where_it_is_opaque_and_bright(tmp_path):
    image = np.zeros((40, 40, 4), np.uint8)
    image[:20] = (255, 255, 255, 255)
    image[20:] = (255, 255, 255, 0)
    Image.fromarray(image).save(tmp_path / "half.png")
    mask = shape_mask(tmp_path / "half.png", 10)
    assert mask[:5].min() == 1 and mask[5:].max() == 0
    Image.new("RGB", (8, 8)).save(tmp_path / "black.png")
    with pytest.raises(BadInput, match="black all over"):
        shape_mask(tmp_path / "black.png", 8)
    with pytest.raises(BadInput, match="neither square nor circle nor an image file"):
        shape_mask("triangle", 8)


@pytest.mark.parametrize("detail", [None, 4])
def test_no_step_leaves_the_printable_range(detail):
    patch = make_patch("noise", "square", 16, seed=1, detail=detail)
    with torch.no_grad():
        patch.raw.copy_(torch.randn(patch.raw.shape, generator=torch.Generator().manual_seed(0)) * 50)
    pixels = patch.pixels().detach()
    assert PRINTABLE[0] - 1e-6 <= float(pixels.min()) and float(pixels.max()) <= PRINTABLE[1] + 1e-6
    assert patch.raw.shape == (3, detail or 16, detail or 16) and pixels.shape == (3, 16, 16)


def test_starts(tmp_path):
    gray = make_patch("gray", "square", 8, seed=0).pixels()
    assert torch.allclose(gray, torch.full_like(gray, 0.5), atol=1e-6)
    assert torch.equal(start_pixels("noise", 8, 3), start_pixels("noise", 8, 3))
    assert not torch.equal(start_pixels("noise", 8, 3), start_pixels("noise", 8, 4))
    Image.new("RGB", (30, 20), (255, 0, 51)).save(tmp_path / "red.png")
    made = make_patch(tmp_path / "red.png", "square", 8, seed=0).pixels()[:, 4, 4]
    assert made.tolist() == pytest.approx([0.97, 0.03, 0.2], abs=0.02)
    with pytest.raises(BadInput, match="neither noise nor gray nor an image file"):
        start_pixels("black", 8, 0)
    with pytest.raises(BadInput, match="more than its 8 pixels"):
        make_patch("gray", "square", 8, seed=0, detail=9)


def test_the_file_holds_the_patch_to_a_level(tmp_path):
    patch = make_patch("noise", "circle", 24, seed=2)
    pixels, mask = read_png(save_png(patch.image(), tmp_path / "patch.png"))
    assert (pixels - patch.pixels()).abs().max() <= 0.5 / 255 + 1e-6
    assert (mask - patch.mask).abs().max() <= 0.5 / 255 + 1e-6


def test_what_is_no_patch_is_refused(tmp_path):
    with pytest.raises(BadInput, match="there is no such file"):
        read_png(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(BadInput, match="cannot be read as an image"):
        read_png(tmp_path / "text.png")
    Image.new("RGB", (4, 6)).save(tmp_path / "wide.png")
    with pytest.raises(BadInput, match="is 4x6 pixels; a patch is square"):
        read_png(tmp_path / "wide.png")


def test_a_homography_takes_corners_to_corners():
    corners = torch.tensor([[(3.0, 4.0), (20.0, 6.0), (18.0, 25.0), (1.0, 19.0)]], dtype=torch.float64)
    points = torch.cat([corners[0], torch.ones(4, 1, dtype=torch.float64)], dim=1)
    mapped = points @ homographies(corners)[0].T
    expected = torch.tensor([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)], dtype=torch.float64)
    assert torch.allclose(mapped[:, :2] / mapped[:, 2:], expected, atol=1e-9)


def test_on_whole_pixels_the_patch_is_copied():
    pixels = torch.rand((3, 6, 6), generator=torch.Generator().manual_seed(0))
    pictures = torch.zeros((1, 3, 20, 20))
    laid = paste(pictures, pixels, torch.ones(6, 6), square(4, 9, 6))
    assert torch.allclose(laid[0, :, 9:15, 4:10], pixels, atol=1e-5)
    laid[0, :, 9:15, 4:10] = 0
    assert laid.abs().max() < 1e-5


@pytest.mark.parametrize("shape", ["square", "circle"])
def test_a_patch_covers_the_share_it_was_given(shape):
    mask = torch.from_numpy(shape_mask(shape, 40))
    side = side_of(0.09, 1, float(mask.mean()), 64)
    ranges = PoseRanges(rotation_deg=(-30, 30), perspective=0.0)
    corners = torch.from_numpy(draw_corners(rng(1), side, ranges, 1, 64))[None]
    covered = paste(torch.zeros((1, 3, 64, 64)), torch.ones((3, 40, 40)), mask, corners)[0, 0].mean()
    assert float(covered) == pytest.approx(0.09, rel=0.03)


def test_several_patches_share_the_area_and_keep_apart():
    side = side_of(0.09, 3, 1.0, 64)
    corners = draw_corners(rng(3), side, PoseRanges(), 3, 64)
    assert corners.shape == (3, 4, 2)
    laid = paste(torch.zeros((1, 3, 64, 64)), torch.ones((3, 16, 16)), torch.ones(16, 16),
                 torch.from_numpy(corners)[None])  # fmt: skip
    assert float(laid[0, 0].mean()) == pytest.approx(0.09, rel=0.05)


@pytest.mark.parametrize("seed", range(20))
def test_no_corner_leaves_the_picture(seed):
    ranges = PoseRanges((0.5, 1.3), (-180, 180), 0.1)
    corners = draw_corners(rng(seed), 18.0, ranges, 2, 64)
    assert corners.min() >= -1e-9 and corners.max() <= 64 + 1e-9


def test_places_are_fixed_where_asked():
    at = draw_corners(rng(), 16.0, PoseRanges(place=(0.0, 1.0)), 1, 64)[0]
    assert at[:, 0].min() == pytest.approx(0) and at[:, 1].max() == pytest.approx(64)


@pytest.mark.parametrize("seed", range(10))
def test_a_patch_lies_where_it_is_legal(seed):
    legal = np.zeros((64, 64), bool)
    legal[10:40, 30:60] = True
    corners = draw_corners(rng(seed), 14.0, PoseRanges(rotation_deg=(-20, 20)), 1, 64, legal)[0]
    assert corners[:, 0].min() >= 29.5 and corners[:, 0].max() <= 60.5
    assert corners[:, 1].min() >= 9.5 and corners[:, 1].max() <= 40.5


@pytest.mark.parametrize("shape", ["square", "circle"])
@pytest.mark.parametrize("seed", range(6))
def test_not_a_pixel_lies_on_what_may_not_be_covered(shape, seed):
    """And a disc needs room for itself, not for the square around it."""
    legal = np.zeros((64, 64), bool)
    rows, columns = np.mgrid[:64, :64] + 0.5
    legal[np.hypot(rows - 30, columns - 34) < 19] = True
    outline = shape_mask(shape, 32)
    ranges = PoseRanges((0.9, 1.0), (-30, 30), 0.03)
    side = 32.0 if shape == "circle" else 22.0
    corners = draw_corners(rng(seed), side, ranges, 1, 64, legal, outline)
    laid = paste(torch.zeros((1, 3, 64, 64)), torch.ones((3, 32, 32)), torch.from_numpy(outline),
                 torch.from_numpy(corners)[None])[0, 0].numpy()  # fmt: skip
    assert laid[~legal].max() < 0.1
    assert laid.sum() == pytest.approx((outline.mean() * side**2), rel=0.25)


def test_no_room_is_an_error_that_says_so():
    with pytest.raises(BadInput, match="does not fit into a picture of 64 px"):
        draw_corners(rng(), 70.0, PoseRanges(), 1, 64)
    with pytest.raises(BadInput, match="no legal place for a patch of 20 px"):
        draw_corners(rng(), 20.0, PoseRanges(), 1, 64, np.zeros((64, 64), bool))


def test_pictures_without_room_are_left_out_and_counted():
    from attack_models import twin

    from nbhelpers.attack import Victim, with_room
    from nbhelpers.data.pictures import drawn_pictures
    from nbhelpers.settings import load_settings

    victim = Victim(twin())
    settings = load_settings("cpu").attack.model_copy(update={"share": 0.16})
    part = drawn_pictures(40, "train:1", ["larger"], avoid_objects=True).part("train")
    said = []
    kept = with_room(part, settings, victim, said.append)
    left = [one for one in part.pictures if one not in kept.pictures]
    assert kept.pictures and left and kept.prompts == part.prompts
    assert said == [f"{len(left)} of 40 pictures are left out: no room for 29 px of patch"]
    outline = shape_mask(settings.shape, settings.patch_px)
    side = side_of(0.16, 1, float(outline.mean()), 64)
    for number, picture in enumerate(kept.pictures):
        ranges = PoseRanges(rotation_deg=settings.eot.rotation_deg)
        corners = draw_corners(rng(number), side, ranges, 1, 64, picture.legal(64), outline)
        assert corners.min() >= 0 and corners.max() <= 64
    anywhere = drawn_pictures(5, "train:1", ["larger"]).part("train")
    assert with_room(anywhere, settings, victim).pictures == anywhere.pictures
    with pytest.raises(BadInput, match=r"none of 40 pictures has room .* attack.share smaller"):
        with_room(part, settings.model_copy(update={"share": 0.49}), victim)


def test_laying_has_the_right_gradient():
    pixels = torch.rand((3, 8, 8), dtype=torch.float64, requires_grad=True)
    pictures = torch.rand((2, 3, 24, 24), dtype=torch.float64)
    ranges = PoseRanges((0.8, 1.2), (-30, 30), 0.05)
    corners = torch.from_numpy(np.stack([draw_corners(rng(k), 9.0, ranges, 1, 24) for k in range(2)]))
    mask = torch.ones(8, 8, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: paste(pictures, x, mask, corners), pixels, atol=1e-4)
