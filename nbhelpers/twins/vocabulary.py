"""A small vocabulary of one's own: byte-level BPE trained on the text of the drawn world."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BYTES = 256  # every byte has a token, so that no text is unknown


def train_bpe(corpus: Iterable[str], size: int, special_tokens: Sequence[str]) -> "Tokenizer":
    """Train a byte-level BPE tokenizer.

    The special tokens have the ids 0 to len - 1 in the order given, the bytes follow, then merged pieces. Any
    text comes back unchanged from `decode(encode(text))`. The same corpus gives the same vocabulary.

    Args:
        corpus: texts such as the model will read and write.
        size: tokens at most, special ones included; at least `len(special_tokens) + 256`.
        special_tokens: never split and never made by merging.

    Raises:
        BadInput: `size` is too small, or a special token is given twice.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    if len(set(special_tokens)) != len(special_tokens):
        raise BadInput("special_tokens: one is given twice")
    if size < len(special_tokens) + BYTES:
        raise BadInput(f"size {size}: {len(special_tokens)} special tokens and {BYTES} bytes do not fit")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(special_tokens),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer
