"""What every strategy is: something that writes a project for a request, or says why it does not."""

from dataclasses import dataclass
from typing import Literal, Protocol

from nbhelpers.codegen.project import Project
from nbhelpers.codegen.request import CodeRequest

Rung = Literal["local", "hosted", "template"]
Kind = Literal[
    "no_memory", "no_model", "no_token", "unauthorized", "payment_required", "rate_limited", "server_error",
    "timeout", "no_network", "bad_answer", "no_code", "off",
]  # fmt: skip
RETRIED: frozenset[Kind] = frozenset({"rate_limited", "server_error", "timeout", "no_network", "no_code"})
ORDERS: dict[str, tuple[Rung, ...]] = {
    "quality": ("local", "hosted", "template"),
    "safe": ("template", "local", "hosted"),
}


class Left(Exception):
    """A strategy that does not write this request.

    Attributes:
        kind: why, for programs.
        reason: why, for people.
        retry_after_s: when another try makes sense, where it was said.
    """

    def __init__(self, kind: Kind, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.kind: Kind = kind
        self.reason, self.retry_after_s = reason, retry_after_s


@dataclass(frozen=True)
class Identity:
    """Who writes: results of one identity, request and settings are the same.

    Attributes:
        name: of the model, or `templates`.
        revision: of its weights or sources.
        precision: number format and packing; empty where there is none to choose.
    """

    name: str
    revision: str
    precision: str = ""


@dataclass(frozen=True)
class Written:
    """What a strategy wrote.

    Attributes:
        project: the program.
        text: as it was written, before the program was taken out of it.
        tokens: how many were written; 0 where nothing counts them.
        identity: who wrote it.
        peak_bytes: memory above what was in use before; of a GPU where the model is on one.
    """

    project: Project
    text: str
    tokens: int
    identity: Identity
    peak_bytes: int = 0


class Writer(Protocol):
    """A strategy."""

    rung: Rung

    def write(self, request: CodeRequest, tries: int, findings: str, left_s: float) -> Written:
        """Write a program.

        Args:
            request: what is wanted.
            tries: how many were made before; 0 at first.
            findings: what the checks said of the try before; empty at first.
            left_s: seconds it may take.

        Raises:
            Left: it cannot, or not now.
        """

    def close(self) -> None:
        """Give back the memory it holds; it can be asked again."""


class TemplateWriter:
    """Writes from templates: the same every time, within milliseconds."""

    rung: Rung = "template"

    def write(self, request: CodeRequest, tries: int, findings: str, left_s: float) -> Written:
        """Fill the templates in; findings change nothing."""
        from nbhelpers.codegen.templates import render, revision
        from nbhelpers.memory import watch

        with watch(0.02) as seen:
            project = render(request)
        text = "\n".join(project.sources.values())
        return Written(project, text, 0, Identity("templates", revision()), seen.grown_bytes)

    def close(self) -> None:
        """Nothing is held."""
