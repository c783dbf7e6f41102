"""Views of results, on the sample records that come with the package."""

from collections import Counter

import pytest
from small_study import settings

from nbhelpers.degrade import (
    axis_labels,
    control_panels,
    fit_all,
    fits_table,
    forest_rows,
    get_config,
    grid_table,
    language_table,
    lines_of,
    method_panels,
    read_results,
    samples_folder,
    side_by_side,
)
from nbhelpers.degrade.records import text_record
from nbhelpers.errors import BadInput

METHODS = ("mult_gauss", "ablation", "uni_quant")
GROUPS = ("attn_only", "mlp_only", "embed_only")


@pytest.fixture(scope="module")
def samples():
    return read_results(samples_folder())


def test_there_are_100_to_200_sample_texts_of_each_method(samples):
    counts = Counter(text["method"] for text in samples.texts)
    assert all(100 <= counts[method] <= 200 for method in METHODS)
    assert counts[None] == 5
    assert (samples.identity["model"], samples.identity["config"]) == ("tiny/gemma-3", "drawn_it")


def test_sample_records_are_what_todays_measures_make_of_their_texts(samples):
    prompts = {prompt.name: prompt for prompt in get_config("drawn_it").prompts}
    for text in samples.texts:
        made = text_record(prompts[text["prompt"]], text["language"], text)
        assert {key: text[key] for key in made} == made


def test_samples_show_damage_and_equal_shams(samples):
    intact = [text["text"] for text in samples.texts_of["baseline"]]
    for method, group in lines_of(samples):
        assert [text["text"] for text in samples.texts_of[f"{method}/{group}/0/0"]] == intact
    fits = fit_all([samples.curve(*line) for line in lines_of(samples)], draws=20)
    assert len(fits) == 9
    assert all(fit.has_effect and fit.rho >= 0.9 for fit in fits)


def test_panels_hold_every_group_with_bands_around_the_values(samples):
    panels = method_panels(samples, draws=50)
    assert tuple(panels) == METHODS
    assert axis_labels(panels) == (["sigma", "share of weights set to 0", "levels"], [False, False, True])
    for lines in panels.values():
        assert tuple(lines) == GROUPS
        for levels, values, low, high in lines.values():
            assert len(levels) == len(values) == len(low) == len(high) == 6
            assert all(a - 1e-6 <= b <= c + 1e-6 for a, b, c in zip(low, values, high, strict=True))
    assert control_panels(samples) == {}


def test_tables(samples):
    fits = fit_all([samples.curve(*line, "exact") for line in lines_of(samples)], draws=20)
    table = fits_table(fits)
    assert table.loc[("ablation", "mlp_only"), "most lost"] == 1
    assert table.loc[("ablation", "mlp_only"), "repeats"] == 1
    rows = forest_rows(fits)
    assert tuple(rows) == METHODS
    assert rows["ablation"]["mlp_only"][0] == table.loc[("ablation", "mlp_only"), "half lost at"]
    language = language_table(samples, "ablation", "mlp_only", ["repetition", "known_words"])
    assert list(language.index) == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.8]
    assert language.repetition.iloc[-1] > language.repetition.iloc[0]


def test_texts_side_by_side(samples):
    table = side_by_side(samples, "dream-1", "mlp_only")
    assert tuple(table.columns) == METHODS
    assert len(table) == 7
    intact = samples.texts_of["baseline"][0]["text"]
    assert table.ablation[0] == table.uni_quant[0] == f"0: {intact}"
    assert table.uni_quant[1].startswith("16: ")
    with pytest.raises(BadInput, match="no text of 'dream-9'"):
        side_by_side(samples, "dream-9", "mlp_only")


def test_the_grid_as_a_table():
    table = grid_table(settings())
    assert table.loc[("mult_gauss", "attn_only"), "levels"] == "0 0.8"
    assert table.loc[("norm_matched", "attn_only"), "repeats"] == 2
