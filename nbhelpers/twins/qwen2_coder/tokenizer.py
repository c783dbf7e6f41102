"""The coder's vocabulary: the stock Qwen2 tokenizer, trained on the grammar's own text."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nbhelpers.twins.qwen2_coder.programs import write_program
from nbhelpers.twins.qwen2_coder.requests import draw_request, phrase

if TYPE_CHECKING:
    from transformers import Qwen2Tokenizer

VOCABULARY = 1024
CONTEXT = 512  # tokens of request and answer
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
_CORPUS = 4000
_CORPUS_SEED = 40_004  # of the text alone: every training seed shares one vocabulary
# The layout of Qwen2.5's template, without its default system prompt.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_tokenizer() -> "Qwen2Tokenizer":
    """Train the tokenizer on requests and programs of the grammar's training part; always the same.

    The auto class brings `Qwen2Tokenizer` for this model type whatever a folder says, and with it a fixed way
    of cutting text into words; so the vocabulary is trained through that class.
    """
    from transformers import Qwen2Tokenizer

    blank = Qwen2Tokenizer()
    tokenizer = blank.train_new_from_iterator(
        _corpus(), VOCABULARY, new_special_tokens=[START, END], show_progress=False
    )
    tokenizer.eos_token, tokenizer.pad_token = END, PAD
    tokenizer.model_max_length = CONTEXT
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _corpus() -> Iterator[str]:
    rng = np.random.default_rng(_CORPUS_SEED)
    for _ in range(_CORPUS):
        request = draw_request(rng)
        yield f"user\n{phrase(request, rng)}"
        yield f"assistant\n{write_program(request)}"
