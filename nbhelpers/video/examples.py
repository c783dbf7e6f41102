"""Clips to learn from: their tokens in memory, what stands for their pictures on disk."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbhelpers.data.operations import Answer
from nbhelpers.errors import BadInput
from nbhelpers.video.answers import as_seen
from nbhelpers.video.conversation import answer_text, model_inputs, telling_of
from nbhelpers.video.features import clip_features, pixels_name
from nbhelpers.video.samples import VideoSample, pixels_key

if TYPE_CHECKING:
    from torch import Tensor

    from nbhelpers.models import Loaded
    from nbhelpers.training.tensor_cache import TensorCache


@dataclass(frozen=True)
class Example:
    """One clip as a model learns it.

    Attributes:
        key: of its pixels and times.
        tokens: what the processor gives per token, each (question,); `input_ids` among them.
        others: what it gives per clip or picture: grids, seconds per grid.
        answer: (answer,) int64 ids of the answer and the end of the turn.
        pixels: the name under which its pictures go in.
        weights: (answer,) what each id of the answer counts in the loss; None where all count alike.
    """

    key: str
    tokens: "dict[str, Tensor]"
    others: "dict[str, Tensor]"
    answer: "Tensor"
    pixels: str
    weights: "Tensor | None" = None

    @property
    def length(self) -> int:
        """Tokens of question and answer."""
        return len(self.tokens["input_ids"]) + len(self.answer)


class Examples:
    """Examples of a list of clips, and their pictures through a cache on disk.

    Args:
        samples: with answers.
        loaded: model and processor.
        cache: where features or pixel values are kept.
        frozen: keep what the vision tower makes of the pixels, not the pixels.
        name_weight: what a token of an operation's name counts, where others count 1.

    Attributes:
        computed: how often the tower ran, or a clip was processed again.
    """

    def __init__(
        self,
        samples: Sequence[VideoSample],
        loaded: "Loaded",
        cache: "TensorCache",
        frozen: bool,
        name_weight: float = 1.0,
    ) -> None:
        missing = [sample.name for sample in samples if sample.answer is None]
        if missing or not samples:
            what = f"clip {missing[0]} has no answer" if missing else "there are none"
            raise BadInput(f"clips to learn from: {what}")
        self.samples, self.frozen, self.computed = list(samples), frozen, 0
        self._loaded, self._cache, self._name_weight = loaded, cache, name_weight
        self._examples: dict[int, Example] = {}

    def __len__(self) -> int:
        return len(self.samples)

    def prepare(self, label: str) -> "Examples":
        """Process every clip once: afterwards tokens are in memory, pictures on disk (as far as they fit)."""
        from nbhelpers.memory import large_blocks_apart
        from nbhelpers.runtime import progress

        with large_blocks_apart():  # tokens stay, pixels go: 0.7 MB a clip at the twin's size
            for number in progress(range(len(self)), label=label, unit="clip"):
                self.example(number)
        return self

    def example(self, number: int) -> Example:
        """The tokens of a clip."""
        if number not in self._examples:
            self._examples[number] = self._process(number)[0]
        return self._examples[number]

    def pictures(self, number: int) -> "Tensor":
        """What stands for the pixels of a clip, on the CPU: features (tokens, width), or pixel values."""
        found = self._cache.get(self.example(number).key)
        return self._process(number)[1] if found is None else found[0]

    def _process(self, number: int) -> "tuple[Example, Tensor]":
        sample = self.samples[number]
        frames = sample.frames()
        key = pixels_key(frames, sample.times_s)
        inputs = model_inputs(self._loaded.processor, self._loaded.family, [sample], [frames])
        name = pixels_name(inputs)
        kept = self._cache.get(key)
        if kept is None:
            self.computed += 1
            kept = self._cache.put(key, (self._pictures(inputs, name),))
        return self._example(key, name, sample, inputs), kept[0]

    def _pictures(self, inputs: "dict[str, Tensor]", name: str) -> "Tensor":
        return clip_features(self._loaded.model, inputs) if self.frozen else inputs[name]

    def _example(self, key: str, pixels: str, sample: VideoSample, inputs: "dict[str, Tensor]") -> Example:
        import torch

        assert sample.answer is not None
        told = telling_of(self._loaded.family.model_type, sample)
        seen = as_seen(sample.answer, sample.times_s, sample.duration_s)
        processor = self._loaded.processor
        text = answer_text(processor, sample, told, seen)
        ids = processor.tokenizer.encode(text, add_special_tokens=False)
        weights = None if self._name_weight == 1 else self._weights(text, seen)
        per_token, others = _apart({name: value for name, value in inputs.items() if name != pixels})
        return Example(key, per_token, others, torch.tensor(ids), pixels, weights)

    def _weights(self, text: str, answer: Answer) -> "Tensor":
        """What each token of an answer counts: more, where it holds a part of an operation's name."""
        import torch

        words = self._loaded.processor.tokenizer
        places = words(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        names = {json.dumps(name) for name in (answer.operation, answer.next_operation)}
        spans = [found.span() for name in names for found in re.finditer(re.escape(name), text)]
        named = [any(start < high and low < end for low, high in spans) for start, end in places]
        return torch.where(torch.tensor(named), self._name_weight, 1.0)


def _apart(inputs: "dict[str, Tensor]") -> "tuple[dict[str, Tensor], dict[str, Tensor]]":
    """Inputs of one clip that hold a number per token, without their batch, and all others."""
    size = inputs["input_ids"].shape
    tokens = {name: value[0] for name, value in inputs.items() if value.shape == size}
    return tokens, {name: value for name, value in inputs.items() if name not in tokens}


def collate(
    examples: Sequence[Example], pictures: "Sequence[Tensor]", pad: int, answers: bool = True
) -> dict[str, Any]:
    """A batch, padded on the left, so that all answers end in the last column.

    Args:
        examples: of the batch.
        pictures: of each, as `Examples.pictures` gives them.
        pad: id of the padding.
        answers: with what is to be learned; False leaves it to `generate`.

    Returns:
        The model's inputs, and with answers `labels`: (batch, longest answer) int64, the ids in the last
        columns, -100 before shorter ones; and `weights` of the same shape where they do not count alike.
    """
    import torch

    rows = [
        torch.cat([e.tokens["input_ids"], e.answer]) if answers else e.tokens["input_ids"] for e in examples
    ]
    batch: dict[str, Any] = {
        "input_ids": _left(rows, pad),
        "attention_mask": _left([torch.ones_like(r) for r in rows], 0),
    }
    for name in examples[0].tokens:
        if name not in batch:
            batch[name] = _left(
                [_longer(e.tokens[name], len(r)) for e, r in zip(examples, rows, strict=True)], 0
            )
    for name in examples[0].others:
        batch[name] = torch.cat([example.others[name] for example in examples])
    batch[examples[0].pixels] = torch.cat(list(pictures))
    if not answers:
        return batch
    batch["labels"] = _left([example.answer for example in examples], -100)
    if examples[0].weights is not None:
        batch["weights"] = _left([e.weights for e in examples if e.weights is not None], 0)
    return batch


def _left(rows: "Sequence[Tensor]", pad: int) -> "Tensor":
    import torch

    return torch.nn.utils.rnn.pad_sequence(
        list(rows), batch_first=True, padding_value=pad, padding_side="left"
    )


def _longer(row: "Tensor", length: int) -> "Tensor":
    """A row of the question's tokens, with zeros (plain text) for those of the answer."""
    from torch.nn import functional

    return functional.pad(row, (0, length - len(row)))
