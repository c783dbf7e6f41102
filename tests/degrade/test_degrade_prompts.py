"""The batteries: numbers, both languages, answers that judge, the picture and its information units."""

from collections import Counter

import numpy as np
import pytest

from nbhelpers.degrade import config_names, draw_kitchen, get_config
from nbhelpers.errors import BadInput
from nbhelpers.metrics.text import exact_match, units_recalled

SIZES = {"dreams_it": 38, "iq_it": 65, "cookie_theft_it": 20, "drawn_it": 32}


@pytest.mark.parametrize("name", SIZES)
def test_every_prompt_is_there_once_in_both_languages(name):
    config = get_config(name)
    assert len(config.prompts) == SIZES[name]
    for language in ("en", "it"):
        texts = [prompt.text[language] for prompt in config.prompts]
        assert all(texts)
        if config.kind != "tell" or name == "dreams_it":
            assert len(set(texts)) == len(texts)
        assert sum(len(text.split()) for text in config.reference[language]) > 60
    assert all(prompt.text["en"] != prompt.text["it"] for prompt in config.prompts)


def test_the_built_in_ones_are_listed():
    assert config_names() == sorted(SIZES)


def test_tasks_of_seven_kinds_whose_own_answers_are_right():
    config = get_config("iq_it")
    kinds = Counter(prompt.category for prompt in config.prompts)
    assert set(kinds) == {
        "arithmetic", "analogy", "sequence", "similarity", "vocabulary", "span", "comprehension",
    }  # fmt: skip
    assert min(kinds.values()) >= 8
    for prompt in config.prompts:
        for language, answers in prompt.answers.items():
            assert all(exact_match(answer, answers, language) for answer in answers)
            assert not exact_match(prompt.text[language], answers, language)


def test_answers_to_sums_and_spans_follow_from_the_questions():
    tasks = {prompt.name: prompt for prompt in get_config("iq_it").prompts}
    assert tasks["arithmetic-01"].answers["en"] == (str(17 + 26),)
    assert tasks["arithmetic-08"].answers["it"] == (str(200 * 15 // 100),)
    for name, task in tasks.items():
        if name.startswith("span"):
            digits = task.text["en"].split(": ")[1].split()
            backwards = "backwards" in task.text["en"]
            assert task.answers["en"][0].split() == (digits[::-1] if backwards else digits)


def test_a_full_description_recalls_every_unit_and_another_text_none():
    config = get_config("cookie_theft_it")
    units = config.prompts[0].units
    assert len(units) == 29
    assert {unit.kind for unit in units} == {"person", "place", "object", "event"}
    for language in ("en", "it"):
        assert units_recalled(config.reference[language][0], units, language) == [unit.name for unit in units]
        dream = " ".join(get_config("drawn_it").reference[language][:1])
        assert len(units_recalled(dream, units, language)) <= 1
    some = units_recalled("A man is on the phone while the pot boils over and the cat watches.", units)
    assert some == ["man", "pot", "phone", "cat", "pot boils over"]


def test_the_kitchen_is_drawn_the_same_every_time():
    picture = draw_kitchen()
    assert picture.shape == (576, 768, 3)
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, draw_kitchen())
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 500
    config = get_config("cookie_theft_it")
    assert np.array_equal(config.picture(config.prompts[7]), picture)


def test_pictures_of_the_drawn_world_show_what_their_answers_say():
    config = get_config("drawn_it")
    shown = [prompt for prompt in config.prompts if prompt.image]
    assert len(shown) == 24
    assert all(config.picture(prompt).shape == (64, 64, 3) for prompt in shown)
    for prompt in shown:
        if prompt.category == "describe":
            for language in ("en", "it"):
                names = [unit.name for unit in prompt.units]
                assert units_recalled(prompt.answers[language][0], prompt.units, language) == names


def test_some_prompts_are_spread_over_all():
    config = get_config("iq_it")
    assert config.some(None) == config.some(100) == config.prompts
    few = config.some(7)
    assert len(few) == 7
    assert len({prompt.category for prompt in few}) >= 5


GOOD = "kind: tell\nreference: {en: [A text.]}\nprompts: [{id: a, en: Tell.}]\n"


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    config = get_config(path)
    assert (config.name, config.new_tokens, config.prompts[0].text) == ("mine", 200, {"en": "Tell."})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("kind: song", "needs `kind`"),
        ("- a", "needs `kind`"),
        ("kind: tell\nprompts: []", "needs `prompts`"),
        (GOOD.replace("id: a, ", ""), "needs an `id`"),
        (GOOD.replace("en: Tell.", "fr: Dis."), "prompt 'a' has no text under en or it"),
        (
            GOOD.replace("[{id: a, en: Tell.}]", "[{id: a, en: Tell.}, {id: a, en: More.}]"),
            "'a' is there twice",
        ),
        (GOOD.replace("kind: tell", "kind: tasks"), "task 'a' lacks answers in en"),
        (GOOD.replace("{en: [A text.]}", "{en: []}"), "`reference`: each language needs a list"),
        (GOOD + "units: {x: {en: [a]}}\n", "unit 'x' needs patterns in en and it"),
        ("a: [", "is not YAML"),
    ],
)
def test_files_that_lack_something(tmp_path, content, message):
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(BadInput, match=message):
        get_config(path)


def test_unknown_names_and_pictures(tmp_path):
    with pytest.raises(BadInput, match="the built-in ones are cookie_theft_it"):
        get_config("dreams")
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace("en: Tell.", "en: Tell., image: none.png"))
    config = get_config(path)
    with pytest.raises(BadInput, match=r"'none\.png' of .* cannot be read"):
        config.picture(config.prompts[0])
