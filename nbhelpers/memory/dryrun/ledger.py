"""What was allocated and freed while something ran, storage by storage and in order."""

import itertools
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch


class Label(NamedTuple):
    """What a storage holds, as far as it is known: read when consumers are named, changed when more is known.

    Attributes:
        kind: `activation`, `weight`, `gradient`, `optimizer`, `input`, `cache`.
        where: module or parameter path it belongs to; empty where none.
        shape: of the tensor that made the storage.
        dtype: its element type, such as `float16`.
        phase: phase in which it was made.
    """

    kind: str
    where: str
    shape: tuple[int, ...] = ()
    dtype: str = ""
    phase: str = ""


@dataclass
class Ledger:
    """Events in order; storage numbers count from 1.

    Attributes:
        events: a storage number when it appears, its negative when it goes.
        sizes: bytes by storage number.
        labels: what each storage holds.
        phases: (index into `events`, name), in order.
    """

    events: list[int] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)
    labels: dict[int, Label] = field(default_factory=dict)
    phases: list[tuple[int, str]] = field(default_factory=list)
    _live: dict[int, tuple[int, Any]] = field(default_factory=dict, repr=False)
    _numbers: Any = field(default_factory=lambda: itertools.count(1), repr=False)

    def begin(self, phase: str) -> None:
        """From here on events belong to `phase`."""
        self.phases.append((len(self.events), phase))

    @property
    def phase(self) -> str:
        """The phase under way."""
        return self.phases[-1][1] if self.phases else ""

    def add(self, tensor: "torch.Tensor", kind: str, where: str) -> None:
        """Enter a tensor's storage unless it is known; it leaves by itself when its last owner does."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._live:
            return
        number = next(self._numbers)
        self.sizes[number] = storage.nbytes()
        dtype = str(tensor.dtype).removeprefix("torch.")
        self.labels[number] = Label(kind, where, tuple(tensor.shape), dtype, self.phase)
        self.events.append(number)
        self._live[key] = (number, weakref.ref(storage, self._leaver(key, number)))

    def _leaver(self, key: int, number: int) -> Callable[[object], None]:
        def leave(_: object) -> None:
            del self._live[key]
            self.events.append(-number)

        return leave

    def rename(self, tensor: "torch.Tensor", kind: str, where: str) -> None:
        """Say what a storage turned out to hold (a gradient, a cache); tensors never entered are entered."""
        self.add(tensor, kind, where)
        number, _ = self._live[tensor.untyped_storage()._cdata]
        self.labels[number] = self.labels[number]._replace(kind=kind, where=where)

    def close(self) -> None:
        """Forget the storages, so that the model under trace can go without further events."""
        self._live.clear()
