"""Measures that need to know what kind a word is, from lists of closed classes instead of a tagger."""

from collections.abc import Sequence

from nbhelpers.metrics.text.lexicon import lexicon

_SHORTEST = 5  # letters of a word whose ending may tell its kind


def pronoun_ratio(words: Sequence[str], language: str = "en") -> float | None:
    """Pronouns (possessives and demonstratives included) per word, 0..1.

    Speech that loses its nouns fills with pronouns (Almor et al. 1999). From a list: "that" and Italian
    "che", "le", "lo" count as pronouns wherever they stand. None without words.
    """
    pronouns = lexicon(language).pronouns
    return sum(word in pronouns for word in words) / len(words) if words else None


def idea_density(words: Sequence[str], language: str = "en") -> float | None:
    """Propositions per word (Kintsch & Keenan 1973), approximated, 0..1.

    CPIDR (Brown et al. 2008) counts verbs, adjectives, adverbs, prepositions and conjunctions by a tagger.
    Here a word is one of these when it is in a list of common ones or has one of their endings, so rare
    irregular verbs and plain adjectives are missed and nouns such as "bed" may be taken in: compare texts
    among each other, not with published norms. None without words.
    """
    return sum(is_proposition(word, language) for word in words) / len(words) if words else None


def is_proposition(word: str, language: str = "en") -> bool:
    """Whether a word, in lower case, counts as a proposition in `idea_density`."""
    known = lexicon(language)
    if word in known.propositions or word in known.pronouns:
        return word in known.propositions
    return len(word) >= _SHORTEST and word.endswith(known.endings)
