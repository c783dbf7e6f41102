"""Counts of a set by hand, COCO's size bounds, and the figure."""

import json
from dataclasses import replace

import numpy as np
import pytest
from prepare_sets import records, written_set

from nbhelpers.artifacts import to_json
from nbhelpers.data import load_coco, plot_statistics, statistics
from nbhelpers.data.statistics import size_of
from nbhelpers.plots import save_figure


def test_counts_by_hand():
    coco = records({1: [1, 1, 2], 2: [2], 3: []})
    coco.annotations[3]["iscrowd"] = 1
    stats = statistics(coco)
    assert (stats.images, stats.annotations, stats.crowds, stats.images_without_objects) == (3, 4, 1, 2)
    one, two = stats.classes["class 1"], stats.classes["class 2"]
    assert (one.objects, one.images, two.objects, two.images, two.crowds) == (2, 1, 1, 1, 1)
    assert stats.classes["class 3"].objects == 0
    assert stats.objects_in_images == {0: 2, 3: 1}
    assert stats.objects_per_image.mean == 1
    assert stats.image_sizes == [(64, 48, 3)]
    assert stats.box_share.mean == pytest.approx(81 / (64 * 48), abs=1e-3)


def test_size_bounds_are_cocos():
    assert [size_of(area) for area in (1023, 1024, 9216, 9217)] == ["small", "medium", "medium", "large"]


def test_sizes_go_by_area_and_else_by_box():
    coco = records({1: [1, 1, 1]})
    changed = [{"area": 2000.0}, {"area": None, "bbox": [0, 0, 100, 100]}, {"area": 10.0}]
    entries = [{**old, **new} for old, new in zip(coco.annotations, changed, strict=True)]
    assert statistics(replace(coco, annotations=entries)).sizes == {"small": 1, "medium": 1, "large": 1}


def test_coverage_is_boxes_per_spot():
    coco = records({1: [1], 2: []})
    entry = {**coco.annotations[0], "bbox": [0, 0, 32, 48]}
    coverage = statistics(replace(coco, annotations=[entry])).coverage
    assert coverage.shape == (32, 32)
    assert np.all(coverage[:, :16] == 0.5)
    assert np.all(coverage[:, 16:] == 0)


def test_light_is_read_from_the_pixels(tmp_path):
    coco = load_coco(written_set(tmp_path, 4))
    stats = statistics(coco, light=True)
    gray = [coco.image(i).mean() for i in coco.image_ids]
    assert stats.brightness.mean == pytest.approx(np.mean(gray), abs=1e-3)
    assert stats.contrast.minimum > 10
    assert statistics(coco).brightness is None


def test_json_and_table(shared_data):
    stats = statistics(load_coco(shared_data / "coco/nuts/trainval.json"))
    content = json.loads(to_json(stats.to_dict()))
    assert content["classes"]["date"]["objects"] == 71
    assert content["sizes"] == {"small": 0, "medium": 72, "large": 93}
    assert "coverage" not in content
    assert [row["class"] for row in stats.rows()] == ["date", "fig", "hazelnut"]


@pytest.mark.parametrize(
    "name", ["coco/nuts/trainval.json", "coco/eval_reference/instances_val2014_100.json"]
)
def test_figure_of_real_sets_is_small(shared_data, tmp_path, name):
    figure = plot_statistics(statistics(load_coco(shared_data / name, shared_data)))
    assert len(figure.axes) == 5  # four panels and a colour bar
    assert save_figure(figure, tmp_path / "statistics.png") < 150_000


def test_figure_of_hardly_anything(tmp_path):
    for labels in ({}, {1: []}, {1: [1]}):
        save_figure(plot_statistics(statistics(records(labels))), tmp_path / "statistics.png")
