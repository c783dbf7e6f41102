"""Training batches of clips of about one length, each a pure function of its number."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbhelpers.errors import BadInput
from nbhelpers.video.examples import Examples, collate
from nbhelpers.video.light import Light

if TYPE_CHECKING:
    from torch import Tensor

_POOL = 16  # batches whose clips are sorted by length together: nearly no padding, and still another mix


class VideoBatches:
    """The batch of number m.

    Args:
        examples: prepared.
        batch: clips in each; the last of an epoch may be smaller.
        pad: id of the padding.
        seed: of the order, and of the light.
        light: varies the light of clips whose pixels are kept; None leaves it.
    """

    def __init__(
        self, examples: Examples, batch: int, pad: int, seed: int, light: Light | None = None
    ) -> None:
        if batch < 1:
            raise BadInput(f"batches of {batch} clips: 1 or more")
        self.examples, self.batch, self.pad, self.seed = examples, batch, pad, seed
        self._light = light
        self._lengths = np.array([examples.example(number).length for number in range(len(examples))])
        self._epoch, self._plan = -1, list[np.ndarray]()

    @property
    def per_epoch(self) -> int:
        """Batches in one pass over the clips."""
        return -(-len(self.examples) // self.batch)

    def __call__(self, number: int) -> dict[str, Any]:
        """Inputs and labels; see `collate`."""
        chosen = self.clips(number)
        examples = [self.examples.example(clip) for clip in chosen]
        pictures = [self._pictures(number, clip) for clip in chosen]
        return collate(examples, pictures, self.pad)

    def _pictures(self, number: int, clip: int) -> "Tensor":
        found = self.examples.pictures(clip)
        return found if self._light is None else self._light(found, (self.seed, number, clip))

    def clips(self, number: int) -> list[int]:
        """Which clips batch `number` holds."""
        epoch, place = divmod(number, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._plan = epoch, epoch_plan(self._lengths, self.batch, (self.seed, epoch))
        return [int(clip) for clip in self._plan[place]]


def epoch_plan(lengths: np.ndarray, batch: int, seed: Sequence[int]) -> list[np.ndarray]:
    """The batches of one epoch: a random order, sorted by length within pools, batches shuffled again.

    Args:
        lengths: (n,) tokens of each clip.
        batch: clips in each.
        seed: of this epoch.

    Returns:
        Indices of the clips of each batch; every clip once.
    """
    rng = np.random.default_rng(tuple(seed))
    order = rng.permutation(len(lengths))
    pools = [order[first : first + batch * _POOL] for first in range(0, len(order), batch * _POOL)]
    order = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
    plan = [order[first : first + batch] for first in range(0, len(order), batch)]
    return [plan[place] for place in rng.permutation(len(plan))]


def answer_loss(model: Any, batch: dict[str, Any]) -> "dict[str, Tensor]":
    """Cross entropy of the answers, with logits where there is an answer and nowhere else.

    Answers end in the last column of every row, so the logits of the last columns are all that is needed:
    over thousands of visual tokens and a vocabulary of 150,000 the rest would be most of a step's memory.
    The mean is over tokens, each by its weight where the batch has some; their sum is the weight that adds
    micro-batches up to one batch.
    """
    import torch
    from torch.nn import functional

    inputs = {name: value for name, value in batch.items() if name not in ("labels", "weights")}
    labels = batch["labels"]
    logits = model(**inputs, use_cache=False, logits_to_keep=labels.shape[1] + 1).logits[:, :-1]
    answered = labels != -100
    losses = functional.cross_entropy(logits[answered].float(), labels[answered], reduction="none")
    weights = batch["weights"][answered] if "weights" in batch else torch.ones_like(losses)
    return {"loss": (losses * weights).sum() / weights.sum(), "weight": weights.sum()}
