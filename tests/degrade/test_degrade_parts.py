"""Parts of the experiment: the grid, batches, memory that runs out, broken logits, begin tokens."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from small_study import TINY, run, settings

from nbhelpers.degrade import generation, load_subject
from nbhelpers.degrade.chat import Asked, chat_inputs, check_begin, tokenizer_of
from nbhelpers.degrade.experiment import Study
from nbhelpers.degrade.generation import Decoding, FiniteGuard, Written, halved
from nbhelpers.degrade.plan import Cell, grid, levels_of
from nbhelpers.degrade.prompts import get_config
from nbhelpers.degrade.results import read_results
from nbhelpers.degrade.sizing import allowed, dry_needs, layout
from nbhelpers.degrade.unpack import packed_names
from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.memory import Budget
from nbhelpers.models import NothingFits, chain
from nbhelpers.settings import load_settings


def test_the_grid_has_a_baseline_shams_and_every_level_repeat_by_repeat():
    cells = grid(settings())
    assert [cell.name for cell in cells] == [
        "baseline",
        "mult_gauss/attn_only/0/0", "ablation/attn_only/0/0", "norm_matched/attn_only/0/0",
        "mult_gauss/attn_only/0.8/0", "ablation/attn_only/0.4/0", "norm_matched/attn_only/0.8/0",
        "mult_gauss/attn_only/0.8/1", "ablation/attn_only/0.4/1", "norm_matched/attn_only/0.8/1",
    ]  # fmt: skip
    assert cells[0] == Cell()
    # A second draw of what draws nothing would be the first again.
    quantised = grid(settings(methods=("uni_quant",), levels={"uni_quant": {"default": (8, 4)}}, controls=()))
    assert [cell.name for cell in quantised[2:]] == ["uni_quant/attn_only/8/0", "uni_quant/attn_only/4/0"]


def test_levels_of_a_group_with_layers_are_those_of_the_group():
    found = settings(levels={"ablation": {"mlp_only": (0.1,), "mlp_only@3": (0.9,), "default": (0.5,)}})
    groups = ("mlp_only", "mlp_only@3", "mlp_only@1-2", "attn_only#0", "text.norm")
    assert [levels_of(found, "ablation", group)[0] for group in groups] == [0.1, 0.9, 0.1, 0.5, 0.5]


def test_where_memory_runs_out_a_batch_is_written_in_halves(loaded, tmp_path, monkeypatch):
    plain, sizes = generation._write, []

    def short(model, asked, decoding, seed):
        sizes.append(len(asked))
        if len(asked) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return plain(model, asked, decoding, seed)

    monkeypatch.setattr(generation, "_write", short)
    assert run(tmp_path, loaded, **TINY, languages=("en", "it")).state == "done"
    assert max(sizes) == 2
    texts = read_results(tmp_path).texts
    assert len(texts) == 3 * 4
    assert all(text["rows"] == 1 for text in texts)


def test_memory_that_runs_out_for_one_prompt_is_an_error_and_other_errors_are_not_memory():
    def never(part):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 GB")

    with pytest.raises(CheckFailed, match="for one prompt alone"):
        halved(never, [1, 2, 3])

    def broken(part):
        raise RuntimeError("size mismatch")

    with pytest.raises(RuntimeError, match="size mismatch"):
        halved(broken, [1, 2])
    tried = []

    def fits_one(part):
        tried.append(len(part))
        if len(part) > 1:
            raise MemoryError
        return [Written(str(part[0]), 1, True, None, 1)]

    assert [one.text for one in halved(fits_one, [1, 2, 3])] == ["1", "2", "3"]
    assert tried == [3, 1, 2, 1, 1]


def asked_of(kinds):
    picture = np.zeros((2, 2, 3), np.uint8)
    return [Asked(i, str(i), "en", "x", 8, picture if kind == "p" else None) for i, kind in enumerate(kinds)]


def test_batches_shrink_as_prompts_grow_and_never_mix_kinds():
    asked, probed = asked_of("tttttpp"), []

    def needed(count, tokens, kind):
        probed.append((count, tokens))
        return count * tokens

    found = layout(asked, [10, 10, 10, 10, 40, 10, 10], 4, needed, 50)
    assert [(b.first, b.count, b.tokens) for b in found] == [(0, 4, 10), (4, 1, 40), (5, 2, 10)]
    found = layout(asked, [10, 40, 10, 10, 10, 10, 10], 4, needed, 50)
    assert [(b.first, b.count) for b in found] == [(0, 1), (1, 1), (2, 3), (5, 2)]
    assert all(b.predicted_bytes <= 50 for b in found)
    with pytest.raises(BadInput, match="prompt '1' of 60 tokens"):
        layout(asked, [10, 60, 10, 10, 10, 10, 10], 4, needed, 50)


def test_a_dry_run_says_what_a_batch_needs(loaded):
    needed = dry_needs(loaded)
    few, many = needed(1, 20, (False, 64)), needed(32, 20, (False, 64))
    weights = sum(p.numel() * p.element_size() for p in loaded.model.parameters())
    assert weights < few < many
    assert needed(1, 20, (True, 64)) > few
    assert allowed(loaded, Budget(1000, "as asked")) == 900
    assert allowed(loaded) > weights


@pytest.mark.parametrize("sampled", [False, True])
def test_logits_that_are_no_numbers_end_a_text_and_are_recorded(twin, tmp_path, sampled):
    """A broken model must not look like one that has nothing to say."""
    twin.model.model.language_model.norm.weight.data[3] = float("nan")
    run(tmp_path, twin, **TINY, temperature=0.7 if sampled else 0.0)
    found = read_results(tmp_path)
    assert all(text["non_finite_at"] == 0 and not text["finished"] for text in found.texts)
    assert all(text["own_perplexity"] is None for text in found.texts)
    assert found.baseline()["reference"]["en"]["finite"] is False
    assert found.baseline()["reference"]["en"]["perplexity"] is None
    assert found.summary()["rows"][0]["broken"] == 1


def test_one_broken_row_does_not_touch_the_others():
    guard = FiniteGuard(end=1, start=5)
    scores = torch.tensor([[0.1, 0.2, 0.3], [0.1, float("nan"), 0.3], [0.1, 0.2, float("-inf")]])
    after = guard(torch.zeros(3, 7, dtype=torch.int64), scores.clone())
    assert torch.equal(after[0], scores[0])
    assert after[1:].argmax(dim=1).tolist() == [1, 1]
    assert guard.first == {1: 2, 2: 2}


def test_drawn_texts_depend_on_the_seed_alone(loaded, tmp_path):
    texts = []
    for place, seed in enumerate((0, 0, 1)):
        torch.manual_seed(place)
        run(tmp_path / str(place), loaded, **TINY, temperature=1.5, seed=seed)
        texts.append([text["text"] for text in read_results(tmp_path / str(place)).texts])
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]
    assert texts[0][:2] == texts[0][2:4]  # the sham draws what the baseline drew


def test_settings_a_model_comes_with_do_not_touch_the_texts(loaded):
    """Published models ask for sampling and penalties; in a lesion study they would hide the damage."""
    asked = Study(get_config("drawn_it"), settings(), Path()).asked()[:2]
    plain = generation.write(loaded, asked, Decoding(), 0)
    own = loaded.model.generation_config
    loaded.model.generation_config = deepcopy(own)
    loaded.model.generation_config.update(
        do_sample=True,
        temperature=0.7,
        top_k=3,
        repetition_penalty=3.0,
        no_repeat_ngram_size=2,
        min_new_tokens=70,
    )
    kept = loaded.model.generation_config
    try:
        assert generation.write(loaded, asked, Decoding(), 0) == plain
        assert loaded.model.generation_config is kept
    finally:
        loaded.model.generation_config = own


def test_begin_tokens_are_counted(loaded, coder):
    tokenizer, ones = tokenizer_of(loaded), torch.ones(1, 3, dtype=torch.int64)
    check_begin(tokenizer, torch.tensor([[2, 9, 9]]), ones)
    check_begin(tokenizer, torch.tensor([[0, 2, 9]]), torch.tensor([[0, 1, 1]]))
    for bad, count in ((torch.tensor([[2, 2, 9]]), 2), (torch.tensor([[9, 9, 9]]), 0)):
        with pytest.raises(CheckFailed, match=f"has {count} begin tokens"):
            check_begin(tokenizer, bad, ones)
    check_begin(tokenizer_of(coder), torch.tensor([[9, 9, 9]]), ones)  # a vocabulary without one


def test_prompts_go_through_the_familys_template_with_their_pictures(loaded, coder):
    asked = Study(get_config("drawn_it"), settings(), Path()).asked()
    assert [one.image is not None for one in asked] == [False] * 8 + [True] * 24
    text, picture = chat_inputs(loaded, asked[:2]), chat_inputs(loaded, asked[-2:])
    assert "pixel_values" not in text
    assert picture["pixel_values"].shape == (2, 3, 64, 64)
    assert int(picture["token_type_ids"].sum()) == 2 * 16
    shown = tokenizer_of(coder).decode(chat_inputs(coder, asked[:1])["input_ids"][0])
    assert asked[0].text in shown
    assert shown.endswith("assistant\n")


def test_the_profiles_chain_is_tried_and_every_refusal_is_said():
    own = load_settings("cpu").degrade
    assert chain("degrade", "cpu", own.model) == ["tiny/gemma-3"]
    assert chain("degrade", "t4", own.model)[:2] == ["gemma-3-4b", "qwen3-vl-2b"]
    said = []
    blind = settings(model="tiny/qwen2.5-coder")
    with pytest.raises(NothingFits, match="takes no pictures"):
        load_subject(blind, profile="cpu", device="cpu", pictures=True, say=said.append)
    assert said == ["tiny/qwen2.5-coder is left: takes no pictures"]


def test_packed_weights_are_unpacked_when_asked(tmp_path):
    said = []
    asked = settings(quantize="nf4", unpack=True)
    found = load_subject(asked, profile="cpu", device="cpu", say=said.append)
    assert said[-1] == "28 packed tensors were unpacked to float32"
    assert packed_names(found.model) == []
    assert run(tmp_path, found, **TINY).state == "done"
    packed = load_subject(settings(quantize="nf4"), profile="cpu", device="cpu", say=said.append)
    with pytest.raises(BadInput, match=r"q_proj\.weight: is packed \(nf4\).*degrade\.unpack"):
        run(tmp_path / "packed", packed, **TINY)
