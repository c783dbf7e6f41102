import numpy as np
import pytest

from nbhelpers.data.stills import (
    KINDS_OF_TEXT,
    SKILLS,
    TASKS,
    caption,
    draw_skill,
    draw_text,
    phrasings,
    render_still,
)
from nbhelpers.data.stills.words import ITALIAN_COLORS, ITALIAN_KINDS, LANGUAGES, name, with_article, with_the
from nbhelpers.data.stills.world import STILL_WORLDS
from nbhelpers.errors import BadInput

ONE = (("orange", "ball"),)
TWO = (("red", "crate"), ("white", "cone"))


@pytest.mark.parametrize(
    ("objects", "place", "language", "sentence"),
    [
        (ONE, "middle", "en", "An orange ball is in the middle."),
        (ONE, "left", "it", "Una palla arancione è a sinistra."),
        (TWO, "above", "en", "A red crate is above a smaller white cone."),
        (TWO, "right", "it", "Una cassa rossa è a destra di un cono bianco più piccolo."),
        (TWO[::-1], "below", "it", "Un cono bianco è sotto una cassa rossa più piccola."),
    ],
)
def test_captions(objects, place, language, sentence):
    assert caption(objects, place, language) == sentence


def test_articles_and_agreement():
    assert with_article("orange", "bag") == "an orange bag"
    assert with_the("yellow", "wheel", "it") == "la ruota gialla"
    assert with_the("yellow", "barrel", "it") == "il barile giallo"


def test_every_word_of_every_world_has_its_italian():
    for world in STILL_WORLDS.values():
        assert set(world.colors) <= set(ITALIAN_COLORS)
        assert set(world.kinds) <= set(ITALIAN_KINDS)
    names = {name(color, kind, "it") for color in ITALIAN_COLORS for kind in ITALIAN_KINDS}
    assert len(names) == len(ITALIAN_COLORS) * len(ITALIAN_KINDS)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", TASKS)
def test_held_out_wordings_are_others_but_use_known_words(task, language):
    shown, held_out = phrasings(task, language), phrasings(task, language, held_out=True)
    assert held_out and len(set(shown)) == len(shown)
    assert not {text.lower() for text in shown} & {text.lower() for text in held_out}
    assert not any("{" in text for text in shown + held_out)
    known = {
        word.lower().strip("?.,")
        for task in TASKS
        for text in phrasings(task, language)
        for word in text.split()
    }
    unknown = {word.lower().strip("?.,") for text in held_out for word in text.split()} - known
    assert not unknown - {"and", "about", "it", "e"}


def test_wordings_of_two_tasks_never_coincide():
    for language in LANGUAGES:
        every = [
            text
            for task in TASKS
            for held in (False, True)
            for text in phrasings(task, language, held_out=held)
        ]
        assert len(set(every)) == len(every)


def test_a_still_answers_its_questions():
    for index in range(40):
        still = render_still(index)
        answers = {task: answer for task, _, answer in still.questions()}
        assert answers["larger"] == " ".join(still.names[0])
        assert answers["count"] == ("one", "two")[len(still.objects) - 1]
        assert answers["smaller"] == (" ".join(still.names[1]) if len(still.objects) == 2 else "nothing")
        assert answers["describe"] == still.captions["en"] == caption(still.names, still.place)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS_OF_TEXT)
def test_texts_are_whole_and_differ(kind, language):
    texts = [draw_text(np.random.default_rng(seed), kind, language) for seed in range(60)]
    assert len(set(texts)) == 60
    assert texts[0] == draw_text(np.random.default_rng(0), kind, language)
    assert all(5 <= text.count(".") <= 6 and "{" not in text for text in texts)
    assert not any(" di il " in text or " di la " in text for text in texts)


def test_a_story_keeps_to_its_objects():
    text = draw_text(np.random.default_rng(4), "story", "en")
    world = STILL_WORLDS["base"]
    told = {f"{color} {kind}" for color in world.colors for kind in world.kinds if f"{color} {kind}" in text}
    assert 1 <= len(told) <= 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_sums_and_sequences_are_right(language):
    rng = np.random.default_rng(0)
    for _ in range(50):
        question, answer = draw_skill(rng, "sum", language)
        first, second = (int(word.strip("?")) for word in question.split() if word.strip("?").isdigit())
        assert first + second == int(answer)
        question, answer = draw_skill(rng, "sequence", language)
        a, b, c = (int(word.strip("?")) for word in question.split() if word.strip("?").isdigit())
        assert int(answer) - c == c - b == b - a


@pytest.mark.parametrize("skill", SKILLS)
def test_skills_are_seeded_and_vary(skill):
    pairs = [draw_skill(np.random.default_rng(seed), skill) for seed in range(40)]
    assert pairs[7] == draw_skill(np.random.default_rng(7), skill)
    assert len(set(pairs)) > 15
    assert all(question[0] == question[0].upper() and answer for question, answer in pairs)


def test_an_unknown_language_is_refused():
    for call in (lambda: phrasings("larger", "de"), lambda: caption(ONE, "left", "de"),
                 lambda: draw_text(np.random.default_rng(0), "story", "de"),
                 lambda: draw_skill(np.random.default_rng(0), "sum", "de")):  # fmt: skip
        with pytest.raises(BadInput, match="de"):
            call()
