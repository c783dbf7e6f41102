"""A small vocabulary of one's own: byte-level BPE trained on the text of the drawn world."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

BYTES = 256  # every byte has a token, so that no text is unknown
GEMMA = ("<pad>", "<eos>", "<bos>", "<unk>")  # in the order and with the ids of Gemma's vocabulary


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


def gemma_tokenizer(vocabulary: "Tokenizer", longest: int, **more: Any) -> "PreTrainedTokenizerFast":
    """The stock fast tokenizer around a vocabulary that begins with `GEMMA`, as Gemma's own does.

    Args:
        vocabulary: as `train_bpe` makes one.
        longest: tokens of a text, at most.
        more: further arguments of `PreTrainedTokenizerFast`.
    """
    from transformers import PreTrainedTokenizerFast

    names = dict(zip(("pad_token", "eos_token", "bos_token", "unk_token"), GEMMA, strict=True))
    return PreTrainedTokenizerFast(
        tokenizer_object=vocabulary, padding_side="left", model_max_length=longest, **names, **more
    )
