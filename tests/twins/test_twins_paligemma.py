"""The twin of another family: PaliGemma's classes, its tower and its questions apart from tiny/gemma-3's."""

import numpy as np
import pytest
from PIL import Image

from nbhelpers.data.stills import phrasings, render_still
from nbhelpers.models.places import twin_folder

torch = pytest.importorskip("torch")

from nbhelpers.twins.paligemma import architecture, batches, recipe  # noqa: E402
from nbhelpers.twins.stills import stages  # noqa: E402
from nbhelpers.twins.stills.answers import ask  # noqa: E402
from nbhelpers.twins.stills.asked import Asked, load_twin, right_answers  # noqa: E402
from nbhelpers.twins.stills.pictures import held_out_seed, pixels, training_seed  # noqa: E402


@pytest.fixture(scope="module")
def vocabulary():
    return batches.make_vocabulary(0)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    where = tmp_path_factory.mktemp("paligemma")
    processor = architecture.make_processor(batches.make_vocabulary(0))
    architecture.make_model(len(processor.tokenizer), 0).save_pretrained(where)
    processor.save_pretrained(where)
    return load_twin(where)


@pytest.fixture(scope="module")
def twin():
    return load_twin(twin_folder("tiny/paligemma"))


def processed(processor, image, question):
    shown = Image.fromarray(image)
    return processor(text=[f"<image>{question}"], images=[[shown]], return_tensors="pt")


def test_the_auto_classes_bring_the_real_ones(loaded):
    model, processor = loaded
    assert type(model).__name__ == "PaliGemmaForConditionalGeneration"
    assert type(processor).__name__ == "PaliGemmaProcessor"
    assert type(processor.image_processor).__name__ == "SiglipImageProcessor"
    assert 1.0e6 < model.num_parameters() < 1.5e6
    assert len(processor.tokenizer) == model.config.text_config.vocab_size
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    special = [processor.tokenizer.convert_tokens_to_ids(token) for token in architecture.SPECIAL]
    assert special == list(range(5))
    assert processor.tokenizer.convert_tokens_to_ids("<loc0000>") > 400


def test_training_reads_what_the_stock_processor_writes(vocabulary, loaded):
    still = render_still(4)
    for question in ("What is the larger object?", "x", "perché? 你好"):
        given = processed(loaded[1], still.image, question)
        own = batches.encode([batches.turn(question, "red crate")], vocabulary)
        length = given["input_ids"].shape[1]
        assert own["input_ids"][0, :length].tolist() == given["input_ids"][0].tolist()
        assert own["token_type_ids"][0, :length].tolist() == given["token_type_ids"][0].tolist()
        assert (given["input_ids"] == 4).sum() == 64 and (given["input_ids"] == 2).sum() == 1
        assert torch.allclose(given["pixel_values"], pixels([still.image]), atol=1e-6)


def test_only_answers_are_learned_and_read_from_left_to_right(vocabulary):
    asked = {"What is the larger object?": "red crate", "How many objects are there?": "two"}
    batch = batches.encode([batches.turn(*pair) for pair in asked.items()], vocabulary)
    learned = batch["labels"] != -100
    texts = [
        vocabulary.decode(row[keep].tolist(), skip_special_tokens=False)
        for row, keep in zip(batch["labels"], learned, strict=True)
    ]
    assert texts == ["red crate<eos>", "two<eos>"]
    assert torch.equal(batch["token_type_ids"].bool() & batch["attention_mask"].bool(), learned)
    assert (batch["input_ids"][~batch["attention_mask"].bool()] == 0).all()


def test_the_question_is_read_in_both_directions(loaded):
    """Another end of the question changes what the model makes of its beginning."""
    model, processor = loaded
    states = []
    for question in ("What is red?", "What is blue?"):
        inputs = processed(processor, render_still(2).image, question)
        inputs.pop("labels")
        with torch.inference_mode():
            states.append(model.model(**inputs).last_hidden_state[0, 65])
    assert not torch.allclose(*states, atol=1e-4)


def test_wordings_that_are_held_out_are_not_trained_on():
    rng = np.random.default_rng(0)
    held_out = {text for task in ("larger", "describe") for text in phrasings(task, "en", held_out=True)}
    for index in range(300):
        prompt = batches.draw_question(rng, render_still(index % 3)).prompt
        assert not any(f"<bos>{text}\n" in prompt for text in held_out)


def test_nothing_is_shared_with_the_other_twin_of_the_seed():
    """Neither pictures nor the tower's first weights: what carries over has no common start."""
    from nbhelpers.twins.gemma3.architecture import make_model

    seeds = {seed + recipe.APART for seed in range(50)}
    ours = {training_seed(seed) for seed in seeds}
    assert not ours & {number for seed in range(50) for number in (training_seed(seed), held_out_seed(seed))}
    towers = [
        make(300, seed).model.vision_tower.encoder.layers[0].mlp.fc1.weight
        for make, seed in ((make_model, 0), (architecture.make_model, recipe.APART))
    ]
    assert towers[0].shape == towers[1].shape and not torch.allclose(*towers, atol=1e-2)


@pytest.mark.slow
def test_both_stages_lower_their_loss_and_the_seed_decides(tmp_path, monkeypatch):
    from nbhelpers.artifacts import read_records

    monkeypatch.setattr(stages, "POOL", 320)
    monkeypatch.setattr(stages, "LOG_EVERY", 1)
    for name in ("a", "b"):
        recipe.train(tmp_path / name, 3, eye_steps=12, reader_steps=6, work=tmp_path / f"work-{name}")
    for stage, fall in (("eye", 0.97), ("reader", 0.93)):
        rows = read_records(tmp_path / "work-a" / stage / "records.jsonl")
        found = [row["loss"] for row in rows]
        assert np.mean(found[-3:]) < fall * np.mean(found[:3])
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b"))
    assert one == other


def test_answers_do_not_depend_on_their_neighbours(loaded):
    images = [render_still(index).image for index in range(3)]
    questions = ["What?", "Please describe everything you see in the picture.", "How many?"]
    together = ask(*loaded, questions, images, 4)
    alone = [ask(*loaded, [q], [i], 4)[0] for q, i in zip(questions, images, strict=True)]
    assert together == alone


@pytest.mark.slow
def test_the_shipped_twin_answers(twin):
    right, _, _ = right_answers(*twin, Asked("larger", "larger"), 100, recipe.APART)
    assert right.mean() >= 0.9


@pytest.mark.slow
def test_as_a_victim_it_answers_and_gives_a_gradient():
    from nbhelpers.attack import Victim
    from nbhelpers.models import load

    victim = Victim(load("tiny/paligemma", task="attack", device="cpu"))
    stills = [render_still(index, 64, held_out_seed(recipe.APART)) for index in range(40)]
    questions = ["What is the larger object?"] * len(stills)
    said = victim.answers([still.image for still in stills], questions)
    true = [still.answer("larger", "en") for still in stills]
    assert np.mean([a == b for a, b in zip(said, true, strict=True)]) >= 0.85
    shown = torch.from_numpy(np.stack([still.image for still in stills[:4]])).permute(0, 3, 1, 2) / 255
    shown.requires_grad_()
    likely, counts = victim.log_likelihood(shown, questions[:4], true[:4])
    wrong, _ = victim.log_likelihood(shown, questions[:4], ["green bag"] * 4)
    assert likely[counts].mean() > wrong.mean() + 0.5
    likely.sum().backward()
    assert torch.isfinite(shown.grad).all() and (shown.grad != 0).any()
