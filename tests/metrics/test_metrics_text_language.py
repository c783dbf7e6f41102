"""Measures of texts against values worked out by hand."""

import math

import pytest

from nbhelpers.errors import BadInput
from nbhelpers.metrics import text as t

CAT = t.words("The cat sat on a mat. Then the cat sat by the")


def test_words_are_counted_alike_everywhere():
    assert t.words("Don't go, it\u2019s 3.5 km!") == ["don't", "go", "it's", "3.5", "km"]
    assert t.words("L'acqua dell\u2019orto: 12 litri", "it") == ["l", "acqua", "dell", "orto", "12", "litri"]
    assert t.words("... --- !") == []
    with pytest.raises(BadInput, match="measured in en or it"):
        t.words("Bonjour", "fr")


def test_sentences_end_at_stops_and_line_breaks():
    text = 'He said "Go!" Then\nnothing... It cost 2.50 euro? Yes'
    assert [len(sentence) for sentence in t.sentences(text)] == [3, 1, 1, 4, 1]
    assert t.sentences("!!! ...") == []


def test_type_token_ratio():
    assert t.type_token_ratio(t.words("a b a c")) == 3 / 4
    assert t.type_token_ratio([]) is None


def test_moving_average_type_token_ratio():
    # Windows of 3: a b a -> 2, b a c -> 3, a c c -> 2; mean (2 + 3 + 2) / 9.
    assert t.mattr(t.words("a b a c c"), 3) == pytest.approx(7 / 9)
    assert t.mattr(t.words("a b a"), 3) == pytest.approx(2 / 3)
    assert t.mattr(t.words("a b"), 3) is None


def test_mattr_equals_its_definition_on_a_longer_text():
    said = (CAT * 7)[:60]
    plain = [len(set(said[i : i + 25])) / 25 for i in range(len(said) - 24)]
    assert t.mattr(said) == pytest.approx(sum(plain) / len(plain))


def test_honore():
    # N = 4, V = 3 (a, b, c), V1 = 2 (b, c): 100 ln 4 / (1 - 2/3) = 300 ln 4.
    assert t.honore(t.words("a b a c")) == pytest.approx(300 * math.log(4))
    assert t.honore(t.words("a b c")) is None
    assert t.honore([]) is None


def test_brunet():
    # 16 words, 4 different: 16 ** (4 ** -0.165) = 16 ** 0.795536...
    assert t.brunet(["a", "b", "c", "d"] * 4) == pytest.approx(9.0762, abs=1e-3)
    # One word over and over: V = 1, so W = N.
    assert t.brunet(["a"] * 7) == 7
    assert t.brunet([]) is None


def test_mean_utterance_length():
    assert t.mean_utterance_length(t.sentences("I saw a dog. It ran. Why?")) == pytest.approx((4 + 2 + 1) / 3)
    assert t.mean_utterance_length([]) is None


def test_repetition():
    # Triples: abc bca cab abc bca -> 5, of which 3 are different.
    assert t.repetition(t.words("a b c a b c a")) == pytest.approx(2 / 5)
    assert t.repetition(t.words("a b c d")) == 0
    assert t.repetition(["no"] * 12) == pytest.approx(9 / 10)
    assert t.repetition(t.words("a b")) is None
    assert t.longest_run(t.words("a b b b a")) == 3
    assert t.longest_run([]) == 0
    assert t.longest_run(["a", "b"]) == 1


def test_pronoun_ratio():
    assert t.pronoun_ratio(t.words("She gave it to the dog.")) == 2 / 6
    assert t.pronoun_ratio(t.words("Lei mi ha dato il cane.", "it"), "it") == 2 / 6
    assert t.pronoun_ratio([]) is None


def test_idea_density():
    # small, quickly, sat, on, old: 5 of 9 words ("the", "cat", "the", "mat" are none).
    assert t.idea_density(t.words("The small cat quickly sat on the old mat")) == pytest.approx(5 / 9)
    # piccolo, dorme, tranquillamente, sul, vecchio: 5 of 8 ("il", "gatto", "tappeto" are none).
    italian = t.words("Il piccolo gatto dorme tranquillamente sul vecchio tappeto", "it")
    assert t.idea_density(italian, "it") == pytest.approx(5 / 8)
    assert t.idea_density([]) is None


def test_log_word_frequency_is_on_the_zipf_scale():
    from wordfreq import zipf_frequency

    two = (zipf_frequency("dog", "en") + zipf_frequency("telescope", "en")) / 2
    assert t.log_word_frequency(t.words("The dog and the telescope")) == pytest.approx(two)
    assert t.log_word_frequency(["water"]) > 5 > t.log_word_frequency(["telescope"]) > 3
    assert t.log_word_frequency(["qxzzyw"]) == 0
    assert t.log_word_frequency(t.words("il cane", "it"), "it") > 4
    assert t.log_word_frequency(t.words("the of and 12")) is None


def test_known_words():
    assert t.known_words(t.words("The dog qxzzyw 12 wvvkkz")) == 2 / 4
    assert t.known_words(["12"]) is None


UNITS = (
    t.InformationUnit(
        "pot boils over",
        "event",
        {"en": (r"(pot|water)( \w+){0,3} (boil\w*|overflow\w*)",), "it": ("bolle",)},
    ),
    t.InformationUnit("cat", "object", {"en": ("cats?", "kitten"), "it": ("gatt[oai]",)}),
)


def test_information_units_count_once_and_only_as_whole_words():
    assert t.units_recalled("A cat! The pot is now boiling over. Cat, cat.", UNITS) == [
        "pot boils over",
        "cat",
    ]
    assert t.units_recalled("A catalogue of potboilers", UNITS) == []
    assert t.units_recalled("Il gatto", UNITS, "it") == ["cat"]
    assert t.efficiency(3, 12) == 0.25
    assert t.efficiency(0, 0) is None
    with pytest.raises(BadInput, match="no words in 'en'"):
        t.units_recalled("a", [t.InformationUnit("x", "object", {"it": ("x",)})])


@pytest.mark.parametrize(
    ("said", "answers", "language", "exact", "contains"),
    [
        (" The Answer. ", ["answer"], "en", True, True),
        ("7", ["7", "seven"], "en", True, True),
        ("Seven!", ["7", "seven"], "en", True, True),
        ("It is 7.", ["7"], "en", False, True),
        ("17", ["7"], "en", False, False),
        ("-3", ["3"], "en", False, False),
        ("-3", ["-3"], "en", True, True),
        ("2.5", ["25"], "en", False, False),
        ("1 9 4", ["1 9 4"], "en", True, True),
        ("1, 9, 4", ["1 9 4"], "en", True, True),
        ("L'acqua", ["acqua"], "it", True, True),
        ("La risposta è: il cane.", ["cane"], "it", False, True),
        ("no\ncold", ["cold"], "en", False, False),
        ("", ["cold"], "en", False, False),
    ],
)
def test_answers(said, answers, language, exact, contains):
    assert t.exact_match(said, answers, language) == exact
    assert t.contains_answer(said, answers, language) == contains


def test_all_measures_at_once_and_of_nothing():
    found = t.measure_text("I dreamt of a house. I ran, and I ran, and I ran away from it.")
    assert set(found) == set(t.MEASURES)
    assert found["words"] == 16
    assert found["pronoun_ratio"] == pytest.approx(5 / 16)
    nothing = t.measure_text("")
    assert nothing["words"] == 0
    assert all(value is None for name, value in nothing.items() if name not in {"words", "longest_run"})
