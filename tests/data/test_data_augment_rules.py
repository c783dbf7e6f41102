import subprocess
import sys
from dataclasses import replace

import pytest

from nbhelpers.data.augment import (
    CHARACTERISTICS,
    ENVIRONMENT,
    INTENSITIES,
    Conditions,
    pipeline_info,
    rules_for,
)
from nbhelpers.data.augment.table import ORDER, TABLE, WHAT_IT_DOES
from nbhelpers.errors import BadInput

CALM = {key: values[0] for key, values in ENVIRONMENT.items()}


def test_every_word_is_translated_and_every_row_is_sensible():
    words = {
        *CHARACTERISTICS,
        *(f"{key}: {value}" for key, values in ENVIRONMENT.items() for value in values),
    }
    assert set(TABLE) == words
    assert {row[0] for rows in TABLE.values() for row in rows} == set(ORDER), "every transform is asked for"
    for rows in TABLE.values():
        assert len({row[0] for row in rows}) == len(rows)
        for kind, strength, probability, reason in rows:
            assert kind in WHAT_IT_DOES and 0 < strength <= 1 and 0 < probability <= 1 and reason


def test_only_calm_values_ask_for_nothing_and_say_so():
    assert all(
        bool(TABLE[f"{key}: {value}"]) == (value != CALM[key])
        for key, v in ENVIRONMENT.items()
        for value in v
    )
    found = rules_for(Conditions())
    assert len(found) == 0
    assert found.notes == tuple(f"{key}: {value}: asks for nothing" for key, value in CALM.items())
    assert pipeline_info(Conditions()) == []


def test_the_stronger_of_two_rules_wins_with_the_higher_probability_and_it_is_said():
    conditions = Conditions(("moves_or_vibrates",), camera="shaky", intensity="high")
    rule = next(rule for rule in rules_for(conditions) if rule.transform == "motion_blur")
    assert (rule.strength, rule.probability, rule.asked_by) == (1.0, 0.5, "moves_or_vibrates")
    assert (
        "motion_blur: moves_or_vibrates (1) over camera: shaky (0.8), probability 0.5"
        in rules_for(conditions).notes
    )
    weak = Conditions(("low_contrast", "similar_to_background"), intensity="high")
    rule = next(rule for rule in rules_for(weak) if rule.transform == "flatten")
    assert (rule.strength, rule.asked_by) == (1.0, "low_contrast")


def test_a_transform_that_is_part_of_another_joins_it():
    both = rules_for(Conditions(("changes_size",), distance="close", intensity="high"))
    assert [rule.transform for rule in both if "zoom" in rule.transform] == ["zoom"]
    assert any(note.startswith("zoom: ") for note in both.notes)
    alone = rules_for(Conditions(distance="close"))
    assert [rule.transform for rule in alone if "zoom" in rule.transform] == ["zoom_in"]


def test_each_transform_comes_once_in_the_order_of_the_pipeline():
    everything = Conditions(CHARACTERISTICS, "poor", "shaky", "changing", "variable", "high")
    kinds = [rule.transform for rule in rules_for(everything)]
    assert kinds == sorted(set(kinds), key=ORDER.index)
    rows = pipeline_info(everything)
    assert [row["step"] for row in rows] == [*range(1, len(kinds) + 1)]
    assert [row["transform"] for row in rows] == kinds
    assert all(set(row) == set(rows[0]) and row["reason"] and row["does"] for row in rows)


def test_intensity_scales_strength_and_probability():
    base = Conditions(("partially_hidden",), lighting="poor")
    low, medium, high = (rules_for(replace(base, intensity=value)).rules for value in INTENSITIES)
    for a, b, c in zip(low, medium, high, strict=True):
        assert a.transform == b.transform == c.transform
        assert a.strength < b.strength < c.strength and a.probability < b.probability < c.probability


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"characteristics": ["shiny"]}, "'shiny': is unknown; known: changes_shape"),
        ({"characteristics": "low_contrast"}, "give a list"),
        ({"lighting": "dark"}, "lighting 'dark': is unknown; known: stable, variable, poor"),
        ({"intensity": "extreme"}, "low, medium, high"),
        ({"seed": -1}, "0 or more"),
        ({"light": "poor"}, "light is unknown; known: characteristics, lighting"),
    ],
)
def test_unknown_words_are_named_with_the_known_ones(values, said):
    with pytest.raises(BadInput, match=said):
        Conditions.of(values)


def test_conditions_of_a_mapping():
    given = {"characteristics": ["low_contrast", "low_contrast"], "camera": "shaky"}
    assert Conditions.of(given, seed=3) == Conditions(("low_contrast",), camera="shaky", seed=3)


SILENT = """
import os, socket, sys, warnings
warnings.simplefilter("error")
def refuse(*a, **k): raise OSError("network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
os.environ.pop("NO_ALBUMENTATIONS_UPDATE", None)
import nbhelpers.data.augment as augment
assert "albumentations" not in sys.modules and "torch" not in sys.modules
import numpy as np
from nbhelpers.data.augment import CHARACTERISTICS, Conditions, Sample, build_augmenter
sample = Sample(np.full((90, 120, 3), 90, np.uint8), [[10, 10, 50, 60]], [0])
everything = Conditions(CHARACTERISTICS, "poor", "shaky", "changing", "variable", "high")
build_augmenter(everything, always=True)(sample, 1)
build_augmenter(Conditions(lighting="poor"), always=True)(sample, 1)
"""


def test_it_stays_off_the_network_prints_nothing_and_warns_of_nothing():
    done = subprocess.run([sys.executable, "-c", SILENT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_settings_know_the_same_words():
    from typing import get_args

    from nbhelpers.settings import AugmentSettings, load_settings
    from nbhelpers.settings.sections import Characteristic

    assert get_args(Characteristic) == CHARACTERISTICS
    for key, values in {**ENVIRONMENT, "intensity": INTENSITIES}.items():
        assert get_args(AugmentSettings.model_fields[key].annotation) == values
    assert Conditions.of(AugmentSettings(), seed=2) == Conditions(seed=2)
    given = ["data.augment.lighting=poor", "data.augment.characteristics=[low_contrast]"]
    found = Conditions.of(load_settings("cpu", given).data.augment)
    assert found == Conditions(("low_contrast",), lighting="poor")


def test_a_training_augments_where_the_settings_say_what_the_site_is_like():
    from nbhelpers.data.augment import build_augmenter, site_augmenter
    from nbhelpers.settings import load_settings

    said = []
    assert site_augmenter(load_settings("cpu").data, said.append) is None and said == []
    given = ["data.augment.lighting=poor", "data.augment.intensity=high", "data.seed=3"]
    made = site_augmenter(load_settings("cpu", given).data, said.append)
    wanted = build_augmenter(Conditions(lighting="poor", intensity="high", seed=3))
    assert made.fingerprint == wanted.fingerprint
    assert said[0].startswith("augmentation, high: ") and "darken (lighting: poor)" in said[0]
