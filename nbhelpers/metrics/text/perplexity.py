"""How well a language model predicts texts: perplexity over rolling windows, from the begin token on.

The definition is that of lm-evaluation-harness (`loglikelihood_rolling`, context of one token): each text is
cut into windows of at most `length` tokens; the first begins with the begin token, each later one with the
last token before it, the last one reaches back as far as it may; every token is predicted once.
"""

import inspect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

LENGTH = 512
_LOGIT_BYTES = 256 << 20  # of one call, in float32
# What processors give beside ids: which tokens are of a picture; text alone has none.
_KINDS = ("token_type_ids", "mm_token_type_ids")


@dataclass(frozen=True)
class TextScore:
    """How well texts were predicted.

    Attributes:
        log_probs: natural logarithm of each text's probability; NaN or infinite where the logits were.
        tokens: predicted per text, the begin token not counted.
        words: per text, parted by white space as the harness does.
        utf8_bytes: per text.
    """

    log_probs: tuple[float, ...]
    tokens: tuple[int, ...]
    words: tuple[int, ...]
    utf8_bytes: tuple[int, ...]

    @property
    def perplexity(self) -> float:
        """Per token: exp of the mean negative log probability over all texts; NaN or infinite if that is."""
        return _exp(self.log_probs, self.tokens)

    @property
    def word_perplexity(self) -> float:
        """The same per word, which models with different vocabularies can be compared by."""
        return _exp(self.log_probs, self.words)

    @property
    def byte_perplexity(self) -> float:
        """The same per byte of UTF-8."""
        return _exp(self.log_probs, self.utf8_bytes)


def _exp(log_probs: Sequence[float], counts: Sequence[int]) -> float:
    mean = -sum(log_probs) / max(1, sum(counts))
    return math.exp(mean) if mean < 700 else math.inf if mean == mean else math.nan


@dataclass(frozen=True)
class Window:
    """Tokens a model reads, and the last of its predictions that count.

    Attributes:
        inputs: token ids, at most `length`.
        targets: the token ids that the last `len(targets)` positions predict.
    """

    inputs: tuple[int, ...]
    targets: tuple[int, ...]


def rolling_windows(ids: Sequence[int], prefix: int, length: int = LENGTH) -> Iterator[Window]:
    """Cut a text into windows that predict each of its tokens once.

    Args:
        ids: of the text, without a begin token.
        prefix: id that stands before the text.
        length: tokens a model reads at once, 1 or more.
    """
    padded = [prefix, *ids]  # what predicts ids[i] ends at padded[i]
    for first in range(0, len(ids), length):
        end = min(first + length, len(ids))
        begin = max(0, end - length) if first else 0
        yield Window(tuple(padded[begin:end]), tuple(ids[first:end]))


def prefix_id(tokenizer: Any) -> int:
    """The begin token's id; where a vocabulary has none, that of the end, as lm-evaluation-harness takes it.

    Raises:
        BadInput: it has neither.
    """
    for found in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if found is not None:
            return int(found)
    raise BadInput("this vocabulary has neither a begin nor an end token to put before a text")


def score_texts(model: Any, tokenizer: Any, texts: Sequence[str], *, length: int | None = None) -> TextScore:
    """Log probabilities of texts, each on its own.

    Args:
        model: a causal or vision-language model in eval mode, on one device.
        tokenizer: of the model.
        texts: an empty one has no tokens and log probability 0.
        length: tokens the model reads at once; None takes what it can, at most `LENGTH`.

    Raises:
        BadInput: no texts, or a vocabulary without begin and end.
    """
    if not texts:
        raise BadInput("perplexity: there are no texts to score")
    limit = int(getattr(model.config.get_text_config(), "max_position_embeddings", LENGTH))
    length, prefix = min(length or LENGTH, limit), prefix_id(tokenizer)
    ids = [list(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    owners, windows = list[int](), list[Window]()
    for place, one in enumerate(ids):
        found = list(rolling_windows(one, prefix, length))
        windows += found
        owners += [place] * len(found)
    sums = [0.0] * len(texts)
    for owner, score in zip(owners, score_windows(model, windows), strict=True):
        sums[owner] += score
    return TextScore(
        tuple(sums), tuple(map(len, ids)),
        tuple(len(text.split()) for text in texts), tuple(len(text.encode()) for text in texts),
    )  # fmt: skip


def score_windows(model: Any, windows: Sequence[Window]) -> list[float]:
    """Log probability of each window's targets, in nats; computed in float32, longest windows together."""
    order = sorted(range(len(windows)), key=lambda place: len(windows[place].inputs))
    scores = [0.0] * len(windows)
    vocabulary = int(model.config.get_text_config().vocab_size)
    while order:
        longest = len(windows[order[-1]].inputs)
        count = max(1, _LOGIT_BYTES // (4 * vocabulary * longest))
        part, order = order[-count:], order[:-count]
        for place, score in zip(part, _scores(model, [windows[p] for p in part]), strict=True):
            scores[place] = score
    return scores


def _scores(model: Any, windows: Sequence[Window]) -> list[float]:
    import torch

    longest = max(len(window.inputs) for window in windows)
    ids = torch.zeros(len(windows), longest, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, window in enumerate(windows):
        ids[row, : len(window.inputs)] = torch.tensor(window.inputs)
        mask[row, : len(window.inputs)] = 1
    with torch.inference_mode():
        logits = model(**text_inputs(model, ids, mask)).logits
        return [_score(logits[row], window) for row, window in enumerate(windows)]


def _score(logits: "Tensor", window: Window) -> float:
    import torch

    end = len(window.inputs)
    own = logits[end - len(window.targets) : end].float()
    targets = torch.tensor(window.targets, device=own.device)
    chosen = own.gather(1, targets[:, None])[:, 0] - own.logsumexp(dim=1)
    return float(chosen.double().sum())


def text_inputs(model: Any, ids: "Tensor", mask: "Tensor") -> dict[str, "Tensor"]:
    """What a model's forward takes for text alone, as its processor would give it.

    Args:
        model: asked which kinds of tokens it wants to be told.
        ids: (batch, tokens) int64.
        mask: the same shape, 1 on tokens that count.
    """
    import torch

    asked = inspect.signature(model.forward).parameters
    inputs = {"input_ids": ids, "attention_mask": mask}
    inputs |= {name: torch.zeros_like(ids) for name in _KINDS if name in asked}
    return {name: value.to(model.device) for name, value in inputs.items()}
