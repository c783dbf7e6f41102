"""How rich a vocabulary is. N words (tokens), V different ones (types), V1 that occur once."""

import math
from collections import Counter
from collections.abc import Sequence

BRUNET_EXPONENT = 0.165
MATTR_WINDOW = 25


def type_token_ratio(words: Sequence[str]) -> float | None:
    """V / N (Templin 1957), 0..1; falls with the length of a text. None without words."""
    return len(set(words)) / len(words) if words else None


def mattr(words: Sequence[str], window: int = MATTR_WINDOW) -> float | None:
    """Moving-average type-token ratio (Covington & McFall 2010): the mean over all runs of `window` words.

    Does not depend on the length of the text, so a shorter text has none.

    Args:
        words: of the text.
        window: words in a run.

    Returns:
        0..1, or None for a text of fewer words.
    """
    if len(words) < window:
        return None
    counts = Counter(words[:window])
    total = len(counts)
    for place in range(window, len(words)):
        counts[words[place]] += 1
        leaving = words[place - window]
        counts[leaving] -= 1
        if not counts[leaving]:
            del counts[leaving]
        total += len(counts)
    return total / window / (len(words) - window + 1)


def honore(words: Sequence[str]) -> float | None:
    """Honoré's R = 100 ln N / (1 - V1 / V) (Honoré 1979): grows with the share of words used once.

    Returns:
        None without words, and where every word occurs once: R is not defined there.
    """
    counts = Counter(words)
    once = sum(count == 1 for count in counts.values())
    if not counts or once == len(counts):
        return None
    return 100 * math.log(len(words)) / (1 - once / len(counts))


def brunet(words: Sequence[str]) -> float | None:
    """Brunet's W = N ** (V ** -0.165) (Brunet 1978): lower is richer; texts lie between 10 and 20.

    None without words.
    """
    if not words:
        return None
    return float(len(words) ** (len(set(words)) ** -BRUNET_EXPONENT))
