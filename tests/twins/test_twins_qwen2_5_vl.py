"""The twin of Qwen2.5-VL: files, inputs against the stock processor, what it is told, what it learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nbhelpers.data.operations import (
    OPERATION_WORLDS,
    Answer,
    answer_of,
    ask,
    draw_clip,
    told_times,
    write_answer,
)
from nbhelpers.errors import CheckFailed
from nbhelpers.metrics.temporal import tiou
from nbhelpers.models import twin_folder
from nbhelpers.twins.qwen2_5_vl import recipe
from nbhelpers.twins.qwen2_5_vl.batches import CLIPS, BatchMaker, ClipPool, seen_answer
from nbhelpers.twins.qwen2_5_vl.evaluate import (
    BARS,
    NEW_TOKENS,
    Reply,
    floor_scores,
    load_twin,
    measure,
    score,
)
from nbhelpers.twins.qwen2_5_vl.floors import learn_floors
from nbhelpers.twins.qwen2_5_vl.model import build_model, build_processor
from nbhelpers.twins.qwen2_5_vl.taught import Taught, frame_labels, taught_loss
from nbhelpers.twins.qwen2_5_vl.text import conversation, model_inputs, question_of, video_metadata


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with recipe.one_thread():
        yield


@pytest.fixture(scope="module")
def processor():
    return build_processor()


@pytest.fixture(scope="module")
def model(processor):
    return build_model(processor.tokenizer, 0).eval()


@pytest.fixture(scope="module")
def clips():
    return [draw_clip(77, index) for index in range(6)]


@pytest.fixture(scope="module")
def maker(processor):
    return BatchMaker(ClipPool(5, 2 * CLIPS), processor, seed=0)


def test_the_model_is_small_and_of_the_real_class(model):
    assert type(model).__name__ == recipe.RECIPE.model_class
    count = sum(parameter.numel() for parameter in model.parameters())
    assert 1.0e6 < count < 1.25e6  # 4.7 MB in float32
    assert model.lm_head.weight is model.model.language_model.embed_tokens.weight


def test_tokenizer_gives_texts_back_and_has_room_for_any_answer(processor):
    names = {one.name for world in OPERATION_WORLDS.values() for one in world.all_operations}
    for name in names:
        text = write_answer(Answer(name, 1.2, 10.7, max(names, key=len)))
        ids = processor.tokenizer.encode(text, add_special_tokens=False)
        assert processor.tokenizer.decode(ids) == text
        assert len(ids) < NEW_TOKENS
    odd = "Größe: 3 µm\n\t{}"
    assert processor.tokenizer.decode(processor.tokenizer.encode(odd)) == odd


def test_special_tokens_are_single_and_the_configuration_knows_them(processor, model):
    tokenizer, config = processor.tokenizer, model.config
    assert tokenizer.encode("<|video_pad|>") == [config.video_token_id]
    assert tokenizer.encode("<|image_pad|>") == [config.image_token_id]
    assert tokenizer.encode("<|vision_start|>") == [config.vision_start_token_id]
    assert model.generation_config.eos_token_id == tokenizer.encode("<|im_end|>")[0]
    assert config.text_config.vocab_size == len(tokenizer)


def test_files_reload_through_the_auto_classes_with_equal_ids_and_logits(tmp_path, processor, model, clips):
    from transformers import AutoTokenizer

    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    assert not (tmp_path / "preprocessor_config.json").exists()
    again_model, again = load_twin(tmp_path)
    assert type(again).__name__ == "Qwen2_5_VLProcessor" and type(again_model) is type(model)
    ours, theirs = model_inputs(processor, clips[:2]), model_inputs(again, clips[:2])
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(torch.as_tensor(ours[key]), torch.as_tensor(theirs[key])) for key in ours)
    with torch.inference_mode():
        assert torch.equal(model(**ours).logits, again_model(**theirs).logits)
    text = question_of(clips[0])
    assert AutoTokenizer.from_pretrained(tmp_path).encode(text) == processor.tokenizer.encode(text)


def test_making_the_processor_leaves_the_classes_own_size_alone(processor):
    from transformers import Qwen2VLImageProcessor
    from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

    assert Qwen2VLVideoProcessor().size.shortest_edge == 128 * 28 * 28
    assert Qwen2VLImageProcessor().size.longest_edge > 84 * 84
    assert processor.video_processor.size.longest_edge == 84 * 84


def test_batches_are_what_the_stock_processor_gives(processor, maker, clips):
    stock = model_inputs(processor, clips)
    frames = np.stack([clip.pixels() for clip in clips]).astype(np.float32)
    ours = maker.assemble(clips, frames)
    assert (ours["pixel_values_videos"] - stock["pixel_values_videos"]).abs().max() < 1e-6
    assert torch.equal(ours["video_grid_thw"], stock["video_grid_thw"])
    assert torch.equal(ours["second_per_grid_ts"], torch.as_tensor(stock["second_per_grid_ts"]))
    for row, clip in enumerate(clips):
        asked = stock["input_ids"][row][stock["attention_mask"][row] > 0]
        assert torch.equal(ours["input_ids"][row][: len(asked)], asked)
        answer = ours["labels"][row][ours["labels"][row] != -100]
        assert processor.tokenizer.decode(answer) == write_answer(seen_answer(clip)) + "<|im_end|>"
        assert (ours["labels"][row] != -100).nonzero()[0] == len(asked)
        types = stock["mm_token_type_ids"][row][stock["attention_mask"][row] > 0]
        assert torch.equal(ours["mm_token_type_ids"][row][: len(asked)].long(), types.long())


def test_times_told_in_text_metadata_and_positions_are_the_true_ones(processor, model, clips):
    assert {clip.spacing_s for clip in clips} == {0.5, 1.0}
    for clip in clips:
        told = told_times(question_of(clip))
        metadata = video_metadata(clip)
        assert told == clip.times_s
        assert [index / metadata["fps"] for index in metadata["frames_indices"]] == pytest.approx(
            clip.times_s
        )
    inputs = model_inputs(processor, clips)
    kinds = {"video_grid_thw", "second_per_grid_ts", "attention_mask", "mm_token_type_ids", "input_ids"}
    positions, _ = model.model.get_rope_index(**{key: inputs[key] for key in kinds})
    for row, clip in enumerate(clips):
        temporal = positions[0, row][inputs["mm_token_type_ids"][row] == 2]
        seconds = (temporal - temporal[0]) / model.config.vision_config.tokens_per_second
        assert sorted(set(seconds.tolist())) == pytest.approx(list(clip.times_s[::2]))


def test_taught_times_are_as_near_to_the_true_ones_as_frames_can_tell():
    overlaps = []
    for clip in (draw_clip(12, index) for index in range(150)):
        true, seen = answer_of(clip), seen_answer(clip)
        assert (seen.operation, seen.next_operation) == (true.operation, true.next_operation)
        assert abs(seen.start_s - true.start_s) <= clip.spacing_s
        assert abs(seen.end_s - true.end_s) <= clip.spacing_s
        overlaps.append(tiou((seen.start_s, seen.end_s), (true.start_s, true.end_s)))
    assert np.mean(np.array(overlaps) >= 0.5) > 0.97


def test_a_spacing_the_family_would_truncate_is_refused(clips):
    with pytest.raises(CheckFailed, match="cannot express"):
        video_metadata(replace(clips[0], spacing_s=0.25))
    with pytest.raises(CheckFailed, match="cannot express"):
        video_metadata(replace(clips[0], spacing_s=0.75))


def test_chat_template_has_the_layout_of_the_family(processor):
    messages = conversation(ask([0.0, 0.5], 1.0), "clip", Answer("Picking", 0.0, 1.0, "Close Box"))
    text = processor.apply_chat_template(messages, tokenize=False)
    assert text.startswith("<|im_start|>user\n<|vision_start|><|video_pad|><|vision_end|>Frames at 0.0 0.5 s")
    assert text.endswith('"next_operation": "Close Box"}<|im_end|>\n')
    plain = [{"role": "user", "content": "Hello"}]
    expected = "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    assert processor.apply_chat_template(plain, tokenize=False, add_generation_prompt=True) == expected


def test_a_batch_is_a_function_of_its_number(processor, maker):
    other = BatchMaker(ClipPool(5, 2 * CLIPS), processor, seed=0)
    first, again = maker(3), other(3)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["pixel_values_videos"], maker(1)["pixel_values_videos"])
    epoch = torch.cat([maker(step)["input_ids"].sum(1) for step in (0, 1)])
    assert len(epoch) == 2 * CLIPS


def test_patches_by_matrix_product_are_the_same_sum(processor, maker):
    plain, quick = (build_model(processor.tokenizer, 3) for _ in range(2))
    Taught(quick, 8, seed=0)
    rows = maker(0)["pixel_values_videos"]
    expected = plain.model.visual.patch_embed(rows)
    assert torch.allclose(quick.model.visual.patch_embed(rows), expected, atol=1e-5)
    assert quick.state_dict().keys() == plain.state_dict().keys()


def test_loss_is_the_classes_own_and_the_head_s(processor, maker):
    twin = build_model(processor.tokenizer, 1)
    batch = maker(0)
    inputs = {name: value for name, value in batch.items() if name != "shown"}
    with torch.no_grad():
        expected = twin(**inputs).loss.item()
        parts = taught_loss(Taught(twin, 8, seed=0), batch, weight=0.5)
    assert parts["answer"].item() == pytest.approx(expected, abs=1e-5)
    assert parts["loss"].item() == pytest.approx(expected + 0.5 * parts["shown"].item(), abs=1e-5)
    assert parts["shown"].item() == pytest.approx(np.log(8), abs=1.0)


def test_the_head_is_the_same_for_the_same_seed_and_learns_what_each_frame_shows(processor, clips):
    first, again = (Taught(build_model(processor.tokenizer, 1), 8, seed=4).head.weight for _ in range(2))
    assert torch.equal(first, again)
    ids = [operation.id for operation in OPERATION_WORLDS["base"].operations]
    for clip in clips:
        names = [ids[label] for label in frame_labels(clip, ids)]
        for name, time in zip(names, clip.times_s, strict=True):
            moment = clip.offset_s + time
            shown = [one for one in clip.timeline.segments if one.start_s <= moment < one.end_s]
            assert [one.operation.id for one in shown] == [name]


@pytest.mark.slow
def test_a_short_training_lowers_the_loss_and_a_second_call_goes_on(tmp_path, monkeypatch):
    import json

    monkeypatch.setattr(recipe, "work_folder", lambda name, seed: tmp_path / "work")
    recipe.train(tmp_path / "twin", 0, steps=12, pool=CLIPS)
    rows = [
        json.loads(line) for line in (tmp_path / "work" / "fit" / "records.jsonl").read_text().splitlines()
    ]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert len(losses) == 12 and losses[-1] < 0.8 * losses[0]
    before = (tmp_path / "twin" / "model.safetensors").read_bytes()
    recipe.train(tmp_path / "twin", 0, steps=12, pool=CLIPS)
    assert (tmp_path / "twin" / "model.safetensors").read_bytes() == before


def test_scores_of_true_wrong_and_missing_answers(clips):
    right = [Reply(clip, "", answer_of(clip)) for clip in clips]
    assert all(values.all() for values in score(right).values())
    wrong = [replace(reply, answer=Answer("no", 0.0, 0.0, "no")) for reply in right]
    assert not any(score(wrong)[name].any() for name in ("operation", "tiou_0.5", "next"))
    assert score(wrong)["json"].all()
    assert not any(values.any() for values in score([replace(right[0], answer=None)]).values())


def test_floors_are_far_below_the_bars_or_said_to_be_beside_them():
    floors = learn_floors([draw_clip(1, index) for index in range(600)])
    replies = [Reply(clip, "", None) for clip in (draw_clip(2, index) for index in range(300))]
    scores = {name: metric.value for name, metric in floor_scores(floors, replies).items()}
    assert scores["floor_majority_operation"] < 0.2 < BARS["operation"]
    assert scores["floor_constant_tiou_0.5"] < 0.72 < BARS["tiou_0.5"]
    assert scores["floor_majority_next"] < 0.25
    assert (
        0.8 < scores["floor_bigram_of_true_next"] < 0.93
    )  # knows the current operation, so it is no floor of ours
    assert scores["floor_bigram_of_predicted_next"] == 0
    assert floors.followers["Close Box"] == "Attach Box Label"


@pytest.mark.slow
def test_the_committed_twin_still_meets_its_bars():
    model, processor = load_twin(twin_folder("tiny/qwen2.5-vl"))
    scores = {name: right.mean() for name, right in score(measure(model, processor, 4242, 60)).items()}
    lower = {"operation": 0.85, "tiou_0.5": 0.68, "next": 0.68, "json": 0.98}  # 60 clips: about two sigma
    assert all(scores[name] >= bar for name, bar in lower.items()), scores
    grey = score(measure(model, processor, 4242, 25, show=lambda frames: np.full_like(frames, 128)))
    assert grey["operation"].mean() < 0.5
