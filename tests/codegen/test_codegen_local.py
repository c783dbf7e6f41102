"""The local rung with the real twin, and the way down the rungs."""

from contextlib import closing
from pathlib import Path

import pytest

from nbhelpers.codegen.checks import QUICK, STEPS
from nbhelpers.codegen.local import LocalWriter
from nbhelpers.codegen.parse import parse_request
from nbhelpers.codegen.prompt import messages, program_in, sentence
from nbhelpers.codegen.request import CodeRequest, Entity, Field
from nbhelpers.codegen.rungs import generate, make_writers
from nbhelpers.codegen.writers import Left, TemplateWriter
from nbhelpers.errors import BadInput
from nbhelpers.settings import CodegenSection, MemorySection, load_settings

BOOK = Entity("book", (Field("title", "str"), Field("price", "float")))
REQUEST = CodeRequest("fastapi", (BOOK,), ("list", "get", "create"))
MEMORY = MemorySection(keep_free_gib=0.0)
SETTINGS = CodegenSection(model="tiny/qwen2.5-coder", min_free_gib=0.01)


@pytest.fixture(scope="module")
def writer():
    one = LocalWriter(SETTINGS, MEMORY, device="cpu", say=list)
    yield one
    one.close()


def test_the_twin_writes_what_it_is_asked_for(writer):
    written = writer.write(REQUEST, 0, "", 300)
    assert "class Book(BaseModel):\n    title: str\n    price: float\n" in written.project.files["main.py"]
    assert written.tokens > 50
    assert (written.identity.name, written.identity.precision) == ("tiny/qwen2.5-coder", "float32")
    assert written.identity.revision.startswith("sha256:")
    assert writer.write(REQUEST, 0, "", 300).text == written.text


def test_a_second_try_is_drawn_and_can_be_repeated(writer):
    drawn = {writer.write(REQUEST, tries, "", 300).text for tries in (1, 1, 2)}
    assert 1 <= len(drawn) <= 2


def test_the_clock_ends_it(writer):
    assert writer.write(REQUEST, 0, "", 0.01).tokens < 60


@pytest.mark.slow
def test_the_twin_climbs_the_whole_ladder(writer):
    found = generate(
        REQUEST, SETTINGS, [writer], steps=[s for s in STEPS if s != "types"], keep=True, say=list
    )
    assert found.ok, found.attempts[0].ladder.table()
    assert found.chosen.rung == "local"
    assert writer.loaded is not None


def test_the_verdict_of_the_checks_moves_on_to_the_next_rung(writer):
    """The twin knows no Django: what it writes is good Python and not what was asked for."""
    request = CodeRequest("django", (BOOK,))
    steps = (*QUICK, "imports")
    found = generate(request, SETTINGS, [writer, TemplateWriter()], steps=steps, keep=True, say=list)
    assert [(a.rung, a.outcome) for a in found.attempts] == [
        ("local", "failed"), ("local", "failed"), ("template", "passed"),
    ]  # fmt: skip
    assert found.attempts[0].reason == "imports: it was to use django, and does not import it"


def test_memory_is_given_back_after_each_request():
    own = LocalWriter(SETTINGS, MEMORY, device="cpu", say=list)
    generate(REQUEST, SETTINGS, [own], steps=("parses",), say=list)
    assert own.loaded is None


def test_too_little_memory_is_a_reason_and_no_error():
    greedy = CodegenSection(model="tiny/qwen2.5-coder", min_free_gib=1e6)
    own = LocalWriter(greedy, MEMORY, device="cpu", say=list)
    found = generate(REQUEST, greedy, [own, TemplateWriter()], steps=QUICK, say=list)
    assert [a.kind for a in found.attempts] == ["no_memory", None]
    assert "codegen.min_free_gib" in found.attempts[0].reason
    assert found.chosen.rung == "template"


def test_a_model_that_is_nowhere_is_a_reason():
    lost = CodegenSection(model="/nowhere/at/all", min_free_gib=0)
    with pytest.raises(Left, match="no model could be loaded") as left:
        LocalWriter(lost, MEMORY, device="cpu", say=list).write(REQUEST, 0, "", 9)
    assert left.value.kind == "no_model"


def test_orders():
    for order, first in (("quality", "local"), ("safe", "template")):
        settings = load_settings("cpu", [f"codegen.order={order}"])
        assert make_writers(settings)[0].rung == first
        assert {one.rung for one in make_writers(settings)} == {"local", "hosted", "template"}


def test_the_sentence_is_of_the_grammar_that_is_taught():
    assert sentence(REQUEST) == (
        "Write a FastAPI service for books with title (text) and price (decimal). "
        "Operations: list, get and create."
    )
    again = parse_request(sentence(REQUEST)).request
    assert (again.framework, again.entities, again.operations) == ("fastapi", (BOOK,), REQUEST.operations)


def test_messages_name_every_route():
    request = CodeRequest("crud", (BOOK,), options=("health", "api", "paging"))
    text = messages(request, "tests: 1 failed")[1]["content"]
    assert all(f"{route.method} {route.path}" in text for route in request.routes)
    assert "tests: 1 failed" in text


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("x = 1", "x = 1\n"),
        ("```python\nx = 1\n```", "x = 1\n"),
        ("Hi\n```\na\n```\nand\n```py\nlonger = 1\n```", "longer = 1\n"),
        ("```python\nopen = 1\n", "open = 1\n"),
    ],
)
def test_the_program_in_an_answer(text, source):
    assert program_in(text).files["main.py"] == source


def test_no_program():
    with pytest.raises(BadInput):
        program_in("```python\n\n```")


def test_a_model_with_room_is_given_the_whole_request(tmp_path):
    """The twin with a longer context stands in for a model that follows instructions."""
    import json
    import shutil

    from nbhelpers.models.places import twin_folder

    folder = Path(shutil.copytree(twin_folder("tiny/qwen2.5-coder"), tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 4096}))
    own = CodegenSection(model=str(folder), min_free_gib=0, new_tokens=32)
    with closing(LocalWriter(own, MEMORY, device="cpu", say=list)) as one:
        asked = one._prompt(one._load(), REQUEST, "tests: 1 failed")
        assert [message["role"] for message in asked] == ["system", "user"]
        assert "tests: 1 failed" in asked[1]["content"]
        assert 0 < one.write(REQUEST, 1, "tests: 1 failed", 300).tokens <= 32


def test_a_request_that_fills_the_context_is_a_reason(writer):
    fields = tuple(Field(f"quixotic_zephyr_jukebox_vexed_kwyjibo_{number}", "str") for number in range(24))
    with pytest.raises(Left, match="leaves no room") as left:
        writer.write(CodeRequest("fastapi", (Entity("book", fields),)), 0, "", 300)
    assert left.value.kind == "no_code"
