"""Measures of language, each with its definition and source: perplexity, richness, fluency, content, answers.

Importing this brings no torch.
"""

from nbhelpers.metrics.text.diversity import brunet, honore, mattr, type_token_ratio
from nbhelpers.metrics.text.fluency import longest_run, mean_utterance_length, repetition
from nbhelpers.metrics.text.frequency import known_words, log_word_frequency
from nbhelpers.metrics.text.grammar import idea_density, pronoun_ratio
from nbhelpers.metrics.text.matching import contains_answer, exact_match, normalise_answer
from nbhelpers.metrics.text.measures import MEASURES, measure_text
from nbhelpers.metrics.text.perplexity import TextScore, rolling_windows, score_texts
from nbhelpers.metrics.text.tokens import sentences, words
from nbhelpers.metrics.text.units import InformationUnit, efficiency, units_recalled

__all__ = [
    "MEASURES",
    "measure_text",
    "words",
    "sentences",
    "type_token_ratio",
    "mattr",
    "honore",
    "brunet",
    "mean_utterance_length",
    "repetition",
    "longest_run",
    "pronoun_ratio",
    "idea_density",
    "log_word_frequency",
    "known_words",
    "InformationUnit",
    "units_recalled",
    "efficiency",
    "normalise_answer",
    "exact_match",
    "contains_answer",
    "TextScore",
    "rolling_windows",
    "score_texts",
]
