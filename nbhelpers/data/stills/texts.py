"""Short texts about the drawn world, from a grammar: stories and dreams in English and Italian.

They are coherent: who acts, what stands where and what is larger stay the same within a text, so that a
language model has something to hold on to over several sentences.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from nbhelpers.data.stills.words import RELATIONS, check_language, contract, with_article, with_the
from nbhelpers.data.stills.world import find_still_world

KINDS_OF_TEXT = ("story", "dream")
Rng = np.random.Generator

_PEOPLE = (("Anna", "she"), ("Marco", "he"), ("Lucia", "she"), ("Paul", "he"), ("Sara", "she"), ("Tom", "he"))
_PLACES = {
    "en": ("the warehouse", "the yard", "the kitchen", "the garden", "the old house", "the street"),
    "it": (
        "nel magazzino",
        "nel cortile",
        "nella cucina",
        "nel giardino",
        "nella vecchia casa",
        "nella strada",
    ),
}
_TIMES = {
    "en": ("in the morning", "at night", "in the evening", "after lunch"),
    "it": ("la mattina", "di notte", "la sera", "dopo pranzo"),
}
_FEELINGS = {
    "en": ("happy", "sad", "afraid", "calm", "tired", "surprised"),
    # The same for men and women.
    "it": ("felice", "triste", "in pace", "di buon umore", "senza paura", "senza parole"),
}
_STORY: Mapping[str, Sequence[Sequence[str]]] = {
    "en": (
        ("{who} goes to {where} {when}.", "{When}, {who} walks into {where}.", "{who} is in {where} {when}."),
        ("There {he} sees {a} and {b}.", "{He} finds {a} next to {b}.",
         "On the floor there are {a} and {b}."),
        ("{The_a} is {at} {the_b}.", "{The_a} stands {at} {the_b}."),
        ("{The_a} is larger than {the_b}.", "{The_b} is smaller than {the_a}."),
        ("{who} takes {the_b} and carries it home.", "{He} pushes {the_a} and leaves {the_b} there.",
         "{He} puts {the_b} down and looks at {the_a}."),
        ("In the end {who} is {feels}.", "Then {he} goes home, {feels}.", "{who} is {feels} and sleeps."),
    ),
    "it": (
        ("{who} va {where} {when}.", "{When}, {who} è {where}.", "{who} entra {where} {when}."),
        ("Vede {a} e {b}.", "Trova {a} vicino a {b}.", "Per terra ci sono {a} e {b}."),
        ("{The_a} è {at} {the_b}.", "{The_a} sta {at} {the_b}."),
        ("{The_a} è più grande di {the_b}.", "{The_b} occupa meno posto di {the_a}."),
        ("{who} prende {the_b} e torna a casa.", "Spinge {the_a} e lascia {the_b}.",
         "Posa {the_b} e guarda {the_a}."),
        ("Alla fine {who} è {feels}.", "Poi torna a casa, {feels}.", "{who} è {feels} e dorme."),
    ),
}  # fmt: skip
_DREAM: Mapping[str, Sequence[Sequence[str]]] = {
    "en": (
        ("I dreamt that I was in {where}.", "In my dream I was in {where} {when}.",
         "Last night I dreamt of {where}."),
        ("I saw {a} in the air.", "There was {a} in front of me.", "Somebody gave me {a}."),
        ("{The_a} spoke to me.", "{The_a} was as large as a house.", "{The_a} became {b}."),
        ("I was {feels}.", "I was {feels} and I ran away.", "I was {feels}, but I stayed."),
        ("Then {who} came with {b}.", "Then {who} took {the_a} away.", "Then I saw {who} {at} {the_a}."),
        ("At last I woke up.", "Then I woke up and it was morning.", "I do not remember the rest."),
    ),
    "it": (
        ("Ho sognato di essere {where}.", "Nel mio sogno ero {where} {when}.", "Questa notte ero {where}."),
        ("Ho visto {a} nell'aria.", "C'era {a} davanti a me.", "Qualcuno mi ha dato {a}."),
        ("{The_a} mi parlava.", "{The_a} era grande come una casa.", "{The_a} diventava {b}."),
        ("Ero {feels}.", "Ero {feels} e correvo.", "Ero {feels}, ma sono rimasta."),
        ("Poi {who} ha portato {b}.", "Poi {who} ha preso {the_a}.", "Poi ho visto {who} {at} {the_a}."),
        ("Alla fine mi sono svegliata.", "Poi mi sono svegliata ed era mattina.", "Non ricordo il resto."),
    ),
}  # fmt: skip
_REQUESTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "story": ("Tell me a story.", "Write a short story.", "Please tell a story.", "Tell a short story."),
        "dream": ("Tell me a dream.", "Describe a dream you had.", "What did you dream last night?",
                  "Please tell a dream."),
    },
    "it": {
        "story": ("Raccontami una storia.", "Scrivi una breve storia.", "Racconta una storia."),
        "dream": ("Raccontami un sogno.", "Descrivi un sogno.", "Che cosa hai sognato questa notte?",
                  "Racconta un sogno."),
    },
}  # fmt: skip


def draw_text(rng: Rng, kind: str = "story", language: str = "en", world: str = "base") -> str:
    """One text of five or six sentences on one line.

    Args:
        rng: what is told is drawn from it.
        kind: one of `KINDS_OF_TEXT`.
        language: "en" or "it".
        world: whose colours and kinds are spoken of, see `STILL_WORLDS`.

    Raises:
        BadInput: language or world is not known.
    """
    check_language(language)
    slots = _slots(rng, language, world)
    sentences = []
    for choices in {"story": _STORY, "dream": _DREAM}[kind][language]:
        sentences.append(str(rng.choice(np.array(choices, dtype=object))).format(**slots))
    if rng.random() < 0.5:
        del sentences[3]  # texts of two lengths: the end is not known by counting
    text = " ".join(sentences)
    return contract(text) if language == "it" else text


def request(rng: Rng, kind: str, language: str) -> str:
    """A wording in which a person asks for such a text."""
    choices = _REQUESTS[language][kind]
    return choices[int(rng.integers(len(choices)))]


def _pick(rng: Rng, items: Sequence[str]) -> str:
    return items[int(rng.integers(len(items)))]


def _slots(rng: Rng, language: str, world: str) -> dict[str, str]:
    found = find_still_world(world)
    first, second = ((_pick(rng, tuple(found.colors)), _pick(rng, found.kinds)) for _ in range(2))
    who, pronoun = _PEOPLE[int(rng.integers(len(_PEOPLE)))]
    when = _pick(rng, _TIMES[language])
    return {
        "who": who,
        "he": pronoun,
        "He": pronoun.capitalize(),
        "where": _pick(rng, _PLACES[language]),
        "when": when,
        "When": when.capitalize(),
        "feels": _pick(rng, _FEELINGS[language]),
        "a": with_article(*first, language),
        "b": with_article(*second, language),
        "the_a": with_the(*first, language),
        "the_b": with_the(*second, language),
        "The_a": with_the(*first, language).capitalize(),
        "The_b": with_the(*second, language).capitalize(),
        "at": _pick(rng, tuple(RELATIONS[language].values())),
    }
