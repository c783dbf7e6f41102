"""What the twin writes for requests it has not seen, judged without running it."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nbhelpers.artifacts import Check, Metric
from nbhelpers.metrics import proportion
from nbhelpers.twins.qwen2_coder.batches import encode, pad_batch
from nbhelpers.twins.qwen2_coder.programs import ALLOWED_IMPORTS, write_program
from nbhelpers.twins.qwen2_coder.requests import Request, draw_request, phrase
from nbhelpers.twins.qwen2_coder.routes import compiles, fields_of, imported, parse, routes_of
from nbhelpers.twins.qwen2_coder.write import write
from nbhelpers.twins.recipe import Evaluation

REQUESTS = 250
UNKNOWN_NAMES = ("planet", "wallet", "garden", "parcel", "turbine")
BARS = {"parses": 0.92, "routes_right": 0.85}


@dataclass(frozen=True)
class Written:
    """A request, its words and what a model wrote for it."""

    request: Request
    words: str
    source: str

    def tree(self) -> ast.Module | None:
        """The syntax tree of what was written, or None."""
        return parse(self.source)

    def judge(self) -> dict[str, bool]:
        """What holds of the program; nothing of it is run."""
        tree = self.tree()
        routes = [] if tree is None else routes_of(tree)
        return {
            "parses": tree is not None,
            "compiles": tree is not None and compiles(tree),
            "routes_right": frozenset(routes) == self.request.routes and len(routes) == len(set(routes)),
            "fields_right": tree is not None and fields_of(tree) == _fields(self.request),
            "only_allowed_imports": tree is not None and imported(tree) <= ALLOWED_IMPORTS,
            "exact_text": self.source == write_program(self.request),
        }


def _fields(request: Request) -> dict[str, str] | None:
    """Names and types the program must state; None where a Flask service reads no body and states none."""
    if request.framework == "flask" and not {"create", "update"} & set(request.operations):
        return None
    return {field.name: field.kind for field in request.fields}


def load_coder(folder: Path) -> tuple[Any, Any]:
    """Model in eval mode and tokenizer, through the auto classes, from the folder alone."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    return model.eval(), AutoTokenizer.from_pretrained(folder, local_files_only=True)


def held_out_requests(count: int, seed: int) -> list[tuple[Request, str]]:
    """Requests from the held-out part of the grammar, with their words."""
    rng = np.random.default_rng([seed, 20_001])
    drawn = [draw_request(rng, held_out=True) for _ in range(count)]
    return [(request, phrase(request, rng)) for request in drawn]


def seen_requests(count: int, seed: int) -> list[tuple[Request, str]]:
    """Requests from the part that training draws from: the combinations are known, most texts are new."""
    rng = np.random.default_rng([seed, 20_003])
    drawn = [draw_request(rng) for _ in range(count)]
    return [(request, phrase(request, rng)) for request in drawn]


def unknown_requests(count: int, seed: int) -> list[tuple[Request, str]]:
    """Requests for entities the grammar does not know."""
    from dataclasses import replace

    renamed = [
        (replace(request, entity=UNKNOWN_NAMES[index % len(UNKNOWN_NAMES)]))
        for index, (request, _) in enumerate(seen_requests(count, seed))
    ]
    rng = np.random.default_rng([seed, 20_005])
    return [(request, phrase(request, rng)) for request in renamed]


def ask(model: Any, tokenizer: Any, asked: Sequence[tuple[Request, str]]) -> list[Written]:
    """Let the model write a program for each request."""
    sources = write(model, tokenizer, [words for _, words in asked])
    return [Written(request, words, source) for (request, words), source in zip(asked, sources, strict=True)]


def shares(written: Sequence[Written]) -> dict[str, Metric]:
    """Share of programs of which each thing holds."""
    verdicts = [one.judge() for one in written]
    return {name: proportion([verdict[name] for verdict in verdicts]) for name in verdicts[0]}


def perplexity(model: Any, tokenizer: Any, asked: Sequence[tuple[Request, str]], batch: int = 25) -> Metric:
    """Perplexity of the reference programs per token, the requests given."""
    import torch

    total, tokens = 0.0, 0
    documents = sorted(
        (encode(tokenizer, words, request) for request, words in asked), key=lambda d: len(d[0])
    )
    for start in range(0, len(documents), batch):
        inputs = pad_batch(documents[start : start + batch], int(tokenizer.pad_token_id))
        count = int((inputs["labels"] >= 0).sum())
        with torch.inference_mode():
            total += float(model(**inputs).loss) * count
        tokens += count
    return Metric(float(np.exp(total / tokens)), tokens, "per token")


def evaluate(folder: Path, seed: int, requests: int = REQUESTS) -> Evaluation:
    """Everything the card reports; the bars are on combinations that training never saw."""
    model, tokenizer = load_coder(folder)
    asked = held_out_requests(requests, seed)
    metrics = shares(ask(model, tokenizer, asked))
    seen = shares(ask(model, tokenizer, seen_requests(requests // 2, seed)))
    unknown = shares(ask(model, tokenizer, unknown_requests(requests // 5, seed)))
    metrics |= {
        "perplexity": perplexity(model, tokenizer, asked),
        "seen_combinations_routes_right": seen["routes_right"],
        "unknown_entities_parses": unknown["parses"],
        "unknown_entities_routes_right": unknown["routes_right"],
    }
    checks = tuple(
        Check(
            name,
            round(float(metrics[name].value or 0), 4),
            f">= {bar}",
            float(metrics[name].value or 0) >= bar,
        )
        for name, bar in BARS.items()
    )
    return Evaluation(metrics, checks)
