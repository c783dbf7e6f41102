"""Curves and doses on made-up records, where the truth is known."""

import json
import math

import numpy as np
import pytest

from nbhelpers.degrade import Curve, compare, dose, fit_dose, fit_hill, hill, level_of, read_results
from nbhelpers.degrade.results import cell_means
from nbhelpers.errors import BadInput

LEVELS = (0.1, 0.2, 0.4, 0.8, 1.6)


def made_curve(
    ed50, slope=3.0, *, method="mult_gauss", group="attn_only", noise=0.05, repeats=4, levels=LEVELS
):
    """Items whose loss follows a Hill curve, from 1 nat per token when intact to 5 when all is lost."""
    random, items = np.random.default_rng(int(ed50 * 1000)), 12
    weight = random.integers(10, 20, items).astype(float)
    lost = hill(np.array([dose(method, level) for level in levels]), dose(method, ed50), slope)
    scores = [
        weight * (1 + 4 * np.clip(share + noise * random.standard_normal((repeats, items)), 0, 1))
        for share in lost
    ]
    by_damage = sorted(zip(levels, scores, strict=True), key=lambda pair: dose(method, pair[0]))
    return Curve(
        method, group, "perplexity", tuple(one for one, _ in by_damage), tuple(one for _, one in by_damage),
        weight.copy(), weight, 5.0,
    )  # fmt: skip


def test_a_hill_curve_loses_half_at_its_ed50_and_is_found_again():
    doses = np.array(LEVELS)
    assert hill(np.array([0.5]), 0.5, 7.0) == pytest.approx(0.5)
    assert hill(np.array([2.0]), 1.0, 2.0) == pytest.approx(4 / 5)
    assert fit_hill(doses, hill(doses, 0.37, 2.5)) == pytest.approx((0.37, 2.5), rel=1e-3)


@pytest.mark.parametrize("ed50", [0.25, 0.5, 1.1])
def test_the_interval_holds_the_truth(ed50):
    found = fit_dose(made_curve(ed50), 200)
    assert found.ed50 == pytest.approx(ed50, rel=0.1)
    assert found.low <= ed50 * 1.03
    assert found.high >= ed50 * 0.97
    assert found.low < found.ed50 < found.high
    assert found.rho == pytest.approx(1)
    assert (found.levels, found.repeats, found.items) == (5, 4, 12)
    assert found.has_effect


def test_levels_of_quantisation_are_told_in_levels_and_grow_worse_downwards():
    curve = made_curve(8, method="uni_quant", levels=(4, 8, 16, 32, 64), repeats=1)
    assert curve.levels == (64, 32, 16, 8, 4)
    found = fit_dose(curve, 100)
    assert found.ed50 == pytest.approx(8, rel=0.15)
    assert found.low < found.ed50 < found.high
    assert level_of("uni_quant", dose("uni_quant", 17)) == pytest.approx(17)


def test_a_group_that_bears_everything_has_no_half_loss():
    found = fit_dose(made_curve(40.0, noise=0.01), 50)
    assert (found.ed50, found.low, found.high) == (None, None, None)
    assert not found.has_effect
    part = fit_dose(made_curve(2.0), 50)
    assert part.ed50 is None
    assert part.has_effect
    with pytest.raises(BadInput, match="takes two or more"):
        fit_dose(made_curve(1.0, levels=(0.5,)), 10)


def test_two_groups_are_compared_by_the_ratio_of_their_doses():
    weak, strong = made_curve(0.3, group="embed_only"), made_curve(0.9)
    found = compare(strong, weak, 200)
    assert found.ratio == pytest.approx(3, rel=0.12)
    assert found.low < found.ratio < found.high
    assert found.differ
    same = compare(made_curve(0.5), made_curve(0.505), 200)
    assert not same.differ
    assert compare(made_curve(0.5), made_curve(40.0), 10) is None
    with pytest.raises(BadInput, match="one method"):
        compare(weak, made_curve(8, method="uni_quant", levels=(4, 8, 16)))


def test_more_repeats_make_the_interval_narrower():
    wide, narrow = (fit_dose(made_curve(0.5, noise=0.3, repeats=n), 200) for n in (2, 40))
    assert narrow.high - narrow.low < wide.high - wide.low


def test_a_model_that_gives_no_number_counts_as_knowing_nothing():
    curve = made_curve(0.5, noise=0.0)
    scores = [one.copy() for one in curve.scores]
    scores[-1][:] = math.nan
    broken = Curve(
        curve.method, curve.group, curve.measure, curve.levels, tuple(scores), curve.intact, curve.weight, 5.0
    )
    assert broken.lost()[-1] == pytest.approx(1)
    assert np.isfinite(broken.drawn(5)).all()


def test_where_nothing_was_known_there_is_nothing_to_lose():
    curve = made_curve(0.5)
    nothing = Curve(
        curve.method,
        curve.group,
        curve.measure,
        curve.levels,
        curve.scores,
        6 * curve.weight,
        curve.weight,
        5.0,
    )
    assert nothing.lost().tolist() == [0.0] * 5
    assert fit_dose(nothing, 10).ed50 is None


def record(kind, **values):
    return {"kind": kind, "config": "c", **values}


def cell(name, method, level, nats, repeat=0):
    reference = {
        "en": {"log_probs": [-nats * 10, -nats * 30], "tokens": [10, 30], "words": [8, 20], "finite": True}
    }
    group = "attn_only" if method else None
    return record(
        "cell",
        cell=name,
        method=method,
        group=group,
        level=level,
        repeat=repeat,
        lesion=None,
        reference=reference,
    )


def text(name, right, words=5):
    return record(
        "text", cell=name, exact=right, own_perplexity=2.0, non_finite_at=None, finished=True,
        measures={"words": words, "mattr": None},
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    rows = [cell("baseline", None, 0, 1.0), text("baseline", True), text("baseline", True)]
    for level, nats, right in ((0.5, 2.0, 1), (1.0, 4.0, 0)):
        name = f"ablation/attn_only/{level:g}/0"
        rows += [cell(name, "ablation", level, nats), text(name, True), text(name, bool(right), 15)]
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    identity = {"model": "m", "config": "c", "vocabulary": round(math.exp(7))}
    (tmp_path / "manifest.json").write_text(json.dumps({"identity": identity}))
    return tmp_path


def test_results_are_read_and_summed_up(folder):
    found = read_results(folder)
    assert found.lines == [("ablation", "attn_only")]
    curve = found.curve("ablation", "attn_only")
    assert curve.values().tolist() == [2.0, 4.0]
    assert curve.lost() == pytest.approx([1 / 6, 3 / 6], abs=1e-3)  # from 1 nat towards ln(vocabulary) = 7
    exact = found.curve("ablation", "attn_only", "exact")
    assert exact.lost().tolist() == [0.0, 0.5]
    table = found.table()
    assert table.perplexity.tolist() == pytest.approx([math.e, math.e**2, math.e**4])
    assert table.words.tolist() == [5, 10, 10]
    rows = found.summary()["rows"]
    assert [row["level"] for row in rows] == [0, 0.5, 1.0]
    assert rows[2]["exact"] == 0.5
    assert rows[0]["mattr"] is None


def test_what_is_not_there_is_said(folder, tmp_path):
    found = read_results(folder)
    with pytest.raises(BadInput, match="there are ablation of attn_only"):
        found.curve("ablation", "mlp_only")
    with pytest.raises(BadInput, match="no prompt of this experiment has 'units_share'"):
        found.curve("ablation", "attn_only", "units_share")
    with pytest.raises(BadInput, match="a curve can be of"):
        found.curve("ablation", "attn_only", "beauty")
    with pytest.raises(BadInput, match="there is no such file"):
        read_results(tmp_path / "nowhere")
    with (folder / "records.jsonl").open("a") as file:
        file.write('{"kind": "song"}\n')
    with pytest.raises(BadInput, match="record 10 is neither a cell nor a text"):
        read_results(folder)


def test_means_of_a_cell_without_texts():
    found = cell_means(cell("baseline", None, 0, 1.0), [])
    assert found["perplexity"] == pytest.approx(math.e)
    assert found["exact"] is None
