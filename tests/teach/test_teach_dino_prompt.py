"""Prompts: what they say, what they refuse, which tokens belong to which class, when they are parted."""

import pytest
import torch

from nbhelpers.errors import BadInput
from nbhelpers.models.places import twin_folder
from nbhelpers.teach.grounding_dino import prompt_of
from nbhelpers.teach.grounding_dino.prompt import (
    check_class_names,
    fitting,
    phrase_lengths,
    phrase_tokens,
    prompts_for,
)


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(twin_folder("tiny/grounding-dino"), local_files_only=True).tokenizer


def test_prompts_are_lower_case_phrases_with_full_stops():
    assert prompt_of(["Box", "Pallet_Jack", "  hand   truck "]) == "box. pallet jack. hand truck."


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "at least one"),
        (["box", " "], "' '"),
        (["box", "_"], "'_'"),
        (["box. cone"], "without '.'"),
        (["box?"], "without '.'"),
        (["Pallet_Jack", "cone", "pallet jack"], "both 'pallet jack'"),
    ],
)
def test_names_no_prompt_can_hold_or_tell_apart_are_refused(names, said):
    with pytest.raises(BadInput, match=said):
        check_class_names(names)


def test_each_class_owns_the_tokens_of_its_phrase_also_where_names_share_words(tokenizer):
    names = ["pallet", "pallet_jack", "jack", "hand pallet jack"]
    ids = torch.tensor(tokenizer(prompt_of(names))["input_ids"])
    tokens = phrase_tokens(ids, 64)
    # [CLS] pallet . pallet jack . jack . hand pallet jack . [SEP]
    owned = [row.nonzero().flatten().tolist() for row in tokens]
    assert owned == [[1], [3, 4], [6], [8, 9, 10]]
    assert tokens.shape == (4, 64)


def test_a_word_of_several_pieces_is_one_phrase(tokenizer):
    ids = torch.tensor(tokenizer(prompt_of(["zebra", "cone"]))["input_ids"])
    assert phrase_tokens(ids, 64).sum(dim=1).tolist() == [5, 1]


def test_lengths_count_the_full_stop(tokenizer):
    assert phrase_lengths(["cone", "pallet_jack", "zebra"], tokenizer, 64) == [2, 3, 6]


def test_a_name_the_tokenizer_makes_nothing_of_is_refused(tokenizer):
    with pytest.raises(BadInput, match="finds no words"):
        phrase_lengths(["cone", "\u200b"], tokenizer, 64)


def test_a_name_longer_than_a_prompt_is_refused(tokenizer):
    with pytest.raises(BadInput, match="41 tokens long, a prompt holds 30"):
        phrase_lengths(["cone", " ".join(["box"] * 40)], tokenizer, 32)


def test_many_classes_are_parted_in_order_and_every_part_fits(tokenizer):
    names = [f"box {letter}" for letter in "abcdefghij"]  # 3 tokens each
    prompts = prompts_for(names, tokenizer, 14)  # room for four
    assert [prompt.classes for prompt in prompts] == [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9)]
    assert prompts[2].text == "box i. box j."
    assert all(len(tokenizer(prompt.text)["input_ids"]) <= 14 for prompt in prompts)
    (whole,) = prompts_for(names, tokenizer, 32)
    assert len(tokenizer(whole.text)["input_ids"]) == 32


def test_what_fits_is_taken_from_the_front():
    assert fitting([2, 0, 1], [2, 3, 4], 7) == [2]
    assert fitting([2, 0, 1], [2, 3, 4], 8) == [2, 0]
    assert fitting([2, 0, 1], [2, 3, 4], 11) == [2, 0, 1]
