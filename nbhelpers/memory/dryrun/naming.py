"""Names for what takes memory, in words a person can act on."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from nbhelpers.memory.dryrun.ledger import Label, Ledger

# What peft and quantised layers put into module names.
_WRAPPERS = re.compile(r"^base_model\.model\.|\.(base_layer|lora_\w+|default)(?=\.|$)")
_NUMBER = re.compile(r"\.\d+(?=\.|$)")


@dataclass(frozen=True)
class Consumer:
    """One kind of tensors and the bytes it holds at the peak."""

    name: str
    bytes: int


@dataclass
class Namer:
    """Names storages by what made them.

    Attributes:
        role_of: role of a parameter by its name, such as `text.mlp`; None names parameters by their path.
        vocabulary: size of the model's vocabulary; 0 where it has none.
        unpacked: shapes of weights that are packed and unpacked for a moment.
        paths: every module path below which parameters lie, with their roles; filled by `learn`.
    """

    role_of: Callable[[str], str] | None = None
    vocabulary: int = 0
    unpacked: frozenset[tuple[int, ...]] = frozenset()
    paths: dict[str, set[str]] = field(default_factory=dict)

    def learn(self, parameters: Iterable[str]) -> None:
        """Note which roles lie below each module."""
        for name in parameters:
            role = self._role(name)
            parts = name.split(".")
            for depth in range(len(parts)):
                self.paths.setdefault(".".join(parts[:depth]), set()).add(role)

    def _role(self, name: str) -> str:
        plain = _WRAPPERS.sub("", name)
        if self.role_of is not None:
            return self.role_of(plain)
        parts = _NUMBER.sub(".*", plain).split(".")
        last = max((i for i, part in enumerate(parts) if part == "*"), default=len(parts) - 3)
        return ".".join(parts[: max(1, min(last + 2, len(parts) - 1))])

    def module(self, path: str) -> str:
        """The role of a module; of one that holds several the part of the name they share."""
        roles = self.paths.get(path) or self.paths.get(path.rpartition(".")[0]) or set()
        if len(roles) == 1:
            return next(iter(roles))
        shared = {role.split(".")[0] for role in roles}
        return f"{next(iter(shared))} layers" if len(shared) == 1 else "the model"

    def name(self, label: Label, peak_phase: str) -> str:
        """What a storage is, seen from the moment of the peak."""
        if label.kind == "weight":
            what = "adapters on" if ".lora_" in label.where else "weights of"
            return f"{what} {self._role(label.where)}"
        fixed = {
            "gradient": "gradients of the trained weights",
            "optimizer": "optimizer states (AdamW)",
            "cache": "key-value cache",
            "input": f"input {label.where}",
        }
        return fixed.get(label.kind) or self._activation(label, peak_phase)

    def _activation(self, label: Label, peak_phase: str) -> str:
        if self.vocabulary and label.shape and label.shape[-1] == self.vocabulary:
            return self._logits(label)
        if label.shape in self.unpacked:
            return "packed weights, unpacked for one product"
        if label.phase == "optimizer":
            return "temporaries of the optimizer"
        if label.phase == "backward":
            again = f"activations of {self.module(label.where)}, computed again for the backward pass"
            return again if label.where else "gradients of activations"
        kept = "kept by" if peak_phase == "backward" else "of"
        return f"activations {kept} {self.module(label.where)}"

    def _logits(self, label: Label) -> str:
        if label.phase == "backward":
            return f"gradients of the logits ({label.dtype})"
        inside = label.where.rpartition(".")[2] in {"lm_head", "head", "output"}
        return f"logits ({label.dtype})" if inside else f"logits ({label.dtype} copies in the loss)"


def consumers(ledger: Ledger, live: Iterable[int], phase: str, namer: Namer) -> list[Consumer]:
    """Bytes by name over live storages, largest first."""
    held: Counter[str] = Counter()
    for number in live:
        held[namer.name(ledger.labels[number], phase)] += ledger.sizes[number]
    return [Consumer(name, size) for name, size in held.most_common()]
