"""What the generate endpoints take and answer."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Strategy = Literal["local", "hosted", "template"]


class Wanted(BaseModel):
    """A request for a program: in words, or as a structure."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field("", max_length=16_384, description="the request in words, or as YAML")
    spec: dict[str, Any] | None = Field(None, description="entities, operations and options instead of words")
    order: Literal["quality", "safe"] | None = Field(
        None, description="strategies; the server's own by default"
    )
    checks: Literal["full", "quick"] = Field("full", description="quick: read it, run nothing of it")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.text.strip()) == (self.spec is not None):
            raise ValueError("give either text or spec")
        return self


class Understood(BaseModel):
    """One part of the request as it was understood."""

    part: str
    value: str
    reason: str


class Check(BaseModel):
    """One rung of the ladder of checks."""

    name: str
    verdict: Literal["passed", "failed", "absent", "skipped"]
    reason: str
    seconds: float


class Tried(BaseModel):
    """One try of one strategy."""

    strategy: Strategy
    outcome: Literal["passed", "failed", "left"]
    reason: str
    model: str | None
    seconds: float


class Summary(BaseModel):
    """A generation without its files."""

    id: str
    created: str = Field(description="ISO 8601, UTC")
    framework: str
    strategy: Strategy | None = Field(description="whose program passed; none where no strategy's did")
    passed: bool
    cached: bool = Field(description="the same was asked before, and its result was kept")
    seconds: float


class Generated(Summary):
    """A generation."""

    understood: list[Understood]
    attempts: list[Tried]
    checks: list[Check]
    isolation: str = Field(description="what the program was kept from while it was checked")
    files: dict[str, str] = Field(description="the program; empty where none passed")
