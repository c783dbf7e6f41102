"""A decision and the reason for it: everything that decides for the user returns one of these."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """What was chosen and, in one sentence for people, why."""

    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.value} ({self.reason})"
