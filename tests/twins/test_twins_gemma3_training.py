import numpy as np
import pytest

from nbhelpers.data.stills import phrasings, render_still
from nbhelpers.models.places import twin_folder

torch = pytest.importorskip("torch")

from nbhelpers.twins.gemma3 import batches, prompts  # noqa: E402
from nbhelpers.twins.gemma3.architecture import CELLS, TEXT, make_model  # noqa: E402
from nbhelpers.twins.stills import pictures  # noqa: E402
from nbhelpers.twins.stills.attributes import COLORS, KINDS, AttributeHead, target, targets  # noqa: E402
from nbhelpers.twins.stills.start import whiten_patches  # noqa: E402
from nbhelpers.twins.stills.tower import VISION  # noqa: E402


@pytest.fixture(scope="module")
def vocabulary():
    return prompts.make_vocabulary(0)


def test_targets_say_what_lies_where():
    for index in range(30):
        still = render_still(index)
        row = target(still, CELLS)
        assert row["objects"][0].tolist() == [KINDS.index(still.names[0][1]), COLORS.index(still.names[0][0])]
        assert (row["objects"][1] == -100).all() == (len(still.objects) == 1)
        role, kind, _ = row["patches"].reshape(3, 8, 8)
        left, top, right, bottom = still.objects[0].box_xyxy
        inside = role[(top + bottom) // 16, (left + right) // 16]
        assert inside == 1 or still.names[0][1] == "wheel"  # a wheel may be open in the middle
        assert ((kind == -100) == (role == 0)).all()
        assert set(np.unique(role)) <= {0, 1, 2}
        whole = row["shape"].reshape(8, 8, 8, 8).transpose(0, 2, 1, 3).reshape(64, 64)
        assert (whole == np.any([thing.mask for thing in still.objects], axis=0)).all()
        assert row["cells"].max() >= 1


def test_a_batch_is_a_function_of_its_number(vocabulary):
    first, second = pictures.Pictures(0, 4, 12, CELLS), pictures.Pictures(0, 4, 12, CELLS)
    first(0), first(1)
    assert torch.equal(first(5)["pixel_values"], second(5)["pixel_values"])
    talk = batches.Conversations(0, 3, 2, 10, vocabulary)
    assert torch.equal(talk(7)["asked"]["input_ids"], talk(7)["asked"]["input_ids"])
    assert not torch.equal(talk(7)["asked"]["pixel_values"], talk(8)["asked"]["pixel_values"])


def test_an_epoch_shows_every_picture_once():
    drawn = pictures.Pictures(1, 4, 12, CELLS)
    for epoch in range(2):
        seen = torch.cat([drawn(3 * epoch + part)["pixel_values"] for part in range(3)])
        assert len(torch.unique(seen.flatten(1), dim=0)) == 12


def test_what_is_held_out_was_not_trained_on():
    trained = {pictures.training_seed(seed) for seed in range(50)}
    assert not trained & {pictures.held_out_seed(seed) for seed in range(50)}
    rng = np.random.default_rng(0)
    held_out = {text for task in ("larger", "describe") for text in phrasings(task, "en", held_out=True)}
    for index in range(200):
        prompt = prompts.draw_question(rng, render_still(index % 3)).prompt
        assert not any(f"\n\n{text}<end_of_turn>" in prompt for text in held_out)


def test_only_answers_are_learned(vocabulary):
    examples = [prompts.turn("What?", "red crate"), prompts.Example("<bos>", "Hello there, you.<eos>")]
    batch = batches.encode(examples, vocabulary)
    learned = batch["labels"] != -100
    texts = [
        vocabulary.decode(row[keep].tolist(), skip_special_tokens=False)
        for row, keep in zip(batch["labels"], learned, strict=True)
    ]
    assert texts == ["red crate<end_of_turn>\n", "Hello there, you.<eos>"]
    assert (batch["input_ids"][~batch["attention_mask"].bool()] == 0).all()
    assert torch.equal(batch["labels"][learned], batch["input_ids"][learned])


def test_whitened_patches_vary_alike_in_every_direction():
    model = make_model(300, 0)
    whiten_patches(model.model.vision_tower, 0)
    images = [render_still(500 + index).image for index in range(60)]
    with torch.no_grad():
        values = model.model.vision_tower.embeddings.patch_embedding(pictures.pixels(images))
    spread = values.transpose(0, 1).flatten(1).std(dim=1)
    assert spread.min() > 0.2 and spread.max() < 0.8
    assert values.transpose(0, 1).flatten(1).mean(dim=1).abs().max() < 0.3


def test_neighbouring_patches_begin_alike():
    weight = make_model(300, 0).model.vision_tower.embeddings.position_embedding.weight.detach()
    alike = torch.nn.functional.cosine_similarity(weight[27], weight, dim=1).view(8, 8)  # row 3, column 3
    assert alike[3, 3] == pytest.approx(1)
    assert alike[3, 4] > alike[3, 5] > alike[3, 7]
    assert alike[4, 3] > alike[5, 3] > alike[7, 3]


def losses(folder):
    from nbhelpers.artifacts import read_records

    return [row["loss"] for row in read_records(folder / "records.jsonl")]


@pytest.mark.slow
def test_both_stages_lower_their_loss_and_the_seed_decides(tmp_path, vocabulary, monkeypatch):
    from nbhelpers.twins.gemma3 import recipe
    from nbhelpers.twins.stills import stages

    monkeypatch.setattr(stages, "POOL", 320)
    monkeypatch.setattr(stages, "LOG_EVERY", 1)
    for name in ("a", "b"):
        recipe.train(tmp_path / name, 3, eye_steps=20, reader_steps=7, work=tmp_path / f"work-{name}")
    for stage, fall in (("eye", 0.95), ("reader", 0.93)):
        found = losses(tmp_path / "work-a" / stage)
        assert np.mean(found[-3:]) < fall * np.mean(found[:3])
        assert found == losses(tmp_path / "work-b" / stage)
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b"))
    assert one == other


def test_the_heads_read_what_they_are_told():
    """With tokens that spell out the truth the losses fall to nothing: no target contradicts another."""
    stills = [render_still(index) for index in range(16)]
    true, head = targets(stills, CELLS), AttributeHead(TEXT)
    torch.manual_seed(0)
    patches = torch.nn.Parameter(torch.randn(16, 64, VISION))
    tokens = torch.nn.Parameter(torch.randn(16, 16, TEXT))
    optimizer = torch.optim.Adam([patches, tokens, *head.parameters()], lr=0.05)
    for _ in range(150):
        loss = torch.stack(list(head(patches, tokens, true).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


@pytest.fixture(scope="module")
def twin():
    from nbhelpers.twins.stills.asked import load_twin

    return load_twin(twin_folder("tiny/gemma-3"))


@pytest.mark.slow
@pytest.mark.parametrize(("task", "bar"), [("larger", 0.9), ("describe", 0.78)])
def test_the_shipped_twin_answers(twin, task, bar):
    from nbhelpers.twins.stills.asked import Asked, right_answers

    right, _, _ = right_answers(*twin, Asked(task, task), 100, 0)
    assert right.mean() >= bar


@pytest.mark.slow
def test_a_damaged_twin_reads_worse(twin):
    """More noise on the language model's MLPs, more perplexity: what a lesion study measures."""
    from nbhelpers.data.stills import draw_text
    from nbhelpers.twins.gemma3.perplexity import perplexity

    model, processor = twin
    texts = [draw_text(np.random.default_rng(seed)) for seed in range(40)]
    weights = {n: p for n, p in model.named_parameters() if "language_model" in n and ".mlp." in n}
    kept = {name: weight.detach().clone() for name, weight in weights.items()}
    found = []
    for sigma in (0.0, 0.4, 0.8, 1.6):
        torch.manual_seed(0)
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(kept[name] * (1 + sigma * torch.randn_like(weight)))
        found.append(perplexity(model, processor, texts)[0])
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(kept[name])
    assert found == sorted(found)
    assert found[-1] > 2 * found[0]
