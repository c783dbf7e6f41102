"""Pictures of the house: colours that stay, sizes that hold, overlays where they belong."""

import io

import numpy as np
import pytest
from PIL import Image

from nbhelpers.errors import BadInput
from nbhelpers.plots import (
    PALETTE,
    agreement,
    bars,
    class_color,
    curve,
    draw_detections,
    encode_figure,
    grid,
    inline,
    ranking,
    save_figure,
    style,
    text_color,
)

sv = pytest.importorskip("supervision")


def detections(side: int = 400, class_id: int = 2, mask: bool = True):
    masks = np.zeros((1, side, side), bool)
    masks[0, side // 4 : side // 2, side // 4 : side // 2] = True
    box = np.array([[side // 4, side // 4, side // 2, side // 2]], np.float32)
    return sv.Detections(
        xyxy=box, mask=masks if mask else None, class_id=np.array([class_id]), confidence=np.array([0.5])
    )


def noisy(count: int, side: int = 160) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    base = np.linspace(60, 200, side)[None, :, None] + rng.normal(0, 12, (count, side, side, 3))
    return list(np.clip(base, 0, 255).astype(np.uint8))


def test_palette_is_fixed_and_distinct() -> None:
    assert PALETTE[:3] == ("#0072B2", "#E69F00", "#009E73")
    assert len(set(PALETTE)) == len(PALETTE) == 12
    assert class_color(0) == class_color(12) == (0, 0x72, 0xB2)
    assert text_color(0) == "#FFFFFF" and text_color(6) == "#000000"


def test_masks_are_filled_with_the_class_colour_and_nothing_else_changes() -> None:
    image = np.full((400, 400, 3), 255, np.uint8)
    drawn = draw_detections(image, detections(), ["a", "b", "c"], boxes=False, labels=False, opacity=0.5)
    assert drawn[150, 150] == pytest.approx((np.array(class_color(2)) + 255) / 2, abs=1)
    outside = np.ones((400, 400), bool)
    outside[95:206, 95:206] = False
    assert (drawn[outside] == 255).all()
    assert (image == 255).all()


def test_boxes_lie_on_the_edge_in_the_class_colour() -> None:
    image = np.full((400, 400, 3), 255, np.uint8)
    drawn = draw_detections(image, detections(mask=False, class_id=1), ["a", "b"], labels=False)
    assert tuple(drawn[100, 150]) == class_color(1)
    assert tuple(drawn[150, 100]) == class_color(1)
    assert tuple(drawn[150, 150]) == (255, 255, 255)


def test_small_images_are_enlarged_and_large_ones_are_not() -> None:
    assert draw_detections(np.zeros((160, 160, 3), np.uint8), detections(160), ["a"] * 3).shape == (
        480,
        480,
        3,
    )
    assert draw_detections(np.zeros((400, 400, 3), np.uint8), detections(), ["a"] * 3).shape == (400, 400, 3)
    image = np.zeros((160, 160, 3), np.uint8)
    assert draw_detections(image, detections(160), ["a"] * 3, scale=1.5).shape == (240, 240, 3)


def test_scores_and_names_change_the_picture() -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    found = detections()
    plain = draw_detections(image, found, ["a", "b", "größe"], labels=False)
    named = draw_detections(image, found, ["a", "b", "größe"], scores=False)
    scored = draw_detections(image, found, ["a", "b", "größe"])
    assert not np.array_equal(plain, named) and not np.array_equal(named, scored)


def test_nothing_found_gives_the_image_back() -> None:
    image = noisy(1, 400)[0]
    drawn = draw_detections(image, sv.Detections.empty(), ["a"])
    assert np.array_equal(drawn, image) and drawn is not image


def test_detections_without_classes_take_the_first_colour() -> None:
    found = sv.Detections(xyxy=np.array([[100, 100, 200, 200]], np.float32))
    drawn = draw_detections(np.zeros((400, 400, 3), np.uint8), found, ["thing"], labels=False)
    assert tuple(drawn[100, 150]) == class_color(0)


def test_unusable_images_and_classes_are_refused() -> None:
    with pytest.raises(BadInput, match="HWC uint8"):
        draw_detections(np.zeros((10, 10), np.uint8), detections(), ["a"])
    with pytest.raises(BadInput, match="class index 2 has no name"):
        draw_detections(np.zeros((400, 400, 3), np.uint8), detections(), ["a", "b"])


def test_grid_lays_out_rows_and_hides_empty_places() -> None:
    figure = grid(noisy(5, 40), [f"{i}" for i in range(5)], columns=3)
    assert len(figure.axes) == 6
    assert [len(axis.images) for axis in figure.axes] == [1, 1, 1, 1, 1, 0]
    assert [axis.get_title() for axis in figure.axes] == ["0", "1", "2", "3", "4", ""]
    assert figure.get_size_inches()[0] == 8.0


def test_grid_refuses_nothing_and_uneven_titles() -> None:
    with pytest.raises(BadInput, match="no images"):
        grid([])
    with pytest.raises(BadInput, match="1 titles for 2 images"):
        grid(noisy(2, 20), ["one"])


@pytest.mark.parametrize(("suffix", "kind"), [(".png", "PNG"), (".jpg", "JPEG")])
def test_the_bound_of_a_saved_figure_holds(tmp_path, suffix: str, kind: str) -> None:
    figure = grid(noisy(8), columns=4)
    path = tmp_path / f"figure{suffix}"
    size = save_figure(figure, path, max_kb=120)
    assert size == path.stat().st_size <= 120_000
    with Image.open(path) as picture:
        assert picture.format == kind and picture.width >= 300
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_figure_that_fits_keeps_full_colour_and_resolution(tmp_path) -> None:
    figure = curve([0, 1, 2], {"loss": [3, 2, 1]}, "epoch", "loss", "Training")
    save_figure(figure, tmp_path / "curve.png", dpi=100)
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.mode == "RGB" and picture.size == (600, 340)


def test_few_colours_still_hold_the_class_colours() -> None:
    flat = [np.full((160, 160, 3), class_color(i), np.uint8) for i in range(4)]
    figure = grid(noisy(4) + flat, columns=4)
    picture = Image.open(io.BytesIO(encode_figure(figure, "png", max_kb=110)))
    assert picture.mode == "P"
    present = {color for _, color in picture.convert("RGB").getcolors(1 << 16)}
    assert {class_color(i) for i in range(4)} <= present


def test_an_impossible_bound_or_suffix_is_refused(tmp_path) -> None:
    figure = grid(noisy(2))
    with pytest.raises(BadInput, match="raise max_kb"):
        save_figure(figure, tmp_path / "a.png", max_kb=0.5)
    with pytest.raises(BadInput, match="change the suffix"):
        save_figure(figure, tmp_path / "a.bmp")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_inline_pictures_are_bounded_and_described(kind: str) -> None:
    picture = inline(grid(noisy(8)), max_kb=100, alt="eight scenes", kind=kind)
    data, metadata = picture._repr_mimebundle_()
    assert list(data) == [f"image/{kind}"]
    assert len(picture.data) <= 100_000
    assert metadata[f"image/{kind}"]["alt"] == "eight scenes"


def test_inline_closes_figures_of_pyplot() -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure = pyplot.figure()
    inline(figure)
    assert not pyplot.fignum_exists(figure.number)


def test_curves_carry_their_data_and_scales() -> None:
    figure = curve([1, 2, 4], {"a": [1, 2, 3], "b": [3, 2, 1]}, "x", "y", "t", log_x=True)
    axis = figure.axes[0]
    assert [line.get_label() for line in axis.lines] == ["a", "b"]
    assert axis.lines[0].get_color().upper() == PALETTE[0]
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "linear")
    assert axis.get_legend() is not None
    own = curve({"a": [0, 1], "b": [5]}, {"a": [1, 1], "b": [2]}, "x", "y")
    assert list(own.axes[0].lines[1].get_xdata()) == [5]


def test_bars_are_grouped_and_numbered() -> None:
    figure = bars(["box", "cone"], {"train": [3, 4], "val": [1, 2]}, "images", number_format="{:.0f}")
    axis = figure.axes[0]
    assert [patch.get_height() for patch in axis.patches] == [3, 4, 1, 2]
    assert [text.get_text() for text in axis.texts] == ["3", "4", "1", "2"]
    assert axis.get_legend() is not None
    assert bars(["a"], [1.0], "y").axes[0].get_legend() is None


def test_bars_show_their_intervals() -> None:
    spans = {"before": [(0.2, 0.5), (0.1, 0.4)], "after": [(0.5, 0.7), (0.3, 0.6)]}
    figure = bars(["box", "mask"], {"before": [0.3, 0.2], "after": [0.6, 0.5]}, "AP", intervals=spans)
    lines = [segment for held in figure.axes[0].collections for segment in held.get_segments()]
    assert [[tuple(line[:, 1]) for line in lines[:2]], [tuple(line[:, 1]) for line in lines[2:]]] == [
        spans["before"],
        spans["after"],
    ]
    assert figure.axes[0].get_ylim()[1] >= 0.7, "no whisker is cut off"


def test_values_of_low_bars_stand_above_their_whiskers() -> None:
    """Inside a bar of no height they would be white on white."""
    figure = bars(["patch", "gray"], {"": [0.8, 0.01]}, "success", intervals={"": [(0.7, 0.9), (0.0, 0.05)]})
    tall, low = figure.axes[0].texts
    assert (tall.get_text(), tall.xy[1], tall.get_va()) == ("0.8", 0.4, "center")
    assert (low.get_text(), low.xy[1], low.get_va()) == ("0.01", 0.05, "bottom")
    assert low.get_color() == "#444444"


def test_style_is_undone_after_the_block() -> None:
    import matplotlib as mpl

    before = mpl.rcParams["axes.spines.top"]
    with style():
        assert mpl.rcParams["axes.spines.top"] is False
    assert mpl.rcParams["axes.spines.top"] == before


def test_agreement_has_equal_axes_and_a_point_per_name() -> None:
    figure = agreement(["a", "b"], [90.0, 210.0], [100.0, 200.0], "MiB")
    axis = figure.axes[0]
    points = [line for line in axis.lines if line.get_marker() == "o"]
    assert [(p.get_xdata()[0], p.get_ydata()[0]) for p in points] == [(100, 90), (200, 210)]
    assert axis.get_xlim() == axis.get_ylim()
    assert axis.get_legend_handles_labels()[1] == ["within 10%", "a", "b"]


@pytest.mark.parametrize(
    ("predicted", "measured", "message"),
    [([1.0], [1.0, 2.0], "1 predictions and 2 measurements"), ([0.0, 1.0], [1.0, 1.0], "not above 0")],
)
def test_agreement_refuses_what_it_cannot_draw(predicted, measured, message) -> None:
    with pytest.raises(BadInput, match=message):
        agreement(["a", "b"], predicted, measured, "MiB")


def test_ranking_keeps_the_order_and_marks_what_is_over_the_limit() -> None:
    figure = ranking(["large", "small"], [3.0, 1.0], "GiB", limit=2.0, limit_name="budget")
    axis = figure.axes[0]
    assert [patch.get_width() for patch in axis.patches] == [3.0, 1.0]
    assert axis.patches[0].get_facecolor() != axis.patches[1].get_facecolor()
    assert axis.yaxis_inverted()
    with pytest.raises(BadInput, match="2 names for 1 values"):
        ranking(["a", "b"], [1.0], "GiB")
