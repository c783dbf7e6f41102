"""Training batches: requests and programs as token ids, each batch a pure function of seed and step."""

from typing import TYPE_CHECKING

import numpy as np

from nbhelpers.twins.qwen2_coder.programs import write_program
from nbhelpers.twins.qwen2_coder.requests import Request, draw_request, phrase

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Qwen2Tokenizer

BATCH = 16
DOCUMENTS = 10_000
_WINDOW = 8  # batches' worth of neighbours in length to draw from: little padding, still mixed
_IGNORED = -100


def encode(tokenizer: "Qwen2Tokenizer", words: str, request: Request) -> tuple[list[int], int]:
    """Token ids of the chat of request and program, and how many of them are given (not to be learned)."""
    asked = prompt_ids(tokenizer, words)
    answer = tokenizer(write_program(request), add_special_tokens=False).input_ids
    return [*asked, *answer, tokenizer.eos_token_id], len(asked)


def prompt_ids(tokenizer: "Qwen2Tokenizer", words: str) -> list[int]:
    """Token ids of the chat up to where the answer begins."""
    chat = [{"role": "user", "content": words}]
    return list(tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False))


class BatchMaker:
    """Makes the batch of step k from documents drawn once.

    Args:
        tokenizer: with a chat template.
        seed: of documents and batches.
        documents: how many to draw.
        part: of the training; each part has documents of its own.
    """

    def __init__(
        self, tokenizer: "Qwen2Tokenizer", seed: int, documents: int = DOCUMENTS, part: int = 0
    ) -> None:
        rng = np.random.default_rng([seed, 1 + 2 * part])
        self.seed, self.part, self.pad = seed, part, int(tokenizer.pad_token_id)
        self.documents = [_draw_document(tokenizer, rng) for _ in range(documents)]
        self.documents.sort(key=lambda document: len(document[0]))

    def __call__(self, step: int) -> "dict[str, Tensor]":
        """`input_ids`, `attention_mask`, `labels` (16, tokens) int64; labels are -100 before the answer."""
        rng = np.random.default_rng([self.seed, 2 + 2 * self.part, step])
        window = min(_WINDOW * BATCH, len(self.documents))
        first = int(rng.integers(len(self.documents) - window + 1))
        rows = first + rng.permutation(window)[:BATCH]
        return pad_batch([self.documents[row] for row in rows], self.pad)


def pad_batch(documents: list[tuple[list[int], int]], pad: int) -> "dict[str, Tensor]":
    """Documents (token ids, how many of them are given) as one batch, padded on the right with `pad`."""
    import torch

    length = max(len(ids) for ids, _ in documents)
    input_ids = np.full((len(documents), length), pad, np.int64)
    labels = np.full((len(documents), length), _IGNORED, np.int64)
    for row, (ids, given) in enumerate(documents):
        input_ids[row, : len(ids)] = ids
        labels[row, given : len(ids)] = ids[given:]
    mask = np.arange(length) < np.array([len(ids) for ids, _ in documents])[:, None]
    arrays = {"input_ids": input_ids, "attention_mask": mask.astype(np.int64), "labels": labels}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _draw_document(tokenizer: "Qwen2Tokenizer", rng: np.random.Generator) -> tuple[list[int], int]:
    request = draw_request(rng)
    return encode(tokenizer, phrase(request, rng), request)
