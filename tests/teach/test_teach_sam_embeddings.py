"""Embeddings of SAM's frozen encoder: what they depend on, and how they are kept."""

import logging
import multiprocessing
import os

import numpy as np
import pytest
import torch
from sam_sets import picture, small_sam2, twin

from nbhelpers.errors import BadInput
from nbhelpers.teach.sam import EmbeddingCache, embed, embed_through, encoder_digest, image_key

DIGEST = "0123456789abcdef" * 2


def levels(seed, size=8):
    random = np.random.default_rng(seed)
    return tuple(torch.from_numpy(random.normal(size=(2, n, n)).astype(np.float32)) for n in (2 * size, size))


def test_shapes_and_frozen():
    model, processor = twin()
    (found,) = embed(model, processor, picture())
    assert found.shape == (64, 16, 16) and not found.requires_grad
    fine, middle, coarse = embed(*small_sam2(), picture())
    assert [level.shape for level in (fine, middle, coarse)] == [(4, 32, 32), (8, 16, 16), (32, 8, 8)]


@pytest.mark.parametrize("get", [twin, small_sam2])
def test_embedding_is_the_one_the_class_computes_itself(get):
    from nbhelpers.teach.sam import placed
    from nbhelpers.teach.sam.outlines import prompt

    model, processor = get()
    image, box = picture(), np.array([[40.0, 24, 60, 48]], np.float32)
    inputs = processor.image_processor(images=[image], return_tensors="pt")
    corners = torch.from_numpy(placed(processor, image.shape[:2]).to_input(box))
    with torch.no_grad():
        whole = model(
            pixel_values=inputs["pixel_values"], input_boxes=corners[None], multimask_output=False
        ).pred_masks[0, :, 0]
        kept, _ = prompt(model, [level[None] for level in embed(model, processor, image)], corners, None)
    torch.testing.assert_close(kept, whole, rtol=0, atol=0)


def test_autocast_of_who_asks_first_changes_nothing():
    model, processor = twin()
    with torch.autocast("cpu", torch.bfloat16):
        (inside,) = embed(model, processor, picture())
    assert torch.equal(inside, embed(model, processor, picture())[0])


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_what_comes_back_is_what_was_put(tmp_path, dtype):
    cache, given = EmbeddingCache(tmp_path, 1, DIGEST, dtype), levels(0)
    assert cache.get("k") is None
    put, got = cache.put("k", given), cache.get("k")
    assert cache.hits == cache.misses == 1
    for a, b, c in zip(given, put, got, strict=True):
        assert b.dtype == c.dtype == getattr(torch, dtype)
        assert torch.equal(b, c) and torch.equal(a.to(b.dtype), b)
    assert {path.suffix for path in tmp_path.iterdir()} == {".embedding"}


def test_key_is_of_pixels_and_size():
    image = picture()
    assert image_key(image) == image_key(np.asfortranarray(image))
    other = image.copy()
    other[0, 0, 0] ^= 1
    keys = {image_key(image), image_key(other), image_key(image.reshape(120, 96, 3))}
    assert len(keys) == 3


@pytest.mark.parametrize("get", [twin, small_sam2])
def test_digest_is_of_the_weights_and_the_processor(get):
    import copy

    model, processor = get()
    first = encoder_digest(model, processor)
    assert first == encoder_digest(model, processor)
    changed = copy.deepcopy(model)
    with torch.no_grad():
        changed.mask_decoder.iou_token.weight += 1  # takes no part in an embedding
    assert encoder_digest(changed, processor) == first
    with torch.no_grad():
        next(reversed(list(changed.vision_encoder.parameters()))).flatten()[0] += 1e-3
    assert encoder_digest(changed, processor) != first
    assert encoder_digest(copy.deepcopy(model).half(), processor) != first
    brighter = copy.deepcopy(processor)
    brighter.image_processor.image_mean = [0.4, 0.4, 0.4]
    assert encoder_digest(model, brighter) != first


def test_digest_of_sam2_counts_what_lies_outside_its_encoder():
    import copy

    model, processor = small_sam2()
    for name in ("mask_decoder.conv_s0.weight", "no_memory_embedding"):
        changed = copy.deepcopy(model)
        with torch.no_grad():
            changed.get_parameter(name).flatten()[0] += 1e-3
        assert encoder_digest(changed, processor) != encoder_digest(model, processor)


def test_adapter_on_the_decoder_leaves_digest_and_embedding(tmp_path):
    import copy

    from nbhelpers.models import add_lora, family_of

    model, processor = twin()
    wrapped = add_lora(copy.deepcopy(model), family_of(model.config), r=4).model
    assert encoder_digest(wrapped, processor) == encoder_digest(model, processor)
    assert torch.equal(embed(wrapped, processor, picture())[0], embed(model, processor, picture())[0])


def test_other_weights_do_not_find_it(tmp_path):
    EmbeddingCache(tmp_path, 1, DIGEST).put("k", levels(0))
    assert EmbeddingCache(tmp_path, 1, "f" * 32).get("k") is None
    assert EmbeddingCache(tmp_path, 1, DIGEST, "float32").get("k") is None
    assert EmbeddingCache(tmp_path, 1, DIGEST).get("k") is not None


@pytest.mark.parametrize(
    "harm", [lambda b: b[:-3], lambda b: b"", lambda b: b[:40] + b"\0" + b[41:], lambda b: b[:9]]
)
def test_damaged_file_is_computed_again_with_a_warning(tmp_path, caplog, harm):
    model, processor = twin()
    cache = EmbeddingCache(tmp_path, 1, encoder_digest(model, processor))
    first = embed_through(cache, model, processor, picture())
    path = cache.path(image_key(picture()))
    whole = path.read_bytes()
    path.write_bytes(harm(whole))
    with caplog.at_level(logging.WARNING):
        again = embed_through(cache, model, processor, picture())
    assert "damaged" in caplog.text and path.name in caplog.text
    assert torch.equal(first[0], again[0]) and path.read_bytes() == whole


def test_longest_unused_leaves_first(tmp_path):
    cache = EmbeddingCache(tmp_path / "one", 1, DIGEST)
    cache.put("size", levels(0))
    each = cache.bytes_used()
    cache = EmbeddingCache(tmp_path / "two", 4.5 * each / 2**30, DIGEST)
    for number, key in enumerate("abcd"):
        cache.put(key, levels(number))
        os.utime(cache.path(key), (number, number))
    assert cache.get("a") is not None  # used again: now "b" is the oldest
    cache.put("e", levels(9))
    assert cache.get("b") is None
    assert all(cache.get(key) is not None for key in "ade")
    assert cache.bytes_used() <= cache.limit_bytes
    for number in range(30):
        cache.put(f"n{number}", levels(number))
        assert cache.bytes_used() <= cache.limit_bytes
    assert cache.get("n29") is not None


def test_bound_counts_what_lay_there_before(tmp_path):
    first = EmbeddingCache(tmp_path, 1, DIGEST)
    for number in range(6):
        first.put(f"old{number}", levels(number))
    second = EmbeddingCache(tmp_path, 3.5 / 6 * first.bytes_used() / 2**30, DIGEST)
    second.put("new", levels(7))
    assert second.bytes_used() <= second.limit_bytes and second.get("new") is not None


def test_bound_must_be_above_zero(tmp_path):
    with pytest.raises(BadInput, match="bound of 0"):
        EmbeddingCache(tmp_path, 0, DIGEST)


def _put_and_get(folder, limit, results):
    cache = EmbeddingCache(folder, limit, DIGEST)
    good = True
    for turn in range(60):
        for number in range(8):
            found = cache.get(str(number))
            if found is None:
                found = cache.put(str(number), levels(number))
            good &= all(torch.equal(a, b.half()) for a, b in zip(found, levels(number), strict=True))
        del turn
    results.put(good)


def test_two_processes_share_a_folder_that_is_too_small(tmp_path, caplog):
    """Files come and go under the hands of both; every answer is whole and right."""
    one = EmbeddingCache(tmp_path / "size", 1, DIGEST)
    one.put("k", levels(0))
    limit = 4.5 * one.bytes_used() / 2**30
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    jobs = [context.Process(target=_put_and_get, args=(tmp_path / "two", limit, results)) for _ in range(2)]
    for job in jobs:
        job.start()
    answers = [results.get(timeout=600) for _ in jobs]
    for job in jobs:
        job.join(600)
        assert job.exitcode == 0
    assert answers == [True, True]
    assert {path.suffix for path in (tmp_path / "two").iterdir()} == {".embedding"}
