"""The ladder: templates climb it whole, and each fault is found on its own rung."""

import pytest

from nbhelpers.codegen.checks import QUICK, STEPS, check_project
from nbhelpers.codegen.contain import Limits
from nbhelpers.codegen.project import Project, read_project
from nbhelpers.codegen.quality import measure_quality
from nbhelpers.codegen.request import FRAMEWORKS, OPTIONS, CodeRequest, Entity, Field
from nbhelpers.codegen.templates import render
from nbhelpers.errors import BadInput

BOOK = Entity("book", (Field("title", "str"), Field("price", "float"), Field("published", "date")))
LINE = Entity("order_line", (Field("open", "bool"), Field("count", "int")))
LIMITS = Limits(wall_s=300, cpu_s=120)
SERVICE = """from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
app = FastAPI()
class Book(BaseModel):
    title: str
books: dict[int, Book] = {}
@app.post("/books")
def create_book(book: Book) -> int:
    books[len(books) + 1] = book
    return len(books)
@app.get("/books/{book_id}")
def get_book(book_id: int) -> Book:
    if book_id not in books:
        raise HTTPException(404)
    return books[book_id]
"""
REQUEST = CodeRequest("fastapi", (Entity("book", (Field("title", "str"),)),), ("get", "create"))


def climb(source, steps=STEPS, request=REQUEST, **more):
    project = Project({"main.py": source, **more.pop("files", {})})
    return check_project(project, request, more.pop("limits", LIMITS), steps, **more)


@pytest.mark.slow
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_template_boots_answers_and_passes_its_tests(framework, mypy_cache):
    request = CodeRequest(framework, (BOOK, LINE), options=OPTIONS, text='say "hi"\n{{ }}')
    ladder = check_project(render(request), request, LIMITS, mypy_cache=mypy_cache)
    assert ladder.ok, ladder.table()
    assert [step.verdict for step in ladder.steps] == ["passed"] * 7, ladder.table()
    assert len(ladder.answers) == (0 if framework == "generic" else 19)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("framework", "operations"),
    [
        ("fastapi", ("list",)),
        ("flask", ("create", "delete")),
        ("django", ("get", "update")),
        ("crud", ("create", "list")),
    ],
)
def test_templates_of_a_few_operations(framework, operations):
    request = CodeRequest(framework, (LINE,), operations)
    ladder = check_project(render(request), request, LIMITS, ("parses", "lint", "tests", "runs"))
    assert ladder.ok, ladder.table()


def test_a_service_in_one_file_without_tests():
    ladder = climb(SERVICE, [step for step in STEPS if step != "types"])
    assert ladder.ok, ladder.table()
    assert ladder.verdict("tests") == "absent"
    assert ladder.answers[0].what == "POST /books"


@pytest.mark.parametrize(
    ("source", "rung", "said"),
    [
        ("def f(:", "parses", "main.py:1"),
        ("return 3", "compiles", "'return' outside function"),
        ("import nothing_of_this_name", "imports", "nothing_of_this_name"),
        ("import os; os._exit(0)", "imports", "ended the interpreter"),
        ("raise SystemExit(0)", "imports", "ended the interpreter"),
        ("x: int = 3\n", "imports", "it was to use fastapi"),
        ("import fastapi\n\nx = fastapi.FastAPI(title=unknown_name)\n", "imports", "unknown_name"),
        ("import fastapi\n\n\ndef f():\n    return fastapi, unknown_name\n", "lint", "F821"),
        ("import fastapi\n\nx = fastapi.FastAPI()\n", "runs", "no `app`"),
    ],
)
def test_each_fault_is_found_on_its_rung(source, rung, said):
    ladder = climb(source, ("parses", "compiles", "imports", "lint", "runs"))
    assert not ladder.ok
    failed = next(step for step in ladder.steps if step.verdict == "failed")
    assert failed.name == rung
    assert said in failed.reason
    assert ladder.reason.startswith(rung)


def test_types_and_tests_can_fail(mypy_cache):
    files = {"test_main.py": "def test_it():\n    assert 1 == 2\n"}
    wrong = 'def f() -> int:\n    return "text"\n'
    ladder = climb(wrong, ("types", "tests"), request=None, files=files, mypy_cache=mypy_cache)
    assert ladder.verdict("types") == "failed"
    assert "return-value" in ladder.reason
    alone = climb(SERVICE, ("tests",), files=files)
    assert "1 failed" in alone.steps[0].reason


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"/books/{book_id}"', '"/book/{book_id}"', "GET /books/{id}"),
        ("raise HTTPException(404)", "raise ValueError", "GET /books/{id} of nobody"),
        ("title: str", "title: int", "POST /books"),
    ],
)
def test_endpoints_that_are_not_as_asked_for(old, new, what):
    ladder = climb(SERVICE.replace(old, new), ("runs",))
    wrong = [one.what for one in ladder.answers if not one.ok]
    assert what in wrong
    assert not ladder.ok


def test_a_service_that_hangs_is_ended():
    ladder = climb("import time\ntime.sleep(999)\napp = None", ("runs",), limits=Limits(wall_s=4))
    assert "did not start" in ladder.reason
    assert "4 s and was killed" in ladder.reason


def test_quick_checks_run_no_foreign_code(tmp_path):
    ladder = climb("while True:\n    pass\n", QUICK)
    assert ladder.ok
    assert [step.name for step in ladder.steps] == list(QUICK)


def test_deep_brackets_do_not_bring_the_checks_down():
    assert not climb("(" * 100_000, ("parses",)).ok


def test_quality_has_known_values():
    source = '"""Doc."""\nimport os\n\n\ndef f(a: int) -> int:\n    """Doc."""\n    if a:\n        return a\n'
    source += "    return 2\n\n\ndef g(b):\n    return b\n"
    found = measure_quality(Project({"main.py": source}))
    assert (found.lines, found.functions, found.most_complex) == (13, 2, 2)
    assert found.complexity == 1.5
    assert (found.documented, found.typed) == (2 / 3, 1 / 2)
    assert found.findings_per_100_lines == pytest.approx(100 / 13)


def test_quality_of_templates_is_high():
    found = measure_quality(render(CodeRequest("fastapi", (BOOK,))))
    assert (found.documented, found.typed) == (1.0, 1.0)
    assert found.complexity < 2


def test_projects_are_read_from_disk(tmp_path):
    request = CodeRequest("django", (LINE,))
    project = render(request)
    project.write(tmp_path)
    assert read_project(tmp_path).digest == project.digest
    single = tmp_path / "tool.py"
    single.write_text("print(1)")
    assert read_project(single).entry == "tool"
    with pytest.raises(BadInput, match="no such file"):
        read_project(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="no Python"):
        read_project(tmp_path / "empty")
