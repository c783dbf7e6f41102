"""How fields are described, and rooms' own checks."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, field_validator, model_validator

from nbhelpers.errors import BadInput
from nbhelpers.settings.checks import check_names, check_section, source_of
from nbhelpers.settings.describe import describe
from nbhelpers.settings.load import _laid_over_each_other
from nbhelpers.settings.sections import Section
from nbhelpers.settings.sources import Layer


class Example(Section):
    side: Annotated[int, Field(ge=32, multiple_of=32)] | Literal["auto"] = "auto"
    shares: tuple[float, ...] = (1.0,)
    names: tuple[str, ...] | None = None
    name: str | None = None
    low: float = Field(0.0, ge=0, lt=1)
    high: float = 1.0

    @field_validator("name")
    @classmethod
    def _no_spaces(cls, value):
        if value and " " in value:
            raise ValueError("a name without spaces")
        return value

    @model_validator(mode="after")
    def _in_order(self):
        if self.low > self.high:
            raise ValueError("low must not be above high")
        return self


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("side", "a whole number at least 32 and a multiple of 32, 'auto'"),
        ("shares", "a list of a number"),
        ("names", "a list of text, null"),
        ("name", "text, null"),
        ("low", "a number at least 0 and below 1"),
        ("high", "a number"),
    ],
)
def test_describe(field, said):
    assert describe(Example.model_fields[field]) == said


def check(**values):
    layer = Layer("mine.yaml", {"example": values})
    check_names([layer], {"example": Example})
    return check_section("example", values, Example, [layer])


def test_good_values_become_a_section():
    assert check(side=64, low=0.5).side == 64


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"side": 8},
            "mine.yaml: example.side is 8; allowed: a whole number at least 32 and a multiple of 32, 'auto'",
        ),
        ({"side": "aut"}, "example.side is 'aut' (did you mean 'auto'?)"),
        ({"side": True}, "example.side is True"),
        ({"shares": ["x"]}, "example.shares is ['x']; allowed: a list of a number"),
        ({"name": "a b"}, "mine.yaml: example.name is 'a b'; allowed: a name without spaces"),
        ({"low": 0.9, "high": 0.1}, "mine.yaml: section example: low must not be above high"),
    ],
)
def test_bad_values(values, said):
    with pytest.raises(BadInput) as caught:
        check(**values)
    assert said in str(caught.value)


def test_the_source_is_the_last_layer_with_the_key():
    layers = [
        Layer("a", {"data": {"seed": 1}}),
        Layer("b", {"data": {"seed": 2}}),
        Layer("c", {"data": None}),
    ]
    assert source_of("data.seed", layers) == "b"
    assert source_of("data.other", layers) == "settings"


# ---- groups of keys


class Rates(Section):
    low: float = Field(0.1, ge=0, lt=1)
    high: float = Field(0.9, gt=0, le=1)
    steps: int = 10

    @model_validator(mode="after")
    def _in_order(self):
        if self.low > self.high:
            raise ValueError("low must not be above high")
        return self


class Inner(Section):
    rates: Rates = Rates(low=0.3, steps=30)
    name: str = "inner"


class Outer(Section):
    rates: Rates = Rates(low=0.2, steps=20)
    inner: Inner = Inner(rates=Rates(steps=7), name="of outer")
    seed: int = 0


def check_outer(*contents):
    layers = [Layer(f"{number}.yaml", {"outer": content}) for number, content in enumerate(contents)]
    check_names(layers, {"outer": Outer})
    values = _laid_over_each_other(layers, {"outer": Outer})
    return check_section("outer", values.get("outer") or {}, Outer, layers)


def test_keys_left_out_of_a_group_keep_what_its_owner_gives_them():
    found = check_outer({"rates": {"high": 0.5}, "inner": {"rates": {"low": 0.4}}})
    assert found.rates == Rates(low=0.2, high=0.5, steps=20)
    assert found.inner == Inner(rates=Rates(low=0.4, steps=7), name="of outer")
    assert Outer(rates={"high": 0.5}).rates == found.rates, "built without settings files it is the same"


def test_groups_merge_key_by_key_over_layers():
    found = check_outer({"rates": {"low": 0.4, "high": 0.5}}, {"rates": {"high": 0.6}, "seed": 1})
    assert (found.rates.low, found.rates.high, found.rates.steps, found.seed) == (0.4, 0.6, 20, 1)


@pytest.mark.parametrize("empty", [{"rates": None}, {"inner": {"rates": None}}, {"inner": None}, None])
def test_a_group_with_every_key_commented_out_changes_nothing(empty):
    below = {"rates": {"low": 0.4}, "inner": {"rates": {"low": 0.5}}}
    assert check_outer(below, empty) == check_outer(below)
    assert check_outer(empty) == Outer()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"rates": {"hihg": 1}}, "1.yaml: unknown key outer.rates.hihg (did you mean 'high'?); allowed: low"),
        ({"inner": {"rates": {"lwo": 1}}}, "1.yaml: unknown key outer.inner.rates.lwo (did you mean 'low'?)"),
        ({"rats": {"low": 1}}, "1.yaml: unknown key outer.rats (did you mean 'rates'?)"),
        ({"rates": 3}, "1.yaml: outer.rates is 3; allowed below it: low, high, steps"),
        ({"inner": {"rates": [1]}}, "1.yaml: outer.inner.rates is [1]; allowed below it: low, high, steps"),
        ({"rates": {"low": -1}}, "1.yaml: outer.rates.low is -1; allowed: a number at least 0 and below 1"),
        ({"inner": {"rates": {"low": "x"}}}, "1.yaml: outer.inner.rates.low is 'x'; allowed: a number at"),
        ({"inner": {"rates": {"steps": True}}}, "1.yaml: outer.inner.rates.steps is True; allowed: a whole"),
        ({"rates": {"steps": None}}, "1.yaml: outer.rates.steps is missing; allowed: a whole number"),
        ({"rates": {"low": 0.6, "high": 0.5}}, "1.yaml: outer.rates: low must not be above high"),
        ({"rates": {"low": {"x": 1}}}, "1.yaml: outer.rates.low is {'x': 1}; allowed: a number"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_group_is_named_with_its_full_path(content, said):
    with pytest.raises(BadInput) as caught:
        check_outer({"seed": 1, "rates": {"low": 0.1}}, content)
    assert str(caught.value).startswith(said)


def test_the_layer_that_sets_the_key_is_named_not_one_that_sets_its_neighbour():
    with pytest.raises(BadInput, match=r"^0\.yaml: outer\.rates\.low is 2; "):
        check_outer({"rates": {"low": 2}}, {"rates": {"high": 0.5}})
