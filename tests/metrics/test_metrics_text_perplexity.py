"""Perplexity against a plain computation, and its windows against the harness's definition."""

import math

import pytest
import torch

from nbhelpers.errors import BadInput
from nbhelpers.metrics.text import rolling_windows, score_texts
from nbhelpers.metrics.text.perplexity import TextScore, prefix_id
from nbhelpers.models import load

TEXTS = [
    "Last night I dreamt of the old house. Somebody gave me a green crate. Then I woke up.",
    "Anna goes to the kitchen in the morning. She finds a red ball next to a blue cone.",
    "Alla fine mi sono svegliata.",
]


@pytest.fixture(scope="module")
def gemma():
    return load("tiny/gemma-3", task="infer", device="cpu")


@pytest.fixture(scope="module")
def coder():
    return load("tiny/qwen2.5-coder", task="infer", device="cpu")


def harness_windows(tokens, prefix, length):
    """The rule of lm-evaluation-harness 0.4 with a context of one token, written out.

    The first window reads the prefix and all but the last of the first `length` tokens; each later one ends
    where its targets end and reads the `length` tokens before its last target.
    """
    found, predicted = [], min(length, len(tokens))
    if tokens:
        found.append(([prefix, *tokens[: predicted - 1]], tokens[:predicted]))
    while predicted < len(tokens):
        count = min(len(tokens) - predicted, length)
        end = predicted + count
        found.append((tokens[end - length - 1 : end - 1], tokens[end - count : end]))
        predicted = end
    return found


@pytest.mark.parametrize("length", [1, 2, 3, 7, 10, 11, 50])
@pytest.mark.parametrize("count", [0, 1, 2, 9, 10, 11, 23])
def test_windows_are_the_harness_windows(count, length):
    tokens = list(range(100, 100 + count))
    ours = [(list(w.inputs), list(w.targets)) for w in rolling_windows(tokens, 2, length)]
    assert ours == harness_windows(tokens, 2, length)
    assert [token for _, targets in ours for token in targets] == tokens


def test_two_windows_by_hand():
    windows = list(rolling_windows([5, 6, 7, 8], 2, 3))
    assert [(w.inputs, w.targets) for w in windows] == [((2, 5, 6), (5, 6, 7)), ((5, 6, 7), (8,))]


def plain(loaded, text, prefix):
    """exp of the class's own loss on begin token and text, in one piece."""
    tokenizer = getattr(loaded.processor, "tokenizer", loaded.processor)
    ids = torch.tensor([[prefix, *tokenizer(text, add_special_tokens=False)["input_ids"]]])
    extra = {"token_type_ids": torch.zeros_like(ids)} if loaded.family.model_type == "gemma3" else {}
    with torch.no_grad():
        logits = loaded.model(input_ids=ids, **extra).logits
    log_probs = torch.log_softmax(logits[0, :-1].double(), dim=-1)
    return float(log_probs[torch.arange(ids.shape[1] - 1), ids[0, 1:]].sum()), ids.shape[1] - 1


@pytest.mark.parametrize("name", ["gemma", "coder"])
def test_perplexity_equals_a_plain_computation(name, request):
    loaded = request.getfixturevalue(name)
    tokenizer = getattr(loaded.processor, "tokenizer", loaded.processor)
    found = score_texts(loaded.model, tokenizer, TEXTS)
    sums, counts = zip(*(plain(loaded, text, prefix_id(tokenizer)) for text in TEXTS), strict=True)
    assert found.tokens == counts
    assert found.log_probs == pytest.approx(sums, abs=1e-3)
    assert found.perplexity == pytest.approx(math.exp(-sum(sums) / sum(counts)), rel=1e-3)


def test_windowed_perplexity_is_that_of_the_harness(gemma):
    """Each window on its own through the model, without batches and padding."""
    tokenizer, text = gemma.processor.tokenizer, " ".join(TEXTS)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    total = 0.0
    for inputs, targets in harness_windows(ids, tokenizer.bos_token_id, 16):
        given = torch.tensor([inputs])
        with torch.no_grad():
            logits = gemma.model(input_ids=given, token_type_ids=torch.zeros_like(given)).logits[0].double()
        rows = torch.log_softmax(logits[-len(targets) :], dim=-1)
        total += float(rows[torch.arange(len(targets)), torch.tensor(targets)].sum())
    found = score_texts(gemma.model, tokenizer, [text], length=16)
    assert found.log_probs[0] == pytest.approx(total, abs=1e-3)
    assert found.word_perplexity == pytest.approx(math.exp(-total / len(text.split())), rel=1e-3)
    assert found.byte_perplexity == pytest.approx(math.exp(-total / len(text.encode())), rel=1e-3)


def test_the_twin_needs_its_begin_token(gemma):
    tokenizer = gemma.processor.tokenizer
    with_begin = score_texts(gemma.model, tokenizer, TEXTS[:2]).perplexity
    assert with_begin < 4

    class Without:
        bos_token_id, eos_token_id = tokenizer.pad_token_id, None

        def __call__(self, *args, **options):
            return tokenizer(*args, **options)

    assert score_texts(gemma.model, Without(), TEXTS[:2]).perplexity > 1.05 * with_begin


def test_logits_that_are_no_numbers_are_no_silence(gemma):
    bias = gemma.model.model.language_model.norm.weight
    kept = bias.detach().clone()
    bias.data[0] = float("nan")
    try:
        found = score_texts(gemma.model, gemma.processor.tokenizer, TEXTS[:1])
    finally:
        bias.data.copy_(kept)
    assert math.isnan(found.perplexity)


def test_edges():
    assert math.isinf(TextScore((-1e6,), (1,), (1,), (1,)).perplexity)
    assert TextScore((0.0,), (0,), (0,), (0,)).perplexity == 1

    class Nothing:
        bos_token_id = eos_token_id = None

    with pytest.raises(BadInput, match="neither a begin nor an end"):
        prefix_id(Nothing())
    with pytest.raises(BadInput, match="no texts"):
        score_texts(None, None, [])
