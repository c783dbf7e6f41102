"""Questions about still pictures and their answers, in English and Italian, in many phrasings.

The phrasings are written as templates with slots. Some templates are held out: nothing trained on the others
has seen their wording, though it has seen their words.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import product

from nbhelpers.data.stills.words import PLACES, RELATIONS, check_language, name, with_article

TASKS = ("larger", "describe", "smaller", "count")
Objects = Sequence[tuple[str, str]]

_SLOTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "big": ("larger", "largest", "bigger", "biggest"),
        "small": ("smaller", "smallest"),
        "thing": ("object", "thing", "item"),
        "things": ("objects", "things", "items"),
        "picture": ("picture", "image", "photo", "scene"),
        "where": ("", " in the picture", " in this image", " in the photo", " here"),
        "please": ("", "Please "),
    },
    "it": {
        "big": ("più grande", "maggiore"),
        "small": ("più piccolo", "minore"),
        "picture": ("nell'immagine", "nella foto", "nella scena"),
        "where": ("", " nell'immagine", " nella foto", " in questa scena", " qui"),
    },
}
_TEMPLATES: Mapping[str, Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "en": {
        "larger": (
            (
                "What is the {big} {thing}{where}?",
                "{please}name the {big} {thing}{where}.",
                "Which {thing} is {big}{where}?",
                "{please}tell me the {big} {thing}{where}.",
                "{please}say what the {big} {thing} is.",
                "The {big} {thing}{where} is what?",
                "Look at the {picture}. What is the {big} {thing}?",
                "{please}give the colour and kind of the {big} {thing}.",
                "What do you see as the {big} {thing}{where}?",
                "{please}identify the {big} {thing}{where}.",
            ),
            (
                "Which is the {big} {thing} in the {picture}?",
                "{please}say the colour and kind of the {big} {thing}{where}.",
                "Look at the {picture} and name the {big} {thing}.",
                "In the {picture}, what is the {big} {thing}?",
            ),
        ),
        "describe": (
            (
                "{please}describe the {picture}.",
                "{please}describe this {picture} in a sentence.",
                "What do you see{where}?",
                "{please}tell me what is in the {picture}.",
                "{please}describe everything you see{where}.",
                "What is in this {picture}?",
                "{please}write a caption for the {picture}.",
                "Look at the {picture}. What is there?",
                "{please}write a sentence about this {picture}.",
            ),
            (
                "{please}describe what you see{where}.",
                "{please}tell me what you see{where}.",
                "Look at the {picture} and describe it.",
                "{please}write a caption about what is in the {picture}.",
            ),
        ),
        "smaller": (
            (
                "What is the {small} {thing}{where}?",
                "{please}name the {small} {thing}{where}.",
                "Which {thing} is {small}{where}?",
                "{please}tell me the {small} {thing}{where}.",
            ),
            ("{please}say what the {small} {thing} is.",),
        ),
        "count": (
            (
                "How many {things} are there{where}?",
                "{please}count the {things}{where}.",
                "How many {things} do you see{where}?",
            ),
            ("{please}tell me how many {things} there are.",),
        ),
    },
    "it": {
        "larger": (
            (
                "Qual è l'oggetto {big}{where}?",
                "Nomina l'oggetto {big}{where}.",
                "Quale oggetto è {big}{where}?",
                "Dimmi qual è l'oggetto {big}.",
                "Guarda {picture}. Qual è l'oggetto {big}?",
                "Che cos'è l'oggetto {big}{where}?",
            ),
            ("{picture}, qual è l'oggetto {big}?", "Guarda e nomina l'oggetto {big}{where}."),
        ),
        "describe": (
            (
                "Che cosa vedi{where}?",
                "Descrivi che cosa c'è {picture}.",
                "Dimmi che cosa c'è {picture}.",
                "Descrivi quello che vedi{where}.",
                "Scrivi una frase su che cosa vedi{where}.",
                "Guarda {picture}. Che cosa c'è?",
            ),
            ("Dimmi che cosa vedi{where}.", "Descrivi che cosa vedi{where}."),
        ),
        "smaller": (
            ("Qual è l'oggetto {small}{where}?", "Nomina l'oggetto {small}{where}."),
            ("Dimmi qual è l'oggetto {small}.",),
        ),
        "count": (
            ("Quanti oggetti ci sono{where}?", "Conta gli oggetti{where}."),
            ("Quanti oggetti vedi{where}?",),
        ),
    },
}
_COUNTS = {"en": ("one", "two"), "it": ("uno", "due")}
_NOTHING = {"en": "nothing", "it": "niente"}


@lru_cache(maxsize=64)
def phrasings(task: str, language: str = "en", *, held_out: bool = False) -> tuple[str, ...]:
    """Every wording of a question, in a fixed order without repeats.

    Args:
        task: one of `TASKS`.
        language: "en" or "it".
        held_out: the wordings kept apart for testing.

    Raises:
        BadInput: the language is not known.
    """
    check_language(language)
    found = [
        _capital(template.format(**dict(zip(_SLOTS[language], values, strict=True))))
        for template in _TEMPLATES[language][task][held_out]
        for values in product(*_values(template, language))
    ]
    return tuple(dict.fromkeys(found))


def _values(template: str, language: str) -> list[tuple[str, ...]]:
    """The fillings of each slot; one empty filling for slots that the template does not have."""
    slots = _SLOTS[language].items()
    return [fillings if f"{{{slot}}}" in template else ("",) for slot, fillings in slots]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def caption(objects: Objects, place: str, language: str = "en") -> str:
    """One sentence that names every object and where it is.

    Args:
        objects: (colour, kind) pairs, the larger first; one or two.
        place: as in `Still.place`.
        language: "en" or "it".
    """
    check_language(language)
    first = _capital(with_article(*objects[0], language))
    verb = {"en": "is", "it": "è"}[language]
    if len(objects) == 1:
        return f"{first} {verb} {PLACES[language][place]}."
    relation = RELATIONS[language][place]
    if language == "it":
        return f"{first} è {relation} {with_article(*objects[1], 'it')} più piccol{_ending(objects[1][1])}."
    return f"{first} is {relation} a smaller {name(*objects[1])}."


def _ending(kind: str) -> str:
    return "a" if with_article("red", kind, "it").startswith("una") else "o"


def answer(task: str, objects: Objects, place: str, language: str = "en") -> str:
    """The right answer to a question of `TASKS`; for `smaller` with a single object "nothing"."""
    check_language(language)
    if task == "describe":
        return caption(objects, place, language)
    if task == "count":
        return _COUNTS[language][len(objects) - 1]
    if task == "smaller":
        return name(*objects[1], language) if len(objects) == 2 else _NOTHING[language]
    return name(*objects[0], language)
