"""Whether a short answer is the right one."""

import re
import string
import unicodedata
from collections.abc import Sequence

_ARTICLES = {
    "en": re.compile(r"\b(a|an|the)\b"),
    "it": re.compile(r"\b(il|lo|la|i|gli|le|un|uno|una)\b|\b(l|un)(?=['\u2019])"),
}
# Not the signs of numbers: "-3" and "2.5" are not "3" and "25".
_PUNCTUATION = re.compile(
    "["
    + re.escape("".join(set(string.punctuation) - set("-.,+")) + "\u2019\u201c\u201d\u00ab\u00bb\u2026")
    + "]"
)
_LOOSE = re.compile(r"(?<!\d)[.,](?!\d)|[.,](?!\d)|(?<!\d)[.,](?=\d)|-(?!\d)|\+")


def normalise_answer(text: str, language: str = "en") -> str:
    """Lower case, no articles, no punctuation, single spaces (after Rajpurkar et al. 2016), NFC.

    Signs and separators of numbers stay.
    """
    plain = unicodedata.normalize("NFC", text).lower()
    plain = _ARTICLES[language].sub(" ", plain)
    plain = _LOOSE.sub(" ", _PUNCTUATION.sub(" ", plain))
    return " ".join(plain.split())


def exact_match(text: str, answers: Sequence[str], language: str = "en") -> bool:
    """Whether a text is one of the answers and nothing else, both normalised."""
    said = normalise_answer(text, language)
    return any(said == normalise_answer(answer, language) for answer in answers)


def contains_answer(text: str, answers: Sequence[str], language: str = "en") -> bool:
    """Whether the first line of a text holds one of the answers as whole words.

    For models that answer in a sentence; the more a text says, the easier it is met.
    """
    lines = text.strip().splitlines()
    said = f" {normalise_answer(lines[0], language)} " if lines else ""
    return any(f" {normalise_answer(answer, language)} " in said for answer in answers)
