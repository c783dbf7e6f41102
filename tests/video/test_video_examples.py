"""What a model learns from: tokens, labels, kept features, batches, and a loss with few logits."""

import numpy as np
import pytest
import torch
from video_models import qwen3, twin

from nbhelpers.data.operations import answer_of, draw_clip, parse_answer
from nbhelpers.errors import BadInput
from nbhelpers.training.tensor_cache import TensorCache
from nbhelpers.video import as_seen, sample_of
from nbhelpers.video.batches import VideoBatches, answer_loss, epoch_plan
from nbhelpers.video.examples import Examples, collate
from nbhelpers.video.features import features_for_pixels, vision_digest, why_not_kept

PAD = 0


@pytest.fixture(scope="module", params=["qwen2_5_vl", "qwen3_vl"])
def loaded(request):
    return twin() if request.param == "qwen2_5_vl" else qwen3()


@pytest.fixture(scope="module")
def clips():
    return [draw_clip(21, index, "shifted") for index in range(6)]


def examples(loaded, clips, folder, frozen, gib=1.0):
    cache = TensorCache(folder, gib, vision_digest(loaded.model, loaded.processor) if frozen else "pixels")
    return Examples([sample_of(clip) for clip in clips], loaded, cache, frozen).prepare("clips")


def batch_of(given, numbers):
    return collate([given.example(k) for k in numbers], [given.pictures(k) for k in numbers], PAD)


def test_labels_are_the_answer_and_the_end_of_the_turn(loaded, clips, tmp_path):
    given = examples(loaded, clips, tmp_path, False)
    batch, words = batch_of(given, range(6)), loaded.processor.tokenizer
    for row, clip in zip(batch["labels"], clips, strict=True):
        text = words.decode(row[row != -100])
        assert text.endswith("<|im_end|>") and words.decode(row[-1]) == "<|im_end|>"
        seen = as_seen(answer_of(clip), clip.times_s, clip.duration_s)
        assert parse_answer(text.removesuffix("<|im_end|>")).operation == seen.operation
    ids = batch["input_ids"]
    kept = batch["labels"] != -100
    assert torch.equal(ids[:, -batch["labels"].shape[1] :][kept], batch["labels"][kept])
    assert batch["attention_mask"].sum(dim=1).tolist() == [given.example(k).length for k in range(6)]


def test_questions_are_what_generate_is_asked(loaded, clips, tmp_path):
    """The tokens of training and of answering are the same up to the answer."""
    from nbhelpers.video import model_inputs

    given = examples(loaded, clips[:3], tmp_path, False)
    samples = [sample_of(clip) for clip in clips[:3]]
    asked = model_inputs(loaded.processor, loaded.family, samples, [sample.frames() for sample in samples])
    batch = collate([given.example(k) for k in range(3)], [given.pictures(k) for k in range(3)], PAD, False)
    assert batch.keys() == asked.keys()
    for name, value in asked.items():
        assert torch.equal(torch.as_tensor(value), batch[name]), name


def test_the_loss_is_the_class_s_own(loaded, clips, tmp_path):
    batch = batch_of(examples(loaded, clips, tmp_path, False), range(6))
    model = loaded.model.eval()
    with torch.no_grad():
        ours = answer_loss(model, batch)
        labels = torch.full_like(batch["input_ids"], -100)
        labels[:, -batch["labels"].shape[1] :] = batch["labels"]
        stock = model(**{**batch, "labels": labels}).loss
    assert float(ours["loss"]) == pytest.approx(float(stock), abs=2e-6)
    assert int(ours["weight"]) == int((batch["labels"] != -100).sum())


def test_kept_features_change_nothing(loaded, clips, tmp_path):
    pixels = batch_of(examples(loaded, clips, tmp_path / "pixels", False), range(6))
    given = examples(loaded, clips, tmp_path / "kept", True)
    kept = batch_of(given, range(6))
    assert kept["pixel_values_videos"].shape[1] < pixels["pixel_values_videos"].shape[1]
    model = loaded.model.eval()
    with torch.no_grad():
        through = answer_loss(model, pixels)["loss"]
        with features_for_pixels(model):
            from_disk = answer_loss(model, kept)["loss"]
            again = answer_loss(model, batch_of(given, range(6)))["loss"]
        after = answer_loss(model, pixels)["loss"]
    assert float(from_disk) == pytest.approx(float(through), abs=1e-6) and torch.equal(from_disk, again)
    assert torch.equal(through, after)  # the tower is itself again
    assert given.computed == 6


def test_features_come_from_the_disk_in_a_second_process_s_place(loaded, clips, tmp_path):
    examples(loaded, clips, tmp_path, True)
    again = examples(loaded, clips, tmp_path, True)
    assert again.computed == 0


def test_features_of_other_weights_are_not_taken(clips, tmp_path):
    examples(qwen3(0), clips[:2], tmp_path, True)
    assert examples(qwen3(1), clips[:2], tmp_path, True).computed == 2


def test_a_small_bound_costs_time_and_nothing_else(loaded, clips, tmp_path):
    roomy = examples(loaded, clips, tmp_path / "a", True)
    one = roomy.pictures(0).numel() * 4 / 2**30
    tight = examples(loaded, clips, tmp_path / "b", True, gib=2.5 * one)
    assert [torch.equal(roomy.pictures(k), tight.pictures(k)) for k in range(6)] == [True] * 6
    assert tight.computed > 6
    assert sum(path.stat().st_size for path in (tmp_path / "b").iterdir()) <= 2.5 * one * 2**30


def test_clips_without_answers_cannot_be_learned(loaded, tmp_path):
    frames = np.zeros((8, 84, 84, 3), np.uint8)
    blind = sample_of((frames, [k / 2 for k in range(8)], 4.0))
    with pytest.raises(BadInput, match="clip frames has no answer"):
        Examples([blind], loaded, TensorCache(tmp_path, 1, "x"), False)


def test_why_features_are_not_kept():
    assert why_not_kept("qwen2_5_vl", ("text.attention", "text.mlp")) == ""
    assert "projector is trained" in why_not_kept("qwen3_vl", ("text.attention", "projector"))
    assert "gemma3" in why_not_kept("gemma3", ("text.attention",))


@pytest.mark.parametrize(("count", "batch"), [(1, 4), (7, 3), (200, 4)])
def test_every_epoch_holds_every_clip_once(count, batch):
    lengths = np.random.default_rng(0).integers(50, 500, count)
    plans = [epoch_plan(lengths, batch, (0, epoch)) for epoch in range(2)]
    for plan in plans:
        assert sorted(np.concatenate(plan).tolist()) == list(range(count))
        assert all(len(part) <= batch for part in plan)
    if count == 200:
        assert [part.tolist() for part in plans[0]] != [part.tolist() for part in plans[1]]


def test_batches_by_length_hold_less_padding():
    lengths = np.random.default_rng(1).integers(50, 500, 256)

    def padded(plan):
        return sum(int(lengths[part].max()) * len(part) for part in plan) / lengths.sum()

    shuffled = np.random.default_rng(2).permutation(256).reshape(-1, 8)
    assert padded(epoch_plan(lengths, 8, (0, 0))) < 1.1 < padded(list(shuffled))


def test_a_batch_depends_on_its_number_alone(loaded, clips, tmp_path):
    given = examples(loaded, clips, tmp_path, True)
    first, other = (VideoBatches(given, 4, PAD, seed=5) for _ in range(2))
    assert first.per_epoch == 2
    wanted = [first.clips(number) for number in range(6)]
    assert [other.clips(number) for number in (5, 1, 4, 0, 3, 2)] == [wanted[k] for k in (5, 1, 4, 0, 3, 2)]
    assert torch.equal(first(3)["input_ids"], other(3)["input_ids"])


def test_light_changes_pixels_as_it_changes_frames(clips, tmp_path):
    """Brightening the frames and processing them is brightening what was processed."""
    from nbhelpers.video import model_inputs
    from nbhelpers.video.light import Light

    loaded = twin("infer")
    sample = sample_of(clips[0])
    frames = sample.frames() // 4 + 40  # nothing near black or white
    inputs = model_inputs(loaded.processor, loaded.family, [sample], [frames])
    seen = loaded.processor.video_processor
    light = Light(0.3, seen.image_mean, seen.image_std)
    relit = light(inputs["pixel_values_videos"], (1, 2))
    gain = np.exp(np.random.default_rng((1, 2)).normal(0, 0.3))
    casts = np.random.default_rng((1, 2))
    casts.normal(0, 0.3)
    factors = gain * np.exp(casts.normal(0, 0.15, 3))
    bright = np.clip(frames * factors, 0, 255).round().astype(np.uint8)
    wanted = model_inputs(loaded.processor, loaded.family, [sample], [bright])["pixel_values_videos"]
    assert float((relit - wanted).abs().max()) < 0.03  # rounding to 8 bits
    assert torch.equal(light(inputs["pixel_values_videos"], (1, 2)), relit)
    assert not torch.equal(light(inputs["pixel_values_videos"], (1, 3)), relit)
    assert Light(0.0, seen.image_mean, seen.image_std)(relit, (1,)) is relit


def test_names_may_count_more(loaded, clips, tmp_path):
    cache = TensorCache(tmp_path, 1.0, "pixels")
    given = Examples([sample_of(clip) for clip in clips], loaded, cache, False, name_weight=3.0).prepare(
        "clips"
    )
    words = loaded.processor.tokenizer
    for number, clip in enumerate(clips):
        one = given.example(number)
        heavy = words.decode(one.answer[one.weights == 3.0])
        assert clip.operation.name in heavy and clip.next_operation.name in heavy
        assert not any(letter.isdigit() for letter in heavy) and "start_s" not in heavy
    batch, model = batch_of(given, range(6)), loaded.model.eval()
    assert batch["weights"].shape == batch["labels"].shape
    with torch.no_grad():
        found = answer_loss(model, batch)
        rows = [answer_loss(model, batch_of(given, [k])) for k in range(6)]
    total = sum(float(row["weight"]) for row in rows)
    assert float(found["weight"]) == pytest.approx(total)
    by_parts = sum(float(row["loss"]) * float(row["weight"]) for row in rows) / total
    assert float(found["loss"]) == pytest.approx(by_parts, rel=1e-5)
