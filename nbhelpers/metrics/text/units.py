"""What of a picture is told: information units recalled, and how few words that takes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from nbhelpers.errors import BadInput
from nbhelpers.metrics.text.tokens import words


@dataclass(frozen=True)
class InformationUnit:
    """One thing a picture shows.

    Attributes:
        name: such as `pot boils over`.
        kind: `person`, `place`, `object` or `event`, as Croisile et al. (1996) sort them.
        patterns: language -> regular expressions over the words of a text in lower case, joined by single
            spaces; any one found recalls the unit.
    """

    name: str
    kind: str
    patterns: Mapping[str, tuple[str, ...]]

    def recalled(self, text: str, language: str = "en") -> bool:
        """Whether a text tells of it.

        Raises:
            BadInput: the unit has no patterns in this language.
        """
        if language not in self.patterns:
            raise BadInput(f"information unit {self.name!r}: has no words in {language!r}")
        plain = " ".join(words(text, language))
        return any(_compiled(pattern).search(plain) for pattern in self.patterns[language])


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b")


def units_recalled(text: str, units: Sequence[InformationUnit], language: str = "en") -> list[str]:
    """Names of the units a text tells of, in their order; each counts once however often it is told."""
    return [unit.name for unit in units if unit.recalled(text, language)]


def efficiency(recalled: int, spoken: int) -> float | None:
    """Units per word. Yorkston & Beukelman (1980) take them per minute; a written text has no minutes.

    Args:
        recalled: number of units recalled.
        spoken: number of words of the text.

    Returns:
        None without words.
    """
    return recalled / spoken if spoken else None
