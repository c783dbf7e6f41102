"""How common the words of a text are in the language."""

from collections.abc import Sequence

from nbhelpers.metrics.text.lexicon import lexicon
from nbhelpers.metrics.text.tokens import check_language


def log_word_frequency(words: Sequence[str], language: str = "en") -> float | None:
    """Mean Zipf frequency of the content words: log10 of occurrences per thousand million words.

    From 1 (very rare) to 7 (the most common); Zipf scale of van Heuven et al. (2014), frequencies of
    `wordfreq` (Speer 2022), offline. A word it does not know counts 0. Numbers are left out.

    Args:
        words: of the text, in lower case.
        language: `en` or `it`.

    Returns:
        None without content words.
    """
    from wordfreq import zipf_frequency

    function_words = lexicon(language).function_words
    content = [word for word in words if word not in function_words and word[0].isalpha()]
    if not content:
        return None
    return sum(zipf_frequency(word, language) for word in content) / len(content)


def known_words(words: Sequence[str], language: str = "en") -> float | None:
    """Share of the words that are words of the language at all (`wordfreq` knows them), numbers left out.

    What a broken model writes are often no words: this falls from 1 when it does. None without words.
    """
    from wordfreq import zipf_frequency

    check_language(language)
    spelled = [word for word in words if word[0].isalpha()]
    if not spelled:
        return None
    return sum(zipf_frequency(word, language) > 0 for word in spelled) / len(spelled)
