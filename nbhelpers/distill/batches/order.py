"""Which picture comes when: every one in turn, or people's and teachers' labels in a stated share."""

import numpy as np
from numpy.typing import NDArray


class Order:
    """Picture numbers of a training, each a pure function of the seed and of what is asked.

    Without a share, input i shows picture i modulo n of the order drawn for epoch i // n. With one, inputs
    of images that people labelled and of images that teachers labelled take turns so that any stretch holds
    the share of either; each kind is gone through in orders of its own. Semi-supervised detectors are trained
    so (Liu et al. 2021, Unbiased Teacher, arXiv:2102.09480, half and half): few right labels are otherwise
    drowned by many doubtful ones.

    Args:
        by_people: (n,) bool, whether people labelled the picture.
        share: of inputs with people's labels, 0..1; None, or pictures of one kind alone, is no share.
        seed: of the orders.
    """

    def __init__(self, by_people: NDArray[np.bool_], share: float | None, seed: int) -> None:
        self.seed, self._count = seed, len(by_people)
        self._share = None if share is None or by_people.all() or not by_people.any() else share
        self._kinds = np.flatnonzero(by_people), np.flatnonzero(~by_people)
        self._drawn: dict[int, tuple[int, NDArray[np.int64]]] = {}

    def first(self, number: int) -> int:
        """The picture that input `number`, counted from 0 over the whole training, is made for."""
        if self._share is None:
            epoch, place = divmod(number, self._count)
            return int(self._permuted(-1, epoch, np.arange(self._count))[place])
        peoples, after = (int(np.floor(i * self._share + 1e-9)) for i in (number, number + 1))
        kind = 0 if after > peoples else 1
        turn = peoples if kind == 0 else number - peoples
        epoch, place = divmod(turn, len(self._kinds[kind]))
        return int(self._permuted(kind, epoch, self._kinds[kind])[place])

    def others(self, rng: np.random.Generator, count: int) -> list[int]:
        """Pictures to put beside it in a mosaic, of each kind as often as its share says."""
        if self._share is None:
            return [int(index) for index in rng.integers(self._count, size=count)]
        kinds = [self._kinds[0 if draw < self._share else 1] for draw in rng.random(count)]
        return [int(kind[rng.integers(len(kind))]) for kind in kinds]

    def _permuted(self, kind: int, epoch: int, pictures: NDArray[np.int64]) -> NDArray[np.int64]:
        known = self._drawn.get(kind)
        if known is None or known[0] != epoch:
            key = (self.seed, epoch) if kind < 0 else (self.seed, epoch, kind)
            known = epoch, pictures[np.random.default_rng(key).permutation(len(pictures))]
            self._drawn[kind] = known
        return known[1]
