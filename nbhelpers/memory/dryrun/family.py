"""What the dry run asks of a model family; `nbhelpers.models` has the records, tests may bring their own."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from nbhelpers.memory.shapes import Shapes
from nbhelpers.runtime.choice import Choice

if TYPE_CHECKING:
    from torch import nn

Patterns = Mapping[str, tuple[str, ...]]


class DryRunFamily(Protocol):
    """Classes, inputs, roles and number format of one model type."""

    @property
    def model_type(self) -> str:
        """As in `config.model_type`."""
        ...

    @property
    def inputs(self) -> frozenset[str]:
        """What the model takes, of `text`, `image`, `video`."""
        ...

    @property
    def attention(self) -> str:
        """The attention implementation the family is loaded with: `sdpa` or `eager`."""
        ...

    @property
    def roles(self) -> Patterns:
        """Role -> regular expressions that match whole parameter names."""
        ...

    @property
    def linears(self) -> Patterns:
        """Role -> regular expressions on names of linear modules that LoRA may wrap."""
        ...

    @property
    def lora_roles(self) -> tuple[str, ...]:
        """Roles adapted by default."""
        ...

    def meta_model(self, config: Any, dtype: str = "float32", attention: str | None = None) -> "nn.Module":
        """The model at full size on the meta device."""
        ...

    def example_inputs(
        self, config: Any, shapes: Shapes, labels: bool = False, device: str = "cpu"
    ) -> Mapping[str, Any]:
        """Keyword arguments of the forward; `device` is that of the pixels, index tensors are real."""
        ...

    def compute_dtype(
        self, device: str, wanted: str = "auto", capability: tuple[int, int] | None = None
    ) -> Choice:
        """`float32`, `float16` or `bfloat16` for a device, with the reason."""
        ...

    def check_task(self, task: str) -> None:
        """Refuse a task the family cannot do."""
        ...


def role_finder(family: DryRunFamily) -> Callable[[str], str]:
    """A function from parameter names to roles; what no pattern matches is `other`."""
    compiled = [
        (role, re.compile(pattern)) for role, patterns in family.roles.items() for pattern in patterns
    ]
    known: dict[str, str] = {}

    def find(name: str) -> str:
        if name not in known:
            known[name] = next((role for role, pattern in compiled if pattern.fullmatch(name)), "other")
        return known[name]

    return find
