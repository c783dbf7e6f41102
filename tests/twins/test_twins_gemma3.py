import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbhelpers.data.stills import STILL_WORLDS, render_still
from nbhelpers.twins.gemma3 import architecture, prompts

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def vocabulary():
    return prompts.make_vocabulary(0)


@pytest.fixture(scope="module")
def folder(vocabulary, tmp_path_factory):
    where = tmp_path_factory.mktemp("gemma-3")
    architecture.make_model(vocabulary.get_vocab_size(), 0).save_pretrained(where)
    architecture.make_processor(vocabulary).save_pretrained(where)
    return where


@pytest.fixture(scope="module")
def loaded(folder):
    from nbhelpers.twins.stills.asked import load_twin

    return load_twin(folder)


def messages(image, question):
    from PIL import Image

    content = [{"type": "image", "image": Image.fromarray(image)}, {"type": "text", "text": question}]
    return [{"role": "user", "content": content}]


def processed(processor, image, question):
    return processor.apply_chat_template(
        [messages(image, question)],
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        add_generation_prompt=True,
    )


def test_the_auto_classes_bring_the_real_ones(loaded):
    model, processor = loaded
    assert type(model).__name__ == "Gemma3ForConditionalGeneration"
    assert type(processor).__name__ == "Gemma3Processor"
    assert type(processor.image_processor).__name__ == "Gemma3ImageProcessor"
    assert 1.0e6 < model.num_parameters() < 1.25e6
    assert set(model.config.text_config.layer_types) == {"sliding_attention", "full_attention"}
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_nothing_of_the_heads_is_saved(folder, loaded):
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as file:
        names = set(file.keys())
        assert all(file.get_tensor(name).dtype == torch.float32 for name in names)
    assert len(names) == len(list(loaded[0].parameters()))


def test_special_tokens_have_gemmas_ids(vocabulary):
    assert [vocabulary.token_to_id(token) for token in architecture.SPECIAL] == list(range(9))
    assert architecture.SPECIAL[:4] == ("<pad>", "<eos>", "<bos>", "<unk>")


def test_the_words_of_the_world_are_single_tokens(vocabulary):
    for word in (*STILL_WORLDS["base"].colors, *STILL_WORLDS["base"].kinds):
        assert len(vocabulary.encode(f" {word}", add_special_tokens=False).ids) == 1


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=40))
def test_any_text_comes_back_from_the_reloaded_tokenizer(loaded, text):
    ids = loaded[1].tokenizer(text, add_special_tokens=False).input_ids
    assert loaded[1].tokenizer.decode(ids) == text


@pytest.mark.parametrize("text", ["Perché è così? 12 + 3", "red crate\n\n  x", "你好 🙂 — ß", ""])
def test_reloading_gives_the_same_ids(vocabulary, loaded, text):
    assert loaded[1].tokenizer(text).input_ids == vocabulary.encode(text).ids


def test_plain_text_begins_with_one_bos(loaded):
    ids = loaded[1].tokenizer("A red crate.").input_ids
    assert ids[0] == 2 and ids.count(2) == 1


def test_training_reads_what_the_stock_processor_writes(vocabulary, loaded):
    from nbhelpers.twins.gemma3.batches import encode
    from nbhelpers.twins.stills.pictures import pixels

    still = render_still(4)
    for question in ("What is the larger object?", "Che cosa vedi?", "x"):
        given = processed(loaded[1], still.image, question)
        own = encode([prompts.turn(question, "red crate", picture=True)], vocabulary)
        length = given["input_ids"].shape[1]
        assert own["input_ids"][0, :length].tolist() == given["input_ids"][0].tolist()
        assert own["token_type_ids"][0, :length].tolist() == given["token_type_ids"][0].tolist()
        assert given["token_type_ids"].sum() == 16
        assert (given["input_ids"] == 2).sum() == 1
        assert torch.allclose(given["pixel_values"], pixels([still.image]), atol=1e-6)


def test_the_chat_template_writes_turns(loaded):
    turns = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " Hi "}]},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "Why?"},
    ]
    text = loaded[1].apply_chat_template(turns, add_generation_prompt=True)
    assert text == (
        "<bos><start_of_turn>user\nBe short.\n\n<start_of_image>Hi<end_of_turn>\n"
        "<start_of_turn>model\nYes.<end_of_turn>\n<start_of_turn>user\nWhy?<end_of_turn>\n<start_of_turn>model\n"
    )


def test_pictures_of_any_size_become_sixteen_tokens(loaded):
    for size in (64, 100, 224):
        inputs = processed(loaded[1], render_still(2, size).image, "What?")
        assert inputs["pixel_values"].shape == (1, 3, 64, 64)
        assert (inputs["input_ids"] == 8).sum() == 16


def test_the_token_types_matter(loaded):
    model, processor = loaded
    inputs = dict(processed(processor, render_still(2).image, "What?"))
    with torch.inference_mode():
        whole = model(**inputs).logits
        inputs.pop("token_type_ids")
        assert not torch.allclose(model(**inputs).logits, whole, atol=1e-3)


def test_gradients_reach_the_pixels_through_the_stock_processor(loaded):
    model, processor = loaded
    inputs = dict(processed(processor, render_still(2, 224).image, "What?"))
    picture = torch.from_numpy(render_still(2, 224).image).permute(2, 0, 1).float().div(255).requires_grad_()
    inputs["pixel_values"] = processor.image_processor(
        images=[picture], return_tensors="pt", do_rescale=False
    )["pixel_values"]
    model(**inputs, labels=inputs["input_ids"]).loss.backward()
    assert torch.isfinite(picture.grad).all()
    assert (picture.grad.abs().sum(dim=0) > 0).float().mean() > 0.9
    model.zero_grad()


def test_answers_do_not_depend_on_their_neighbours(loaded):
    from nbhelpers.twins.stills.answers import ask

    images = [render_still(index).image for index in range(3)]
    questions = ["What?", "Please describe everything you see in the picture.", "Che cosa vedi?"]
    together = ask(*loaded, questions, images, 4)
    alone = [ask(*loaded, [q], [i], 4)[0] for q, i in zip(questions, images, strict=True)]
    assert together == alone


def test_perplexity_is_that_of_a_plain_computation(loaded):
    from nbhelpers.twins.gemma3.perplexity import perplexity

    model, processor = loaded
    texts = ["A red crate is on the left.", "Yes."]
    total, count = 0.0, 0
    for text in texts:
        ids = processor.tokenizer(text, return_tensors="pt").input_ids
        with torch.inference_mode():
            logs = model(input_ids=ids).logits[0, :-1].log_softmax(dim=-1)
        total -= float(logs.gather(1, ids[0, 1:, None]).sum())
        count += ids.shape[1] - 1
    value, tokens = perplexity(model, processor, texts)
    assert tokens == count
    assert value == pytest.approx(np.exp(total / count), rel=1e-4)
