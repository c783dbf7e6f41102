"""The twin of the Qwen2 coder: grammar, programs, tokenizer, batches, judging, and its committed weights."""

import ast

import numpy as np
import pytest
import torch

from nbhelpers.models.places import twin_folder
from nbhelpers.twins.qwen2_coder import batches, evaluate, recipe, routes
from nbhelpers.twins.qwen2_coder.model import build_model
from nbhelpers.twins.qwen2_coder.programs import ALLOWED_IMPORTS, write_program
from nbhelpers.twins.qwen2_coder.requests import (
    ENTITIES,
    FRAMEWORKS,
    OPERATIONS,
    OPTIONS,
    TYPES_OF_FIELD,
    Field,
    Request,
    draw_request,
    is_held_out,
    phrase,
)
from nbhelpers.twins.qwen2_coder.tokenizer import CONTEXT, VOCABULARY, build_tokenizer
from nbhelpers.twins.qwen2_coder.write import write
from nbhelpers.twins.work import one_thread

FASTAPI = """from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

app = FastAPI()


class Book(BaseModel):
    title: str
    price: float


books: dict[int, Book] = {}


@app.get("/health")
def health() -> bool:
    return True


@app.get("/api/books/{book_id}")
def get_book(book_id: int) -> Book:
    if book_id not in books:
        raise HTTPException(404)
    return books[book_id]


@app.post("/api/books")
def create_book(book: Book) -> int:
    book_id = max(books, default=0) + 1
    books[book_id] = book
    return book_id
"""
FLASK = """from flask import Flask, jsonify, request

app = Flask(__name__)
cars = {}


@app.get("/cars")
def list_cars():
    limit = request.args.get("limit", 20, int)
    skip = request.args.get("skip", 0, int)
    return jsonify(list(cars.values())[skip : skip + limit])
"""
BOOKS = Request(
    "fastapi", "book", (Field("title", "str"), Field("price", "float")), ("get", "create"), ("health", "api")
)
CARS = Request("flask", "car", (Field("year", "int"),), ("list",), ("paging",))


@pytest.fixture(scope="module", autouse=True)
def _single_thread():
    with one_thread():
        yield


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(8)
    return [draw_request(rng, held_out=index % 2 == 0) for index in range(300)]


def test_programs_of_two_known_requests():
    assert write_program(BOOKS) == FASTAPI
    assert write_program(CARS) == FLASK
    one = "/api/books/{book_id}"
    assert BOOKS.routes == {("GET", "/health"), ("GET", one), ("POST", "/api/books")}
    assert CARS.routes == {("GET", "/cars")}


def test_every_program_holds_what_its_request_asks_for(drawn):
    for request in drawn:
        verdict = evaluate.Written(request, "", write_program(request)).judge()
        assert all(verdict.values()), (request, verdict)
        assert ("abort" in write_program(request)) == (
            request.framework == "flask" and bool(set(request.operations) - {"list"})
        )


def test_drawn_requests_stay_in_the_grammar_and_reach_all_of_it(drawn):
    for request in drawn:
        names = [field.name for field in request.fields]
        assert len(set(names)) == len(names) > 0
        assert all(field.kind in TYPES_OF_FIELD[field.name] for field in request.fields)
        assert request.operations == tuple(name for name in OPERATIONS if name in request.operations) != ()
        assert "paging" not in request.options or "list" in request.operations
    assert {request.framework for request in drawn} == set(FRAMEWORKS)
    assert {request.entity for request in drawn} == set(ENTITIES)
    assert {name for request in drawn for name in request.options} == set(OPTIONS)


def test_held_out_requests_are_a_tenth_of_the_pairs_and_never_trained_on(drawn, tokenizer):
    assert [is_held_out(request) for request in drawn] == [index % 2 == 0 for index in range(len(drawn))]
    subsets = [tuple(n for i, n in enumerate(OPERATIONS) if bits >> i & 1) for bits in range(1, 32)]
    share = np.mean([is_held_out(Request("flask", e, (), ops)) for e in ENTITIES for ops in subsets])
    assert 0.06 < share < 0.14
    # One request's framework, fields and options do not decide: only entity and operations do.
    assert is_held_out(BOOKS) == is_held_out(Request("flask", "book", (), BOOKS.operations))


def test_words_tell_everything_that_was_asked_for(drawn):
    rng = np.random.default_rng(0)
    for request in drawn:
        words = phrase(request, rng)
        assert words.isascii() and "\n" not in words and "{" not in words
        assert f"{request.entity}s" in words and request.framework in words.lower()
        assert all(field.name in words for field in request.fields)
        assert ("health" in words) == ("health" in request.options)
        assert ("/api" in words) == ("api" in request.options)
    assert len({phrase(BOOKS, rng) for _ in range(200)}) > 150


def test_routes_are_read_as_written_and_nothing_is_guessed():
    tree = routes.parse(
        "import os.path\nfrom . import x\nfrom fastapi.responses import y\n"
        '@app.get("/a/{b}")\n@app.post("/c", status_code=201)\nasync def f(): ...\n'
        '@app.delete(path)\n@app.route("/d")\n@other.get("/e")\n@app.get\ndef g(): ...\n'
        'class C:\n    n: int\n    @app.get("/inside")\n    def h(self): ...\n'
    )
    assert routes.routes_of(tree) == [("GET", "/a/{b}"), ("POST", "/c")]
    assert routes.imported(tree) == {"os", ".", "fastapi"}
    assert routes.fields_of(tree) == {"n": "int"}
    assert routes.routes_of(ast.parse('@app.put("/x/<int:y>/<z>")\ndef f(): ...')) == [("PUT", "/x/{y}/{z}")]
    assert routes.parse("def f(:") is None and routes.parse("x = '\0'") is None
    assert routes.fields_of(ast.parse("x = 1")) is None


def test_what_parses_need_not_compile():
    assert routes.compiles(ast.parse("x = 1"))
    assert not routes.compiles(ast.parse("return 1"))


def test_judge_tells_wrong_programs_apart():
    def verdict(source):
        return evaluate.Written(BOOKS, "", source).judge()

    assert verdict(FASTAPI.replace("price: float", "price: int")) == {
        **verdict(FASTAPI), "fields_right": False, "exact_text": False,
    }  # fmt: skip
    assert not verdict(FASTAPI.replace('@app.post("/api/', '@app.post("/'))["routes_right"]
    assert not verdict(FASTAPI + FASTAPI[FASTAPI.index('@app.get("/health")') :])["routes_right"]
    assert not verdict("import os\n" + FASTAPI)["only_allowed_imports"]
    assert not any(verdict(FASTAPI[:-30] + "(").values())
    assert frozenset({"fastapi", "pydantic"}) < ALLOWED_IMPORTS


def test_auto_class_loads_the_tokenizer_with_the_same_ids(tokenizer, tmp_path, drawn):
    from transformers import AutoTokenizer, Qwen2Tokenizer

    tokenizer.save_pretrained(tmp_path)
    build_model(tokenizer, 0).save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    assert type(loaded) is Qwen2Tokenizer and len(loaded) == VOCABULARY
    for request in drawn[:50]:
        source = write_program(request)
        assert loaded(source).input_ids == tokenizer(source).input_ids
        assert loaded.decode(loaded(source).input_ids) == source
    chat = [{"role": "user", "content": "Hi"}]
    assert loaded.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert (loaded.pad_token, loaded.eos_token) == ("<|endoftext|>", "<|im_end|>")


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n\tif x:\n\t\treturn  1\n",
        "a\n\n\n    b\n  \n",
        "  x  ",
        "\r\n é ñ 漢字 🙂 ",
        "{'%s' % \"q\"}\\n",
        "",
    ],
)
def test_any_text_comes_back_to_the_character(tokenizer, text):
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_documents_fit_the_context_and_only_answers_are_learned(tokenizer):
    make = batches.BatchMaker(tokenizer, 3, documents=200)
    assert max(len(ids) for ids, _ in make.documents) < CONTEXT
    batch = make(0)
    assert batch["input_ids"].shape == batch["labels"].shape == batch["attention_mask"].shape
    for ids, labels, mask in zip(*(batch[k] for k in ("input_ids", "labels", "attention_mask")), strict=True):
        learned = labels >= 0
        assert torch.equal(ids[learned], labels[learned]) and mask[learned].all()
        source = tokenizer.decode(labels[learned])
        assert source.endswith("<|im_end|>") and routes.parse(source.removesuffix("<|im_end|>"))
        assert tokenizer.decode(ids[~learned & mask.bool()]).endswith("<|im_start|>assistant\n")


def test_same_seed_same_batches(tokenizer):
    first, again = (batches.BatchMaker(tokenizer, 3, documents=150) for _ in range(2))
    other = batches.BatchMaker(tokenizer, 4, documents=150)
    assert torch.equal(first(7)["input_ids"], again(7)["input_ids"])
    assert first.documents != other.documents
    assert first.documents != batches.BatchMaker(tokenizer, 3, documents=150, part=1).documents
    assert not torch.equal(first(7)["labels"], first(8)["labels"])


def test_a_few_steps_lower_the_loss_and_the_files_load(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr("nbhelpers.twins.qwen2_coder.tokenizer.build_tokenizer", lambda: tokenizer)
    monkeypatch.setattr(batches, "BATCH", 6)
    recipe.train(tmp_path / "out", 0, steps=(8, 4), documents=120, work=tmp_path)
    model, tokenizer = evaluate.load_coder(tmp_path / "out")
    assert type(model).__name__ == "Qwen2ForCausalLM"
    assert 1.1e6 < sum(parameter.numel() for parameter in model.parameters()) < 1.3e6
    assert (tmp_path / "out" / "model.safetensors").stat().st_size < 5e6
    asked = evaluate.held_out_requests(8, 0)
    after = evaluate.perplexity(model, tokenizer, asked)
    before = evaluate.perplexity(build_model(tokenizer, 0).eval(), tokenizer, asked)
    assert after.n == before.n and after.value < 0.5 * before.value


def test_perplexity_of_a_model_that_knows_nothing_is_the_vocabulary(tokenizer):
    model = build_model(tokenizer, 0).eval()
    torch.nn.init.zeros_(model.model.embed_tokens.weight)  # tied: all logits 0
    value = evaluate.perplexity(model, tokenizer, evaluate.held_out_requests(5, 1), batch=2).value
    assert value == pytest.approx(VOCABULARY, rel=1e-4)


def test_writing_many_at_once_is_writing_one_by_one(tokenizer):
    model = build_model(tokenizer, 1).eval()
    words = ["A FastAPI app for books.", "Flask", "Please make a Flask API to manage cars. It can list."]
    model.generation_config.max_length = None
    together = write(model, tokenizer, words, new_tokens=12)
    assert together == [write(model, tokenizer, [one], new_tokens=12)[0] for one in words]
    assert all(together)


@pytest.mark.slow
def test_committed_twin_writes_services_for_unseen_combinations():
    model, tokenizer = evaluate.load_coder(twin_folder("tiny/qwen2.5-coder"))
    found = evaluate.shares(evaluate.ask(model, tokenizer, evaluate.held_out_requests(30, 424_242)))
    assert found["parses"].value >= 0.85
    assert found["routes_right"].value >= 0.75
