"""Requests in words and YAML: what is understood, and that any text leaves a valid request."""

import keyword
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbhelpers.codegen.names import plural, singular, to_class, to_identifier
from nbhelpers.codegen.parse import parse_request
from nbhelpers.codegen.request import FRAMEWORKS, OPERATIONS, CodeRequest, Entity, Field
from nbhelpers.errors import BadInput
from nbhelpers.twins.qwen2_coder.evaluate import held_out_requests

BOOK = Entity("book", (Field("title", "str"), Field("price", "float")))


def test_hundreds_of_phrasings_are_read_as_they_were_meant():
    wrong = []
    for meant, words in held_out_requests(300, 0):
        read = parse_request(words).request
        fields = tuple((f.name, f.kind) for f in meant.fields)
        same = (
            read.framework == meant.framework
            and [e.name for e in read.entities] == [meant.entity]
            and tuple((f.name, f.kind) for f in read.entities[0].fields) == fields
            and (read.operations, read.options) == (meant.operations, meant.options)
        )
        wrong += [] if same else [words]
    assert wrong == []


@pytest.mark.parametrize(
    ("words", "framework"),
    [
        ("A list of flasks for the lab, in Django", "django"),
        ("Not Django, please: a service for parts", "fastapi"),
        ("Instead of Flask use Django for a service for parts", "django"),
        ("Flask service for the customers of our Django course", "flask"),
        ("An app for thermoflask-lids", "fastapi"),
        ("Use SQLAlchemy and SQLite: a service for customers", "crud"),
        ("plain Python module for recipes", "generic"),
    ],
)
def test_a_framework_is_no_word_found_inside_another(words, framework):
    assert parse_request(words).request.framework == framework


def test_what_was_assumed_is_said():
    understood = parse_request("make something")
    reasons = [note.reason for note in understood.notes if note.reason.startswith("assumed")]
    assert len(reasons) == 3
    assert "assumed: the text names none" in understood.table()


def test_several_entities_with_their_own_fields():
    text = "Flask app to manage books and authors. Each book has title and price. Each author has email."
    found = {e.name: [f.name for f in e.fields] for e in parse_request(text).request.entities}
    assert found == {"book": ["title", "price"], "author": ["email"]}


def test_operations_that_are_denied():
    assert "delete" not in parse_request("FastAPI service for rooms, no delete").request.operations
    assert parse_request("read-only Flask service for rooms").request.operations == ("list", "get")


def test_taken_names_are_changed_and_it_is_said():
    understood = parse_request("Flask app for classes with import (text), id (int) and price.")
    assert [f.name for f in understood.request.entities[0].fields] == ["import_value", "id_value", "price"]
    assert any(note.part == "renamed" and "import" in note.value for note in understood.notes)


def test_yaml_and_words_give_one_request():
    text = "framework: crud\nentities:\n  books: {title: str, price: decimal}\noperations: [list, create]\n"
    read = parse_request(text).request
    assert read == CodeRequest("crud", (BOOK,), ("list", "create"))
    listed = {
        "framework": "crud",
        "operations": ["create", "list"],
        "entities": [{"name": "book", "fields": {"title": "str", "price": "float"}}],
    }
    assert parse_request(listed).request == read


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "empty"),
        ("x" * 300_000, "300,000 characters"),
        ({"framework": "flsk", "entities": {"a": {"b": "str"}}}, "flsk"),
        ({"framwork": "flask"}, "did you mean 'framework'"),
        ({"entities": {"book": {"title": "strng"}}}, "book.title is 'strng'"),
        ({"entities": {"book": 3}}, "entity book is a int"),
        ({"entities": {}}, "0 entities"),
        ({"entities": {"book": {"a": "str"}, "books": {"a": "str"}}}, "two entities"),
        ({"entities": {"book": {"a b": "str", "a-b": "int"}}}, "two fields"),
        ({"entities": {"book": {"a": "str"}}, "operations": ["paint"]}, "paint"),
        ({"entities": {"book": {"a": "str"}}, "operations": "list"}, "write a list"),
    ],
)
def test_bad_requests_are_said(source, said):
    with pytest.raises(BadInput, match=re.escape(said)):
        parse_request(source)


def test_yaml_of_a_billion_laughs_is_read_as_words():
    bomb = "framework: flask\na: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(3))
    assert parse_request(bomb).request.framework == "flask"


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_becomes_a_name_that_stays_itself(text):
    name = to_identifier(text)
    assert name.isidentifier()
    assert name.isascii()
    assert not keyword.iskeyword(name)
    assert "__" not in name
    assert not name.endswith("_")
    assert to_identifier(name) == name
    assert to_class(name).isidentifier()


@given(st.text(max_size=2000))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_is_a_request_or_refused(text):
    try:
        request = parse_request(text).request
    except BadInput:
        assert not text.strip() or "framework" in text or "entities" in text
        return
    assert request.framework in FRAMEWORKS
    assert request.entities
    assert set(request.operations) <= set(OPERATIONS)


@pytest.mark.parametrize(
    ("one", "many"),
    [("book", "books"), ("story", "stories"), ("box", "boxes"), ("movie", "movies"), ("day", "days")],
)
def test_plurals(one, many):
    assert (plural(one), singular(many)) == (many, one)


def test_reading_long_text_takes_no_time_that_explodes():
    """Quadratic patterns would take minutes on these."""
    rng = np.random.default_rng(0)
    words = ["service for", "books", "and", ",", "with", "each", "has", "a", "fields:", "(", "x" * 50]
    for _ in range(3):
        parse_request(" ".join(rng.choice(words, 4000)))
