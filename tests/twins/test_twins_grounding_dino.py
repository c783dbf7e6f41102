"""The Grounding DINO twin: vocabulary, model, losses, batches, training, detection, committed weights."""

import numpy as np
import pytest
import torch

from nbhelpers.data.scenes import BASE_CLASSES, draw_scenes
from nbhelpers.models.places import twin_folder
from nbhelpers.teach.grounding_dino.loss import use_decoder_loss
from nbhelpers.twins.grounding_dino import batches, build, evaluate, losses, recipe, vocabulary
from nbhelpers.twins.grounding_dino.losses import Targets
from nbhelpers.twins.work import one_thread


@pytest.fixture(scope="module", autouse=True)
def _single_thread():
    with one_thread():
        yield


@pytest.fixture(scope="module")
def processor():
    return vocabulary.build_processor()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return draw_scenes(tmp_path_factory.mktemp("scenes"), 16, (128, 128), 3, "base")


@pytest.fixture(scope="module")
def memory(scenes):
    return batches.read_memory(scenes)


@pytest.fixture
def model():
    model = build.build_model(0)
    use_decoder_loss(model)
    return model


# vocabulary


def test_the_ids_fixed_in_the_models_code_are_where_it_looks_for_them(processor):
    from transformers.models.grounding_dino.modeling_grounding_dino import SPECIAL_TOKENS

    tokenizer = processor.tokenizer
    assert (
        tokenizer.convert_tokens_to_ids(["[CLS]", "[SEP]", ".", "?"])
        == SPECIAL_TOKENS
        == [101, 102, 1012, 1029]
    )
    assert tokenizer.pad_token_id == 0
    box, pallet, jack = tokenizer.convert_tokens_to_ids(["box", "pallet", "jack"])
    assert tokenizer("Box. pallet jack?")["input_ids"] == [101, box, 1012, pallet, jack, 1029, 102]


def test_every_id_has_one_token_and_every_class_is_one_word():
    words = vocabulary.vocabulary()
    assert sorted(words.values()) == list(range(vocabulary.VOCABULARY_SIZE))
    assert {*BASE_CLASSES, "ladder", "jack"} <= set(words)


def test_a_word_outside_the_vocabulary_is_spelt_not_unknown(processor):
    tokens = processor.tokenizer.tokenize("xylophone7!")
    assert "".join(token.removeprefix("##") for token in tokens) == "xylophone7!"


def test_tokenizer_and_processor_come_back_with_the_same_ids_and_pixels(processor, tmp_path):
    from transformers import AutoProcessor, AutoTokenizer

    processor.save_pretrained(tmp_path)
    text = "a box. pallet_jack. zebra?"
    again = AutoProcessor.from_pretrained(tmp_path, local_files_only=True)
    assert type(again) is type(processor)
    assert (
        AutoTokenizer.from_pretrained(tmp_path)(text)["input_ids"] == processor.tokenizer(text)["input_ids"]
    )
    image = np.random.default_rng(0).integers(0, 256, (96, 160, 3), dtype=np.uint8)
    ours, theirs = (p(images=image, text=text, return_tensors="pt") for p in (processor, again))
    assert torch.equal(ours["pixel_values"], theirs["pixel_values"])
    assert ours["pixel_values"].shape[-1] == 128


# model


def test_the_auto_class_loads_the_stock_class_with_equal_outputs(model, processor, scenes, tmp_path):
    from transformers import AutoModelForZeroShotObjectDetection, GroundingDinoForObjectDetection

    model.save_pretrained(tmp_path)
    again = AutoModelForZeroShotObjectDetection.from_pretrained(tmp_path, local_files_only=True)
    assert type(again) is GroundingDinoForObjectDetection
    inputs = processor(images=scenes.image(1), text="box. cone.", return_tensors="pt")
    with torch.inference_mode():
        ours, theirs = model.eval()(**inputs), again.eval()(**inputs)
    assert torch.equal(ours.logits, theirs.logits)
    assert torch.equal(ours.pred_boxes, theirs.pred_boxes)
    assert (
        again.bbox_embed[1].layers[0].weight is again.bbox_embed[0].layers[0].weight
    )  # tied, as in the real one


def test_it_is_tiny(model):
    assert 700_000 < sum(p.numel() for p in model.parameters()) < 800_000


def test_untrained_scores_begin_low(model, processor, scenes):
    inputs = processor(images=scenes.image(1), text="box. cone.", return_tensors="pt")
    with torch.inference_mode():
        outputs = model(**inputs)
    tokens = inputs["input_ids"].shape[1]
    for logits in (outputs.logits[..., :tokens], outputs.enc_outputs_class[..., :tokens]):
        assert abs(float(logits.mean()) + 4) < 0.7
        assert float(logits.max()) < 0


# losses


def one_object(box, prompt_place=0):
    return Targets(torch.tensor([[box]]), torch.tensor([[prompt_place]]), torch.ones(1, 1, dtype=torch.bool))


def test_giou_is_torchvisions():
    from torchvision.ops import box_convert, generalized_box_iou

    boxes = torch.rand(2, 7, 4, generator=torch.Generator().manual_seed(0)) * 0.4 + 0.05
    corners = [box_convert(b, "cxcywh", "xyxy") for b in boxes]
    expected = generalized_box_iou(*corners)
    assert torch.allclose(losses._giou(boxes[0][:, None], boxes[1][None]), expected, atol=1e-5)


def proposals(count=80):
    """Positions 8 x 8 and 4 x 4 that propose a small box round themselves, without any score."""
    centres = losses._positions(count, "cpu")
    boxes = torch.cat([centres, torch.full_like(centres, 0.05)], dim=1)[None]
    return torch.full((1, count, 6), -4.0), boxes


def test_positions_are_those_of_the_models_proposals(model, processor, scenes):
    inputs = processor(images=scenes.image(1), text="box.", return_tensors="pt")
    with torch.inference_mode():
        boxes = model(**inputs).enc_outputs_coord_logits.sigmoid()[0]
    # The last layer of an untrained box head is zero, so what it proposes are the positions themselves.
    assert torch.allclose(boxes[:, :2], losses._positions(len(boxes), "cpu"), atol=1e-5)


def test_the_cheapest_positions_in_the_middle_of_a_box_are_taught_to_find_it():
    logits, boxes = proposals()
    phrases = torch.tensor([[0, 1, 0, 0, 0, 0]])
    target = one_object([0.5, 0.5, 0.5, 0.5])
    logits[0, 8 * 3 + 3, 1] = 3.0  # the position at (0.4375, 0.4375) is surest of the class
    owner = losses.assign(logits, boxes, phrases, target, 1)
    assert owner.nonzero().tolist() != []
    assert (owner[0] == 0).nonzero().flatten().tolist() == [8 * 3 + 3]
    assert int((losses.assign(logits, boxes, phrases, target, 4) == 0).sum()) == 4


def test_an_object_smaller_than_a_cell_still_has_a_finder_and_padding_none():
    logits, boxes = proposals()
    target = Targets(
        torch.tensor([[[0.06, 0.06, 0.01, 0.01], [0.5, 0.5, 1.0, 1.0]]]),
        torch.zeros(1, 2, dtype=torch.int64),
        torch.tensor([[True, False]]),
    )
    owner = losses.assign(logits, boxes, torch.tensor([[0, 1, 0, 0, 0, 0]]), target, 4)
    assert (owner[0] == 0).nonzero().flatten().tolist() == [0]
    assert int((owner == 1).sum()) == 0


def test_a_picture_without_objects_has_a_loss_that_lowers_scores():
    logits, boxes = proposals()
    logits.requires_grad_()
    empty = Targets(
        torch.zeros(1, 1, 4), torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, 1, dtype=torch.bool)
    )
    tokens = torch.tensor([True, True, True])
    losses.encoder_loss(logits, boxes, torch.tensor([[0, 1, 0, 0, 0, 0]]), empty, tokens, 1).backward()
    assert bool((logits.grad[..., :3] > 0).all())
    assert bool((logits.grad[..., 3:] == 0).all())  # padding of the prompt


def head_gradient(model, loss):
    model.zero_grad()
    loss.backward()
    heads = [model.model.enc_output.weight, *model.model.encoder_output_bbox_embed.parameters()]
    return sum(float(p.grad.norm()) for p in heads if p.grad is not None)


def test_gradients_reach_the_head_that_the_classs_own_loss_leaves_alone(model, processor, memory):
    batch = batches.batch_maker(memory, processor, 2, 0)(0)
    ours = losses.training_loss(model, batch.inputs, batch.targets, per_object=4, decoder_repeats=2)
    assert head_gradient(model, ours["loss"]) > 0
    stock = build.build_model(0)
    assert head_gradient(stock, stock(**batch.inputs, labels=batch.targets.labels()).loss) == 0
    assert ours["loss"].item() == pytest.approx(float(ours["decoder"] + ours["encoder"]), rel=1e-5)


def test_a_batch_without_any_object_has_a_finite_gradient(model, processor):
    image = np.zeros((128, 128, 3), np.uint8)
    inputs = dict(processor(images=[image] * 2, text=["cone."] * 2, return_tensors="pt"))
    none = batches.pad_targets([np.zeros((0, 4), np.float32)] * 2, [np.zeros(0, np.int64)] * 2)
    losses.training_loss(model, inputs, none, per_object=4, decoder_repeats=3)["loss"].backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


def test_repeated_labels_name_each_object_so_often():
    target = one_object([0.5, 0.5, 0.2, 0.2], prompt_place=3)
    (label,) = target.labels(3)
    assert label["boxes"].shape == (3, 4)
    assert label["class_labels"].tolist() == [3, 3, 3]


# batches


def test_memory_holds_boxes_as_shares_of_the_picture(memory, scenes):
    first = scenes.annotations_of(1)[0]
    x, y, width, height = first["bbox"]
    assert memory.boxes[0][0] * 128 == pytest.approx([x + width / 2, y + height / 2, width, height])
    assert memory.names[memory.classes[0][0]] == scenes.class_names[scenes.class_index[first["category_id"]]]
    assert np.array_equal(memory.images[0], scenes.image(1))


def test_a_batch_is_a_pure_function_of_its_number(memory, processor):
    one, other = (batches.batch_maker(memory, processor, 4, 9) for _ in range(2))
    other(0)
    a, b = one(5), other(5)
    assert torch.equal(a.inputs["pixel_values"], b.inputs["pixel_values"])
    assert torch.equal(a.inputs["input_ids"], b.inputs["input_ids"])
    assert torch.equal(a.targets.boxes, b.targets.boxes)
    assert not torch.equal(a.inputs["pixel_values"], one(6).inputs["pixel_values"])


def test_prompts_ask_for_classes_in_any_order_and_say_where_each_stands():
    rng = np.random.default_rng(0)
    words = set()
    for _ in range(300):
        phrases, place_of = batches.draw_prompt(rng, BASE_CLASSES)
        assert place_of
        assert all(phrases[place].split()[-1] == BASE_CLASSES[index] for index, place in place_of.items())
        words |= {word for phrase in phrases for word in phrase.split()}
    assert not words & set(batches.UNSEEN)
    assert words > set(BASE_CLASSES)


def test_a_flip_takes_the_boxes_along():
    image = np.zeros((128, 128, 3), np.uint8)
    image[40:60, 10:30] = 255
    box = np.array([[20 / 128, 50 / 128, 20 / 128, 20 / 128]], np.float32)
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(20):
        changed, boxes = batches.flipped(rng, image, box)
        x, y = (boxes[0, :2] * 128).astype(int)
        assert changed[y, x].min() == 255
        seen.add(int(x))
    assert seen == {20, 108}


def test_light_changes_and_the_picture_stays_uint8():
    image = np.full((128, 128, 3), 128, np.uint8)
    rng = np.random.default_rng(0)
    changed = [batches.photometric(rng, image) for _ in range(40)]
    assert all(one.dtype == np.uint8 and one.shape == image.shape for one in changed)
    means = [one.mean() for one in changed]
    assert min(means) < 75
    assert max(means) > 140


# training


@pytest.mark.slow
def test_twenty_steps_lower_the_loss_and_a_second_call_changes_nothing(tmp_path, monkeypatch):
    import json

    monkeypatch.setattr(recipe, "work_folder", lambda name, seed: tmp_path / "work")
    stages = (recipe.Stage(20, 1e-3, 0.0, 4, 3),)
    recipe.train(tmp_path / "a", 0, stages, scenes=16)
    rows = [json.loads(line) for line in (tmp_path / "work/stage-1/records.jsonl").read_text().splitlines()]
    history = [row["loss"] for row in rows if "loss" in row]
    assert len(history) == 20
    assert np.mean(history[-5:]) < 0.75 * np.mean(history[:5])
    recipe.train(tmp_path / "b", 0, stages, scenes=16)
    name = "model.safetensors"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


# evaluation


def test_a_set_cut_to_some_classes_keeps_all_pictures(scenes):
    cut = evaluate.only(scenes, ["cone"])
    assert [entry["name"] for entry in cut["categories"]] == ["cone"]
    assert len(cut["images"]) == 16
    cones = sum(item["category_id"] == cut["categories"][0]["id"] for item in scenes.annotations)
    assert len(cut["annotations"]) == cones > 0


# what was committed


@pytest.fixture(scope="module")
def committed():
    return evaluate.load_detector(twin_folder("tiny/grounding-dino"))


def test_the_committed_processor_is_the_recipes(committed, processor):
    text = "box. pallet jack. shelf. zebra."
    assert committed.processor.tokenizer(text)["input_ids"] == processor.tokenizer(text)["input_ids"]
    assert committed.processor.image_processor.size == processor.image_processor.size


def test_the_order_of_the_prompt_decides_the_class_ids(committed, scenes):
    names = list(BASE_CLASSES)
    image = scenes.image(1)
    (one,), (other,) = (committed([image], order, 0.4) for order in (names, names[::-1]))
    assert {names[i] for i in one.class_id} == {names[::-1][i] for i in other.class_id} != set()


@pytest.mark.slow
def test_the_committed_twin_finds_what_is_in_scenes_it_never_saw(committed, tmp_path):
    from nbhelpers.metrics import evaluate_coco

    base = draw_scenes(tmp_path, 60, (128, 128), 2_000_000, "base")
    results = evaluate.coco_results(committed, base, base.class_names)
    assert evaluate_coco(base.to_dict(), results).ap50 >= 0.85
