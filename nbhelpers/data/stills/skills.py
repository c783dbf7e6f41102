"""Short tasks without a picture whose answers can be checked, in English and Italian."""

from collections.abc import Callable, Mapping

import numpy as np

from nbhelpers.data.stills.words import check_language, contract, with_the
from nbhelpers.data.stills.world import find_still_world

Rng = np.random.Generator
Pair = tuple[str, str]

_OPPOSITES = {
    "en": (
        ("big", "small"), ("hot", "cold"), ("day", "night"), ("up", "down"), ("left", "right"),
        ("old", "new"), ("open", "closed"), ("happy", "sad"), ("light", "dark"), ("above", "below"),
        ("full", "empty"), ("first", "last"),
    ),
    "it": (
        ("grande", "piccolo"), ("caldo", "freddo"), ("giorno", "notte"), ("su", "giù"),
        ("sinistra", "destra"), ("vecchio", "nuovo"), ("aperto", "chiuso"), ("felice", "triste"),
        ("chiaro", "scuro"), ("sopra", "sotto"), ("pieno", "vuoto"), ("primo", "ultimo"),
    ),
}  # fmt: skip
_ASK: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "sum": ("What is {0} + {1}?", "How much is {0} + {1}?", "{0} + {1} = ?"),
        "opposite": ("What is the opposite of {0}?", "Opposite of {0}?", "Say the opposite of {0}."),
        "sequence": ("What comes next: {0}?", "Continue: {0}", "Which number comes after {0}?"),
        "span": ("Repeat: {0}", "Repeat these numbers: {0}", "Say after me: {0}"),
        "compare": (
            "{0} is larger than {1}. Which is smaller?",
            "{1} is smaller than {0}. Which is smaller?",
        ),
    },
    "it": {
        "sum": ("Quanto fa {0} + {1}?", "Quanto è {0} + {1}?", "{0} + {1} = ?"),
        "opposite": ("Qual è il contrario di {0}?", "Contrario di {0}?", "Dimmi il contrario di {0}."),
        "sequence": ("Che numero viene dopo: {0}?", "Continua: {0}", "Quale numero viene dopo {0}?"),
        "span": ("Ripeti: {0}", "Ripeti questi numeri: {0}", "Ripeti dopo di me: {0}"),
        "compare": ("{0} è più grande di {1}. Che cosa è minore?", "{1} è minore di {0}. Che cosa è minore?"),
    },
}  # fmt: skip


def _sum(rng: Rng, language: str) -> tuple[tuple[str, ...], str]:
    first, second = (int(rng.integers(1, 10)) for _ in range(2))
    return (str(first), str(second)), str(first + second)


def _opposite(rng: Rng, language: str) -> tuple[tuple[str, ...], str]:
    pairs = _OPPOSITES[language]
    pair = pairs[int(rng.integers(len(pairs)))]
    turned = int(rng.integers(2))
    return (pair[turned],), pair[1 - turned]


def _sequence(rng: Rng, language: str) -> tuple[tuple[str, ...], str]:
    start, step = int(rng.integers(1, 10)), int(rng.integers(1, 4))
    shown = [start + step * place for place in range(4)]
    return (" ".join(map(str, shown[:3])),), str(shown[3])


def _span(rng: Rng, language: str) -> tuple[tuple[str, ...], str]:
    digits = " ".join(map(str, rng.integers(0, 10, int(rng.integers(3, 6)))))
    return (digits,), digits


def _compare(rng: Rng, language: str) -> tuple[tuple[str, ...], str]:
    world = find_still_world("base")
    colors, kinds = tuple(world.colors), world.kinds
    chosen = rng.choice(len(colors) * len(kinds), 2, replace=False)
    first, second = ((colors[int(n) % len(colors)], kinds[int(n) // len(colors)]) for n in chosen)
    names = with_the(*first, language), with_the(*second, language)
    return names, names[1]


_DRAW: Mapping[str, Callable[[Rng, str], tuple[tuple[str, ...], str]]] = {
    "sum": _sum,
    "opposite": _opposite,
    "sequence": _sequence,
    "span": _span,
    "compare": _compare,
}
SKILLS = tuple(_DRAW)


def draw_skill(rng: Rng, skill: str, language: str = "en") -> Pair:
    """One question and its answer.

    Args:
        rng: what is asked is drawn from it.
        skill: one of `SKILLS`: sums of two digits, opposites, number sequences, repeating digits,
            comparisons.
        language: "en" or "it".

    Raises:
        BadInput: the language is not known.
    """
    check_language(language)
    values, answer = _DRAW[skill](rng, language)
    asks = _ASK[language][skill]
    question = asks[int(rng.integers(len(asks)))].format(*values)
    question = question[0].upper() + question[1:]
    return contract(question) if language == "it" else question, answer
