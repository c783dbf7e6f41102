"""Success and its intervals, controls, goals, defences, the sheet: known answers."""

import numpy as np
import pytest
import torch
from PIL import Image

from nbhelpers.attack import DEFENCES, Goal, distance, net_of, print_sheet, save_png, says
from nbhelpers.attack.controls import CONTROLS, control_stickers, typed
from nbhelpers.attack.sheet import PAPERS
from nbhelpers.errors import BadInput
from nbhelpers.metrics import proportion


@pytest.mark.parametrize(
    ("text", "wanted", "match", "right"),
    [
        ("Red ball.", "red ball", "exact", True),
        ("A red ball", "red  ball", "exact", True),
        ("a red ball on the left", "red ball", "exact", False),
        ("I see a red ball on the left", "Red Ball", "contains", True),
        ("I see red balls", "red ball", "contains", False),
        ("", "red ball", "contains", False),
    ],
)
def test_when_an_answer_counts(text, wanted, match, right):
    assert says(text, wanted, match) is right


def test_an_unknown_match_is_refused():
    with pytest.raises(BadInput, match="use exact or contains"):
        says("a", "a", "fuzzy")


def test_distance_is_nothing_between_equals_and_all_between_strangers():
    assert distance("A red ball.", "red ball") == 0
    assert distance("abc", "xyz") == 1
    assert 0 < distance("red ball", "red bag") < 0.5


def test_net_success_by_newcombe():
    """Newcombe 1998, table II, method 10: 56/70 and 48/80 differ by 0.2, interval 0.0524 to 0.3339."""
    found = net_of(
        {"patch": [True] * 56 + [False] * 14, "clean": [True] * 48 + [False] * 32, "gray": [False]}
    )
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-4)
    assert (found.control, found.n) == ("clean", 70)


def test_net_success_needs_a_control():
    with pytest.raises(BadInput, match="at least one control"):
        net_of({"patch": [True]})


class Asked:
    """A question about nothing, with a right answer."""

    def __init__(self, right):
        self.right = right


def test_questions_whose_right_answer_is_the_target_do_not_count():
    goal = Goal("red ball")
    assert (
        not goal.counts(Asked("Red ball.")) and goal.counts(Asked("blue cone")) and goal.counts(Asked(None))
    )
    assert goal.reached("a red ball", "blue cone") and not goal.reached("blue cone", "blue cone")
    away = Goal(None)
    assert away.counts(Asked("blue cone"))
    assert away.reached("anything", "blue cone") and not away.reached("Blue cone.", "blue cone")


def test_the_controls_are_what_they_say():
    pixels = torch.rand((3, 16, 16), generator=torch.Generator().manual_seed(0))
    mask = torch.ones(16, 16)
    mask[:4] = 0
    made = control_stickers(pixels, mask, "red ball", seed=3)
    assert tuple(made) == CONTROLS and made["clean"] is None
    assert made["gray"].unique().tolist() == [0.5]
    shuffled = made["shuffled"]
    assert torch.equal(shuffled[:, :4], pixels[:, :4])  # outside the mask nothing is moved
    for channel in range(3):
        assert torch.equal(shuffled[channel, 4:].flatten().sort()[0], pixels[channel, 4:].flatten().sort()[0])
    assert not torch.equal(shuffled, pixels)
    again = control_stickers(pixels, mask, "red ball", seed=3)
    assert all(torch.equal(made[name], again[name]) for name in CONTROLS[1:])
    assert "start" in control_stickers(pixels, mask, "x", start=pixels)


def test_a_typed_word_is_black_on_white_and_fits():
    sticker = typed("red ball", 128)
    assert sticker.shape == (128, 128, 3) and sticker[0].min() == 255 and sticker[:, 0].min() == 255
    assert 0.05 < (sticker < 128).mean() < 0.5
    assert not np.array_equal(sticker, typed("cone", 128))


@pytest.mark.parametrize("name", list(DEFENCES))
def test_defences_give_pictures_of_the_same_size(name):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    views = DEFENCES[name](image, np.random.default_rng(1))
    assert len(views) == (5 if "vote" in name else 1)
    assert all(view.shape == image.shape and view.dtype == np.uint8 for view in views)
    same = np.array_equal(views[0], image)
    assert same is (name == "none")


def test_the_median_takes_out_single_pixels():
    image = np.full((16, 16, 3), 90, np.uint8)
    image[8, 8] = 255
    assert DEFENCES["median 3x3"](image, np.random.default_rng(0))[0].max() == 90


@pytest.mark.parametrize(("width_mm", "dpi", "paper"), [(120, 100, "A4"), (250, 60, "A3")])
def test_the_sheet_has_the_patch_at_its_width(tmp_path, width_mm, dpi, paper):
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[..., 0], pixels[..., 3] = 200, 255
    save_png(pixels, tmp_path / "patch.png")
    sheet = print_sheet(
        tmp_path / "patch.png", tmp_path, width_mm=width_mm, dpi=dpi, mark="ab" * 32, title="t"
    )
    left, top, right, bottom = sheet.box_px
    assert sheet.paper == paper
    assert right - left == bottom - top == round(width_mm / 25.4 * dpi)
    with Image.open(sheet.png) as page:
        assert page.info["dpi"] == pytest.approx((dpi, dpi), abs=0.01)
        wide = {name: mm for name, mm, _ in PAPERS}[paper]
        assert page.width == round(wide / 25.4 * dpi)
        shown = np.asarray(page)
    red = (shown == (200, 0, 0)).all(-1)
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    assert (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) == sheet.box_px
    outside = shown[:, : left - 1].min(), shown[bottom + 1 :].min()
    assert max(outside) < 128  # marks and text
    pdf = sheet.pdf.read_bytes()
    assert pdf.startswith(b"%PDF") and b"/MediaBox" in pdf


def test_a_round_patch_is_round_on_paper(tmp_path):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[..., 3] = 255
    save_png(pixels, tmp_path / "patch.png")
    given = {"width_mm": 50, "dpi": 200, "mark": "", "shape": "circle"}
    sheet = print_sheet(tmp_path / "patch.png", tmp_path, **given)
    with Image.open(sheet.png) as page:
        patch = np.asarray(page.crop(sheet.box_px).convert("L"))
    assert (patch < 128).mean() == pytest.approx(np.pi / 4, abs=0.002)
    assert ((patch > 8) & (patch < 247)).mean() < 0.02  # a fine edge, not one of eight steps


def test_a_sheet_wider_than_paper_is_refused(tmp_path):
    save_png(np.zeros((4, 4, 4), np.uint8), tmp_path / "patch.png")
    with pytest.raises(BadInput, match="does not fit on A0"):
        print_sheet(tmp_path / "patch.png", tmp_path, width_mm=900, dpi=36, mark="", title="")


def test_the_interval_is_wilsons():
    found = proportion([True] * 8 + [False] * 2)
    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-3)
