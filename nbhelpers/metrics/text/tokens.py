"""Words and sentences of English and Italian texts, as all measures count them."""

import re
from typing import Literal

from nbhelpers.errors import BadInput

Language = Literal["en", "it"]
LANGUAGES = ("en", "it")

# Letters with apostrophes inside; numbers. In Italian an apostrophe ends a word: "l'acqua" is two.
_WORD = {
    "en": re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*|\d+(?:[.,]\d+)*"),
    "it": re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*"),
}
_SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$|[\"'”»)])|\n+")


def check_language(language: str) -> None:
    """Refuse a language whose words are not known here.

    Raises:
        BadInput: lists those that are.
    """
    if language not in LANGUAGES:
        raise BadInput(f"language {language!r}: texts are measured in {' or '.join(LANGUAGES)}")


def words(text: str, language: str = "en") -> list[str]:
    """The words of a text in lower case, numbers included, punctuation and symbols left out.

    Args:
        text: any.
        language: `en` or `it`.

    Raises:
        BadInput: another language.
    """
    check_language(language)
    return [word.lower().replace("\u2019", "'") for word in _WORD[language].findall(text)]


def sentences(text: str, language: str = "en") -> list[list[str]]:
    """The words of each sentence; it ends at . ! ? or a line break, and has at least one word."""
    pieces = (words(piece, language) for piece in _SENTENCE_END.split(text))
    return [piece for piece in pieces if piece]
