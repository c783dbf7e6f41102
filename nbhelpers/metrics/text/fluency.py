"""How a text flows: length of its utterances, and how much of it was said before."""

from collections.abc import Sequence


def mean_utterance_length(sentences: Sequence[Sequence[str]]) -> float | None:
    """Words per utterance (Brown 1973, who counts morphemes); an utterance is a written sentence here.

    None without sentences.
    """
    return sum(map(len, sentences)) / len(sentences) if sentences else None


def repetition(words: Sequence[str], n: int = 3) -> float | None:
    """Share of word n-grams that occurred earlier in the text: 1 - distinct / all.

    This is 1 - distinct-n (Li et al. 2016), `rep-n` of Welleck et al. (2020).

    Args:
        words: of the text.
        n: words in an n-gram.

    Returns:
        0..1, or None for fewer than `n` words.
    """
    grams = [tuple(words[place : place + n]) for place in range(len(words) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else None


def longest_run(words: Sequence[str]) -> int:
    """Most times one word follows itself; 1 in ordinary text, 0 without words."""
    longest = run = 0
    for place, word in enumerate(words):
        run = run + 1 if place and word == words[place - 1] else 1
        longest = max(longest, run)
    return longest
