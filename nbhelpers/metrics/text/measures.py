"""All measures of a text's language at once."""

from nbhelpers.metrics.text.diversity import brunet, honore, mattr, type_token_ratio
from nbhelpers.metrics.text.fluency import longest_run, mean_utterance_length, repetition
from nbhelpers.metrics.text.frequency import known_words, log_word_frequency
from nbhelpers.metrics.text.grammar import idea_density, pronoun_ratio
from nbhelpers.metrics.text.tokens import sentences, words

# Name -> what it says, for tables and axes.
MEASURES = {
    "words": "words",
    "type_token_ratio": "different words / words",
    "mattr": "moving-average type-token ratio",
    "honore": "Honoré's R",
    "brunet": "Brunet's W (lower is richer)",
    "mean_utterance_length": "words per sentence",
    "repetition": "share of word triples said before",
    "longest_run": "most times one word follows itself",
    "pronoun_ratio": "pronouns / words",
    "idea_density": "propositions / words (approximation)",
    "log_word_frequency": "mean Zipf frequency of content words",
    "known_words": "share of words that are words",
}


def measure_text(text: str, language: str = "en") -> dict[str, float | int | None]:
    """Every measure of `MEASURES`; None where a text is too short for one.

    Args:
        text: any, empty too.
        language: `en` or `it`.

    Raises:
        BadInput: another language.
    """
    said = words(text, language)
    return {
        "words": len(said),
        "type_token_ratio": type_token_ratio(said),
        "mattr": mattr(said),
        "honore": honore(said),
        "brunet": brunet(said),
        "mean_utterance_length": mean_utterance_length(sentences(text, language)),
        "repetition": repetition(said),
        "longest_run": longest_run(said),
        "pronoun_ratio": pronoun_ratio(said, language),
        "idea_density": idea_density(said, language),
        "log_word_frequency": log_word_frequency(said, language),
        "known_words": known_words(said, language),
    }
