import numpy as np
import pytest

from nbhelpers.data.stills import STICKER_STYLES, STILL_WORLDS, add_sticker, render_still
from nbhelpers.data.stills.kinds import KINDS, extent, paint
from nbhelpers.data.stills.layout import RATIO
from nbhelpers.errors import BadInput

WORLDS = tuple(STILL_WORLDS)


@pytest.fixture(scope="module", params=WORLDS)
def stills(request):
    return [render_still(index, 64, 5, request.param) for index in range(150)]


def test_the_same_arguments_give_the_same_picture():
    first, second = render_still(3, 96, 1), render_still(3, 96, 1)
    assert np.array_equal(first.image, second.image)
    assert first.names == second.names
    assert first.objects[0].box_xyxy == second.objects[0].box_xyxy


@pytest.mark.parametrize(("index", "seed", "world"), [(4, 1, "base"), (3, 2, "base"), (3, 1, "shifted")])
def test_another_index_seed_or_world_gives_another_picture(index, seed, world):
    assert not np.array_equal(render_still(3, 64, 1).image, render_still(index, 64, seed, world).image)


def test_drawing_does_not_depend_on_what_was_drawn_before():
    alone = render_still(9).image
    for index in range(5):
        render_still(index)
    assert np.array_equal(render_still(9).image, alone)


@pytest.mark.parametrize("size", [64, 65, 100, 224, 300])
def test_any_size_from_64_up(size):
    still = render_still(1, size)
    assert still.image.shape == (size, size, 3)
    assert still.image.dtype == np.uint8
    assert all(thing.mask.shape == (size, size) and thing.mask.dtype == bool for thing in still.objects)


def test_another_size_shows_the_same_scene():
    for index in range(20):
        small, large = render_still(index, 64), render_still(index, 256)
        assert (small.names, small.place) == (large.names, large.place)
        for one, other in zip(small.objects, large.objects, strict=True):
            assert np.allclose(np.array(one.box_xyxy) * 4, other.box_xyxy, atol=6)
            # Thin parts (the spokes of a wheel) are lost from the mask of a small picture.
            assert one.area * 16 == pytest.approx(other.area, rel=0.25)


def test_the_larger_object_comes_first_by_a_clear_margin(stills):
    ratios = [still.objects[0].area / still.objects[1].area for still in stills if len(still.objects) == 2]
    assert len(ratios) > 60
    assert min(ratios) >= 1.4
    assert RATIO[0] > 1.4


def test_one_or_two_different_objects(stills):
    counts = [len(still.objects) for still in stills]
    assert set(counts) == {1, 2}
    assert all(len(set(still.names)) == len(still.names) for still in stills)


def test_areas_and_boxes_are_those_of_the_masks(stills):
    for still in stills:
        for thing in still.objects:
            rows, columns = np.nonzero(thing.mask)
            assert thing.area == thing.mask.sum() == len(rows)
            box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            assert thing.box_xyxy == box
            assert box[0] >= 0 and box[1] >= 0 and box[2] <= 64 and box[3] <= 64


def test_objects_do_not_touch(stills):
    for still in stills:
        if len(still.objects) == 2:
            assert not (still.objects[0].mask & still.objects[1].mask).any()


def test_place_says_where_the_objects_are(stills):
    seen = set()
    for still in stills:
        middles = [np.argwhere(thing.mask).mean(axis=0)[::-1] for thing in still.objects]
        seen.add((len(middles), still.place))
        if len(middles) == 2:
            dx, dy = middles[0] - middles[1]
            sideways = {"left": -dx, "right": dx, "above": -dy, "below": dy}
            assert max(sideways, key=sideways.get) == still.place
        else:
            third = {"left": (0, 26), "middle": (24, 40), "right": (38, 64)}[still.place]
            assert third[0] <= middles[0][0] <= third[1]
    assert len(seen) == 7


def test_objects_are_anywhere():
    centres = np.array([render_still(index).objects[-1].box_xyxy for index in range(300)])
    x, y = (centres[:, 0] + centres[:, 2]) / 2, (centres[:, 1] + centres[:, 3]) / 2
    counts, _, _ = np.histogram2d(x, y, bins=4, range=[[0, 64], [0, 64]])
    assert counts.min() >= 3


def test_masks_are_what_is_painted(monkeypatch):
    """Painting an object changes the picture inside its mask and not beyond its soft edge."""
    from nbhelpers.data.stills import render

    monkeypatch.setattr(render, "_photograph", lambda rng, world, light: light)
    added = render._add
    for index in range(12):
        with_all = render_still(index, 128)
        with monkeypatch.context() as patch:
            blank = lambda light, *rest: added(light.copy(), *rest)  # noqa: E731
            patch.setattr(render, "_add", blank)
            without = render_still(index, 128)
        changed = np.abs(with_all.image - without.image).max(axis=2) > 1
        mask = np.any([thing.mask for thing in with_all.objects], axis=0)
        grown = mask.copy()
        for axis in (0, 1):
            grown |= np.roll(grown, 1, axis) | np.roll(grown, -1, axis)
        assert not (changed & ~grown).any()
        # An object may have a colour of what lies behind it in places, hardly anywhere.
        assert (changed & mask).sum() >= 0.9 * mask.sum()


def test_brightness_varies_widely():
    levels = np.array([render_still(index).image.mean() for index in range(200)])
    assert np.quantile(levels, 0.1) < 50
    assert np.quantile(levels, 0.9) > 120


def test_the_shifted_world_is_another():
    base, shifted = STILL_WORLDS["base"], STILL_WORLDS["shifted"]
    assert set(base.kinds) < set(shifted.kinds)
    assert set(base.colors) < set(shifted.colors)
    # No shade of a common colour word is the same: other hue, or paler and darker.
    for word in base.colors:
        one, other = base.colors[word], shifted.colors[word]
        assert one.value[0] > other.value[0] or one.saturation[0] > other.saturation[1]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_lies_within_its_unit_disc(kind):
    for step in range(11):
        half_width, half_height, area = extent(kind, step)
        assert 0.2 < half_width <= 1.02 and 0.2 < half_height <= 1.02
        assert 0.3 < area < 4 * half_width * half_height


@pytest.mark.parametrize("kind", KINDS)
def test_light_from_the_other_side_changes_no_extent(kind):
    """The layout knows one extent per kind; a kind that is wider in other light would touch its neighbour."""
    painted = [paint(kind, 200, 90, 0, np.array([99.5, 99.5]), 0.6, light) > 0 for light in (-1.0, 1.0)]
    half_width, half_height, area = extent(kind, 6)
    for canvas in painted:
        rows, columns = np.nonzero(canvas)
        assert np.abs(columns - 99.5).max() <= 90 * half_width + 1
        assert np.abs(rows - 99.5).max() <= 90 * half_height + 1
        assert canvas.sum() == pytest.approx(area * 90**2, rel=0.03)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((0, 63), "63 px"), ((-1, 64), "-1"), ((0, 64, -2), "-2"), ((0, 64, 0, "moon"), "moon")],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(BadInput, match=words):
        render_still(*arguments)


@pytest.mark.parametrize("style", STICKER_STYLES)
@pytest.mark.parametrize("size", [64, 200])
def test_a_sticker_changes_a_few_pixels_and_nothing_that_is_known(style, size):
    shares = []
    for index in range(40):
        still = render_still(index, size)
        stuck = add_sticker(np.random.default_rng(index), still, (style,))
        again = add_sticker(np.random.default_rng(index), still, (style,))
        assert np.array_equal(stuck.image, again.image), "a matter of the generator alone"
        assert (stuck.names, stuck.place, stuck.objects) == (still.names, still.place, still.objects)
        changed = (stuck.image != still.image).any(axis=2)
        shares.append(changed.mean())
        assert all((changed & thing.mask).sum() <= 0.16 * thing.area + 4 for thing in still.objects)
    assert max(shares) < 0.15
    assert np.mean(np.array(shares) > 0.01) > 0.9, "hardly a picture has no room"


def test_grey_stickers_are_grey_and_others_are_not():
    still, rng = render_still(2, 96), np.random.default_rng(3)
    spread = {}
    for style in STICKER_STYLES:
        stuck = add_sticker(rng, still, (style,)).image.astype(int)
        inside = stuck[(np.abs(stuck - still.image) > 40).any(axis=2)]
        spread[style] = (inside.max(axis=1) - inside.min(axis=1)).mean()
    assert spread["grey"] < 20 < spread["speckled"]


def test_an_unknown_sticker_is_named():
    with pytest.raises(
        BadInput, match="sticker style 'gold' is not known; there are: grey, speckled, lettered"
    ):
        add_sticker(np.random.default_rng(0), render_still(0), ("gold",))
