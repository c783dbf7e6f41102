"""Constrained decoding: only texts that are answers can be written, whatever the model would like.

The grammar is what `write_answer` writes: four keys in their order, names of a list, tenths of a second with
0 <= start <= end <= length of the clip. llguidance follows it token by token over the tokenizer's own bytes.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput, CheckFailed

if TYPE_CHECKING:
    from torch import Tensor

# Where no names are known: what JSON lets stand between quotes without an escape.
_ANY_NAME = r'[^"\\\x00-\x1F]{1,60}'
_LONGEST_S = 120.0  # the grammar holds every pair of tenths: a tenth of a million of them


@lru_cache(maxsize=64)
def answer_pattern(operations: tuple[str, ...], duration_s: float) -> str:
    """A regular expression of all answers about a clip.

    Args:
        operations: names that may be said; empty for any.
        duration_s: length of the clip, above 0 and up to two minutes.

    Raises:
        BadInput: a length out of range, or a name that needs an escape in JSON.
    """
    if not 0 < duration_s <= _LONGEST_S:
        raise BadInput(f"constrained answer: a clip of {duration_s} s; above 0 and up to {_LONGEST_S} s work")
    odd = [name for name in operations if not re.fullmatch(_ANY_NAME, name)]
    if odd:
        raise BadInput(f"operation {odd[0]!r}: a name of 1 to 60 characters without quotes or backslashes")
    name = "|".join(map(_literal, operations)) if operations else _ANY_NAME
    last = int(duration_s * 10 + 1e-6)
    times = [_literal(f"{tenth / 10:.1f}") for tenth in range(last + 1)]
    segments = "|".join(f'{times[k]}, "end_s": ({"|".join(times[k:])})' for k in range(last + 1))
    return rf'\{{"operation": "({name})", "start_s": ({segments}), "next_operation": "({name})"\}}'


def _literal(text: str) -> str:
    """The text as a pattern of itself; blanks and the like need no backslash, which the engine refuses."""
    return re.sub(r"([.^$*+?{}\[\]\\|()/])", r"\\\1", text)


class AnswerMask:
    """A logits processor for `generate`: per row of a batch, only tokens on the way to an answer.

    Args:
        tokenizer: a fast tokenizer of transformers.
        vocabulary: width of the model's logits; more than the tokenizer has where it is padded.
        patterns: one per row, see `answer_pattern`.
    """

    def __init__(self, tokenizer: Any, vocabulary: int, patterns: Sequence[str]) -> None:
        from llguidance import LLMatcher

        words = _words(tokenizer, vocabulary)
        self._matchers = [LLMatcher(words, LLMatcher.grammar_from_regex(pattern)) for pattern in patterns]
        for matcher in self._matchers:
            if matcher.is_error():
                raise CheckFailed(f"constrained answer: the grammar was refused: {matcher.get_error()}")
        self._vocabulary, self._end = vocabulary, int(tokenizer.eos_token_id)
        self._seen: int | None = None

    def __call__(self, input_ids: "Tensor", scores: "Tensor") -> "Tensor":
        """Logits (B, vocabulary) with minus infinity where no answer leads on; `input_ids` (B, tokens)."""
        import numpy as np
        import torch

        self._follow(input_ids)
        if not bool(torch.isfinite(scores).all()):
            raise CheckFailed("constrained answer: the model's logits are not finite")
        rows = [np.frombuffer(self._allowed(matcher), np.uint8) for matcher in self._matchers]
        allowed = torch.from_numpy(np.stack(rows) > 0).to(scores.device)
        return scores.masked_fill(~allowed[:, : scores.shape[-1]], -torch.inf)

    def _allowed(self, matcher: Any) -> bytes:
        """A byte per token, above 0 where it may come next; after the end of an answer only the end token."""
        if not matcher.is_stopped():
            return bytes(matcher.compute_logit_bias())
        only = bytearray(self._vocabulary)
        only[self._end] = 1
        return bytes(only)

    def _follow(self, input_ids: "Tensor") -> None:
        """Tell each matcher the token that was chosen in the step before."""
        if self._seen is not None:
            for matcher, token in zip(self._matchers, input_ids[:, self._seen :].tolist(), strict=True):
                if not matcher.is_stopped():
                    matcher.consume_tokens(token)
        self._seen = input_ids.shape[1]


@lru_cache(maxsize=4)
def _words(tokenizer: Any, vocabulary: int) -> Any:
    from llguidance.hf import from_tokenizer

    return from_tokenizer(tokenizer, n_vocab=vocabulary)
