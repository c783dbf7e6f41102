"""Writing texts with a model that may be broken: in batches, greedy or drawn, broken logits caught."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbhelpers.degrade.chat import Asked, chat_inputs, tokenizer_of
from nbhelpers.errors import CheckFailed

if TYPE_CHECKING:
    from torch import Tensor

    from nbhelpers.models import Loaded

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


@dataclass(frozen=True)
class Decoding:
    """How texts are written; it stands in every record.

    Attributes:
        temperature: 0 takes the likeliest token each time.
        top_p: share of probability that is drawn from.
        seed: of the experiment; each batch draws from a seed of its own.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Written:
    """One text.

    Attributes:
        text: without special tokens, as it was decoded.
        tokens: how many were written, the end token included.
        finished: whether the model ended it itself.
        non_finite_at: token at which a logit was NaN or infinite and the text was cut off; None: never.
        rows: texts that were written together with it.
    """

    text: str
    tokens: int
    finished: bool
    non_finite_at: int | None
    rows: int


class FiniteGuard:
    """Ends a row as soon as its logits hold a NaN or an infinity, and notes where.

    Without it a broken row would go on with some token, or sampling would fail for the whole batch.

    Args:
        end: id of the token that ends a row.
        start: tokens of the prompt.
    """

    def __init__(self, end: int, start: int) -> None:
        self._end, self._start = end, start
        self.first: dict[int, int] = {}

    def __call__(self, input_ids: "Tensor", scores: "Tensor") -> "Tensor":
        """Called by `generate` for each token: (batch, tokens) ids and (batch, vocabulary) logits."""
        broken = ~scores.isfinite().all(dim=-1)
        if not bool(broken.any()):
            return scores
        for row in broken.nonzero().flatten().tolist():
            self.first.setdefault(row, input_ids.shape[1] - self._start)
        ended = scores.masked_fill(broken[:, None], float("-inf"))
        ended[broken, self._end] = 0.0
        return ended


def write(loaded: "Loaded", asked: Sequence[Asked], decoding: Decoding, seed: int) -> list[Written]:
    """Answer prompts together; where memory runs out, in halves.

    Args:
        loaded: model and processor.
        asked: of one kind.
        decoding: settings.
        seed: of this batch's draws.

    Raises:
        CheckFailed: memory runs out for a single prompt.
    """
    return halved(lambda part: _write(loaded, part, decoding, seed), asked)


def halved(work: "Callable[[Sequence[Asked]], list[Written]]", asked: Sequence[Asked]) -> list[Written]:
    """Do work on all, or where memory runs out on each half, and so on.

    Raises:
        CheckFailed: memory runs out for one alone.
    """
    from nbhelpers.memory import release

    try:
        return work(asked)
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    release()  # outside the handler: the error held on to the tensors of the failed call
    if len(asked) == 1:
        raise CheckFailed(f"memory ran out for one prompt alone ({reason[:120]}); ask for fewer new tokens")
    middle = len(asked) // 2
    return halved(work, asked[:middle]) + halved(work, asked[middle:])


def ran_out(error: BaseException) -> bool:
    """Whether an error means that memory ran out."""
    import torch

    told = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(m in told for m in _OUT_OF_MEMORY)


def _write(loaded: "Loaded", asked: Sequence[Asked], decoding: Decoding, seed: int) -> list[Written]:
    import torch

    inputs = chat_inputs(loaded, asked)
    start = inputs["input_ids"].shape[1]
    settings = generation_config(loaded, decoding, asked[0].new_tokens)
    ends = set(settings.eos_token_id)
    guard = FiniteGuard(settings.eos_token_id[0], start)
    devices = [loaded.model.device] if loaded.model.device.type == "cuda" else []
    with torch.inference_mode(), torch.random.fork_rng(devices), _nothing_else(loaded.model, settings):
        torch.manual_seed(seed % 2**63)
        ids = loaded.model.generate(**inputs, generation_config=settings, logits_processor=[guard])
    fresh = ids[:, start:].tolist()
    texts = tokenizer_of(loaded).batch_decode(fresh, skip_special_tokens=True)
    return [_written(text, row, ends, guard.first.get(place), len(asked))
            for place, (text, row) in enumerate(zip(texts, fresh, strict=True))]  # fmt: skip


@contextmanager
def _nothing_else(model: Any, settings: Any) -> Iterator[None]:
    """`generate` fills what is not set from the model's own settings, such as a penalty on repetition."""
    own = model.generation_config
    model.generation_config = settings
    try:
        yield
    finally:
        model.generation_config = own


def _written(text: str, row: list[int], ends: set[int], broken_at: int | None, rows: int) -> Written:
    end = next((place for place, token in enumerate(row) if token in ends), None)
    tokens = len(row) if end is None else end + 1
    if broken_at is not None:  # the end was ours, not the model's
        return Written(text, broken_at, False, broken_at, rows)
    return Written(text, tokens, end is not None, None, rows)


def generation_config(loaded: "Loaded", decoding: Decoding, new_tokens: int) -> Any:
    """Settings of one call for transformers; of the model's own only its special tokens are taken over.

    Args:
        loaded: model and processor.
        decoding: settings.
        new_tokens: at most.

    Raises:
        CheckFailed: the model names no end token.
    """
    from transformers import GenerationConfig

    own, tokenizer = loaded.model.generation_config, tokenizer_of(loaded)
    ends = own.eos_token_id if own.eos_token_id is not None else tokenizer.eos_token_id
    if ends is None:
        raise CheckFailed(f"{loaded.name}: names no end token")
    drawn = {"do_sample": True, "temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0}
    pad = own.pad_token_id if own.pad_token_id is not None else tokenizer.pad_token_id
    return GenerationConfig(
        max_new_tokens=new_tokens,
        eos_token_id=ends if isinstance(ends, list) else [ends],
        pad_token_id=pad,
        bos_token_id=own.bos_token_id,
        **(drawn if decoding.temperature else {"do_sample": False}),
    )
