"""The words of still pictures in English and Italian, with articles and agreement."""

from collections.abc import Mapping

from nbhelpers.errors import BadInput

LANGUAGES = ("en", "it")

# Masculine and feminine; equal where the colour word does not change.
ITALIAN_COLORS: Mapping[str, tuple[str, str]] = {
    "red": ("rosso", "rossa"), "orange": ("arancione", "arancione"), "yellow": ("giallo", "gialla"),
    "green": ("verde", "verde"), "cyan": ("azzurro", "azzurra"), "blue": ("blu", "blu"),
    "purple": ("viola", "viola"), "white": ("bianco", "bianca"), "pink": ("rosa", "rosa"),
    "brown": ("marrone", "marrone"),
}  # fmt: skip
# Noun and whether it is feminine.
ITALIAN_KINDS: Mapping[str, tuple[str, bool]] = {
    "crate": ("cassa", True), "ball": ("palla", True), "cone": ("cono", False), "barrel": ("barile", False),
    "bag": ("sacco", False), "wheel": ("ruota", True), "bucket": ("secchio", False),
    "bottle": ("bottiglia", True),
}  # fmt: skip
PLACES: Mapping[str, Mapping[str, str]] = {
    "en": {"left": "on the left", "middle": "in the middle", "right": "on the right"},
    "it": {"left": "a sinistra", "middle": "al centro", "right": "a destra"},
}
RELATIONS: Mapping[str, Mapping[str, str]] = {
    "en": {"left": "left of", "right": "right of", "above": "above", "below": "below"},
    "it": {"left": "a sinistra di", "right": "a destra di", "above": "sopra", "below": "sotto"},
}


def check_language(language: str) -> None:
    """Refuse a language there are no words in.

    Raises:
        BadInput: lists those there are.
    """
    if language not in LANGUAGES:
        raise BadInput(f"language {language!r} of still pictures is not known; known: {', '.join(LANGUAGES)}")


def name(color: str, kind: str, language: str = "en") -> str:
    """Colour and kind without an article: "red crate", "cassa rossa"."""
    check_language(language)
    if language == "en":
        return f"{color} {kind}"
    noun, feminine = ITALIAN_KINDS[kind]
    return f"{noun} {ITALIAN_COLORS[color][feminine]}"


def with_article(color: str, kind: str, language: str = "en") -> str:
    """The same with the indefinite article: "an orange crate", "una cassa arancione"."""
    words = name(color, kind, language)
    if language == "en":
        return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
    return f"{'una' if ITALIAN_KINDS[kind][1] else 'un'} {words}"


def with_the(color: str, kind: str, language: str = "en") -> str:
    """The same with the definite article: "the red crate", "la cassa rossa"."""
    words = name(color, kind, language)
    if language == "en":
        return f"the {words}"
    return f"{'la' if ITALIAN_KINDS[kind][1] else 'il'} {words}"


def contract(text: str) -> str:
    """Italian "di il", "di la" as the one word they become."""
    return text.replace(" di il ", " del ").replace(" di la ", " della ")
