"""Words of closed classes and endings of open ones, from `lexicon.yaml`."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nbhelpers.metrics.text.tokens import check_language


@dataclass(frozen=True)
class Lexicon:
    """What is known of a language's words.

    Attributes:
        pronouns: possessives and demonstratives included.
        propositions: common prepositions, conjunctions, adverbs, adjectives, numbers and verbs.
        endings: of further verbs, adjectives and adverbs.
        function_words: words that say how, not what.
    """

    pronouns: frozenset[str]
    propositions: frozenset[str]
    endings: tuple[str, ...]
    function_words: frozenset[str]


@cache
def lexicon(language: str) -> Lexicon:
    """The words of a language.

    Raises:
        BadInput: none are known of it.
    """
    import yaml

    check_language(language)
    lists = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))[language]
    found = {name: frozenset(text.split()) for name, text in lists.items()}
    return Lexicon(
        found["pronouns"],
        found["relations"] | found["modifiers"] | found["verbs"],
        tuple(sorted(found["endings"])),
        found["pronouns"] | found["relations"] | found["articles_and_auxiliaries"],
    )
