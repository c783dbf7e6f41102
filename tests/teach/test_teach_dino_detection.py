"""Detection: classes by token span, boxes in pixels, doubles removed, several prompts joined."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from nbhelpers.errors import BadInput
from nbhelpers.models.places import twin_folder
from nbhelpers.teach.grounding_dino import detect


@pytest.fixture(scope="module")
def processor():
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(twin_folder("tiny/grounding-dino"), local_files_only=True)


class FixedModel:
    """Answers every picture with the same queries; scores by token place, or by the words of the prompt."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, scores, boxes, limit=64):
        self.scores, self.boxes = scores, boxes
        self.config = SimpleNamespace(max_text_len=limit)

    def eval(self):
        return self

    def __call__(self, pixel_values, input_ids, **_):
        logits = torch.full((len(pixel_values), len(self.boxes), 64), -torch.inf)
        scores = self.scores(input_ids[0].tolist()) if callable(self.scores) else self.scores
        logits[..., : input_ids.shape[1]] = torch.logit(torch.tensor(scores))
        return SimpleNamespace(
            logits=logits, pred_boxes=torch.tensor(self.boxes).expand(len(pixel_values), -1, -1)
        )


#            [CLS] pallet   .    pallet jack   .   [SEP]
TWO_PHRASES = [
    [0.01, 0.90, 0.01, 0.60, 0.10, 0.01, 0.01],
    [0.01, 0.50, 0.01, 0.50, 0.80, 0.01, 0.01],
    [0.01, 0.70, 0.01, 0.30, 0.10, 0.01, 0.01],
]
BOXES = [[0.25, 0.5, 0.3, 0.6], [0.75, 0.5, 0.3, 0.6], [0.26, 0.5, 0.3, 0.6]]
NAMES = ["pallet", "pallet_jack"]


def test_classes_come_from_the_span_of_their_tokens_and_boxes_in_pixels(processor):
    images = [np.zeros((50, 100, 3), np.uint8)]
    (found,) = detect(FixedModel(TWO_PHRASES, BOXES), processor, images, NAMES)
    assert found.class_id.tolist() == [0, 1]  # the double of the pallet is gone
    assert found.confidence == pytest.approx([0.9, 0.65])
    assert found.xyxy[0] == pytest.approx([10, 10, 40, 40], abs=1e-4)


def test_scores_of_all_classes_are_kept_for_every_box(processor):
    images = [np.zeros((50, 100, 3), np.uint8)]
    (found,) = detect(FixedModel(TWO_PHRASES, BOXES), processor, images, NAMES)
    scores = found.data["class_scores"]
    assert scores.dtype == np.float32
    assert scores == pytest.approx(np.array([[0.9, 0.35], [0.5, 0.65]]), abs=1e-6)


def test_without_nms_doubles_stay_and_a_threshold_removes_the_weak(processor):
    images = [np.zeros((50, 100, 3), np.uint8)] * 2
    every = detect(FixedModel(TWO_PHRASES, BOXES), processor, images, NAMES, nms=None)
    assert [one.confidence.tolist() for one in every] == [pytest.approx([0.9, 0.7, 0.65])] * 2
    (none,) = detect(FixedModel(TWO_PHRASES, BOXES), processor, images[:1], NAMES, threshold=0.95)
    assert len(none) == 0
    assert none.data["class_scores"].shape == (0, 2)


def test_pictures_of_several_shapes_come_back_in_their_order(processor):
    images = [np.zeros((h, w, 3), np.uint8) for h, w in ((50, 100), (64, 64), (50, 100))]
    found = detect(FixedModel(TWO_PHRASES, BOXES), processor, images, NAMES)
    assert [one.xyxy[0, 2] for one in found] == pytest.approx([40, 25.6, 40], abs=1e-4)


@pytest.mark.parametrize("names", [[], ["box", " "], ["box. cone"], ["box", "Box"]])
def test_names_no_prompt_can_hold_are_refused(processor, names):
    with pytest.raises(BadInput, match="class"):
        detect(FixedModel(TWO_PHRASES, BOXES), processor, [], names)


def by_word(processor, table):
    """Scores per query: of each word in the prompt, `table[word]`; 0.01 elsewhere."""
    values = {processor.tokenizer.convert_tokens_to_ids(word): row for word, row in table.items()}

    def scores(ids):
        return [[values[token][query] if token in values else 0.01 for token in ids] for query in range(3)]

    return scores


def test_classes_asked_for_in_different_prompts_compete_for_an_object(processor):
    table = {"box": [0.6, 0.02, 0.2], "truck": [0.8, 0.02, 0.2], "cone": [0.1, 0.7, 0.1]}
    model = FixedModel(by_word(processor, table), BOXES, limit=4)  # one word a prompt
    images = [np.zeros((50, 100, 3), np.uint8)]
    (parted,) = detect(model, processor, images, ["box", "truck", "cone"])
    (whole,) = detect(
        FixedModel(by_word(processor, table), BOXES), processor, images, ["box", "truck", "cone"]
    )
    assert parted.class_id.tolist() == whole.class_id.tolist() == [1, 2]
    assert parted.confidence == pytest.approx(whole.confidence)
    assert parted.xyxy == pytest.approx(whole.xyxy)
    assert parted.data["class_scores"][0, :2] == pytest.approx([0.6, 0.8])


@pytest.fixture(scope="module")
def twin():
    from transformers import AutoModelForZeroShotObjectDetection

    return AutoModelForZeroShotObjectDetection.from_pretrained(
        twin_folder("tiny/grounding-dino"), local_files_only=True
    )


def test_batches_change_no_answer(twin, processor):
    from nbhelpers.data.scenes.render import render_scene
    from nbhelpers.data.scenes.world import find_world

    images = [render_scene(index, (128, 128), 5, find_world("base")).image for index in range(5)]
    names = ["cone", "box", "forklift"]
    together, alone = (detect(twin, processor, images, names, batch_size=size) for size in (4, 1))
    assert sum(len(one) for one in together) > 3
    for first, second in zip(together, alone, strict=True):
        assert first.xyxy == pytest.approx(second.xyxy, abs=1e-2)
        assert first.class_id.tolist() == second.class_id.tolist()


def test_weights_in_half_precision_answer_the_same(processor):
    from transformers import AutoModelForZeroShotObjectDetection

    from nbhelpers.data.scenes.render import render_scene
    from nbhelpers.data.scenes.world import find_world

    image = render_scene(3, (128, 128), 5, find_world("base")).image
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        model = AutoModelForZeroShotObjectDetection.from_pretrained(
            twin_folder("tiny/grounding-dino"), local_files_only=True, dtype=dtype
        )
        found.append(detect(model, processor, [image], ["box", "cone", "pallet"], threshold=0.4)[0])
    assert len(found[0]) == len(found[1]) > 0
    assert found[0].xyxy == pytest.approx(found[1].xyxy, abs=4)
