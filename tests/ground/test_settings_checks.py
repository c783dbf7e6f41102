"""How fields are described, and rooms' own checks."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, field_validator, model_validator

from nbhelpers.errors import BadInput
from nbhelpers.settings.checks import check_names, check_section, describe, source_of
from nbhelpers.settings.sections import Section
from nbhelpers.settings.sources import Layer


class Example(Section):
    side: Annotated[int, Field(ge=32, multiple_of=32)] | Literal["auto"] = "auto"
    shares: tuple[float, ...] = (1.0,)
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
        ("shares", "a tuple"),
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
        ({"shares": ["x"]}, "example.shares is ['x']; allowed: a tuple"),
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
