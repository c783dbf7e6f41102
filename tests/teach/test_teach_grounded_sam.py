import numpy as np
import pytest

from nbhelpers.errors import BadInput
from nbhelpers.teach.grounded_sam import Grid, GroundedSam
from nbhelpers.teach.record import write_teachers

DINO, SAM = "tiny/grounding-dino", "tiny/sam"
MAPPING = {"10": "cone", "9": "forklift", "2": "shelf", "1": "barrel"}
NAMES = ["barrel", "shelf", "forklift", "cone"]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    from nbhelpers.data import draw_scenes

    return draw_scenes(tmp_path_factory.mktemp("scenes"), 10, (160, 160), 5, world="shifted")


@pytest.fixture(scope="module")
def images(scenes):
    return [scenes.image(number) for number in scenes.image_ids[:4]]


@pytest.fixture(scope="module")
def both():
    return GroundedSam.from_pretrained(DINO, SAM, class_mapping=MAPPING, device="cpu")


def same(one, other):
    assert np.allclose(one.xyxy, other.xyxy, atol=1e-2)
    assert np.allclose(one.confidence, other.confidence, atol=1e-4)
    assert one.class_id.tolist() == other.class_id.tolist()
    assert (one.mask is None) == (other.mask is None)
    if one.mask is not None and len(one):
        assert (np.asarray(one.mask) != np.asarray(other.mask)).mean() < 1e-3


def test_class_indices_follow_the_ids_as_numbers(both):
    assert both.class_names == NAMES
    assert both.task == "segment" and both.mode == "detection_and_segmentation"


def test_what_predict_promises(both, images):
    found = both.predict(images)
    assert len(found) == len(images) and sum(map(len, found)) > 4
    for image, one in zip(images, found, strict=True):
        height, width = image.shape[:2]
        scores = one.data["class_scores"]
        assert one.xyxy.dtype == np.float32 and one.confidence.dtype == np.float32
        assert one.mask.shape == (len(one), height, width) and one.mask.dtype == bool
        assert scores.shape == (len(one), 4) and scores.dtype == np.float32
        assert scores.argmax(1).tolist() == one.class_id.tolist()
        assert np.array_equal(scores.max(1), one.confidence)
        assert list(one.data["class_name"]) == [NAMES[index] for index in one.class_id]
        assert (np.diff(one.confidence) <= 0).all() and (one.confidence >= 0.25).all()
        assert (one.xyxy[:, 2:] <= [width, height]).all() and (one.xyxy[:, :2] >= 0).all()
        assert one.mask.any(axis=(1, 2)).all()
        assert ((one.data["mask_quality"] > 0) & (one.data["mask_quality"] < 1.2)).all()


def test_masks_lie_in_their_boxes(both, images):
    shares = []
    for one in both.predict(images):
        for mask, (left, top, right, bottom) in zip(one.mask, one.xyxy.round().astype(int), strict=True):
            shares.append(mask[top:bottom, left:right].sum() / mask.sum())
    assert len(shares) > 4 and np.mean(shares) > 0.85


def test_batches_and_sizes_change_nothing(both, images):
    sizes = [images[0][:101, :57], images[1], images[2][20:47, :], images[3], images[0][:9, :7]]
    together = both.predict(sizes)
    for image, one in zip(sizes, together, strict=True):
        assert one.mask.shape[1:] == image.shape[:2]
        same(one, both.predict([image])[0])


def test_nothing_to_see(both):
    assert both.predict([]) == []
    gray = np.full((40, 30, 3), 114, np.uint8)
    one = both.predict([gray], thresholds=dict.fromkeys(NAMES, 0.99))[0]
    assert len(one) == 0 and one.xyxy.shape == (0, 4) and one.mask.shape == (0, 40, 30)
    assert one.data["class_scores"].shape == (0, 4) and one.data["mask_quality"].shape == (0,)


@pytest.mark.parametrize(
    "image", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32), np.zeros((0, 8, 3), np.uint8)]
)
def test_what_is_no_picture_is_refused(both, image):
    with pytest.raises(BadInput, match=r"picture 1: shape .* give height x width x 3"):
        both.predict([np.zeros((8, 8, 3), np.uint8), image])


def test_thresholds_are_per_class(both, images):
    usual = both.predict(images, thresholds=dict.fromkeys(NAMES, 0.2))
    strict = both.predict(images, thresholds=dict.fromkeys(NAMES, 0.2) | {"barrel": 1.0})
    assert any((one.class_id == 0).any() for one in usual)
    for one, other in zip(usual, strict, strict=True):
        kept = one.class_id != 0
        assert np.array_equal(one.xyxy[kept], other.xyxy)


def test_another_mapping_asks_for_other_classes(both, images):
    found = both.predict(images, {"1": "forklift"})
    assert all(one.data["class_scores"].shape[1] == 1 for one in found)
    assert {str(name) for one in found for name in one.data["class_name"]} <= {"forklift"}
    with pytest.raises(BadInput, match="no class to look for"):
        GroundedSam("detection", (), both.detector, None).predict(images)
    with pytest.raises(BadInput, match="keys are category ids"):
        both.predict(images, {"one": "box"})
    with pytest.raises(BadInput, match="names a class twice"):
        both.predict(images, {"1": "box", "2": "box"})


def test_detection_never_touches_a_segmenter(images, both):
    alone = GroundedSam.from_pretrained(
        DINO, "no/such-model", mode="detection", class_mapping=MAPPING, device="cpu"
    )
    assert alone.segmenter is None and alone.task == "detect"
    found = alone.predict(images)
    assert all(one.mask is None and "mask_quality" not in one.data for one in found)
    assert set(alone.features(images)) == {"grounding_dino"}
    assert ("segmenter", "not needed, not loaded") in alone.describe()
    # SAM only drops boxes whose mask is empty; what is left are the same boxes.
    for one, outlined in zip(found, both.predict(images), strict=True):
        assert {tuple(box) for box in outlined.xyxy.tolist()} <= {tuple(box) for box in one.xyxy.tolist()}


def test_segmentation_is_sam_alone(images):
    grid = Grid(points_per_side=6, predicted_iou=0.3, stability=0.3)
    alone = GroundedSam.from_pretrained("no/such-model", SAM, mode="segmentation", grid=grid, device="cpu")
    assert alone.detector is None and alone.class_names == ["object"]
    found = alone.predict(images[:2], {"1": "box", "2": "cone"})
    assert sum(map(len, found)) > 3
    for one in found:
        assert set(one.class_id) <= {0} and one.data["class_scores"].shape == (len(one), 1)
        assert one.mask.any(axis=(1, 2)).all() and (one.confidence >= 0.3).all()
        for mask, box in zip(one.mask, one.xyxy, strict=True):
            rows, columns = np.nonzero(mask)
            assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert set(alone.features(images[:1])) == {"sam"}
    assert len(alone.predict(images[:1], thresholds={"object": 0.99})[0]) == 0


def test_modes_and_models_must_fit():
    with pytest.raises(BadInput, match="give a detector, a segmenter or both"):
        GroundedSam.from_pretrained()
    with pytest.raises(BadInput, match=r"needs sam: give its name"):
        GroundedSam.from_pretrained(DINO, mode="detection_and_segmentation")
    with pytest.raises(BadInput, match="mode 'boxes' is not known"):
        GroundedSam.from_pretrained(DINO, mode="boxes")


def adapter_of(name, folder):
    """A random adapter, strong enough to be seen in the answers."""
    import torch

    from nbhelpers.models import add_lora, load, save_adapter

    loaded = load(name, task="tune", device="cpu")
    torch.manual_seed(3)
    report = add_lora(loaded.model, loaded.family, r=4, alpha=8)
    wrapped = report.model
    for name_, value in wrapped.named_parameters():
        if "lora_B" in name_:
            torch.nn.init.normal_(value, std=0.02)
    return save_adapter(
        wrapped, folder, base=loaded.name, revision=loaded.revision, roles=loaded.family.lora_roles
    )


@pytest.fixture(scope="module")
def adapters(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teachers")
    return folder, adapter_of(DINO, folder / "dino" / "adapter"), adapter_of(SAM, folder / "sam" / "adapter")


def test_adapters_merged_or_not_answer_alike(adapters, both, images):
    _, dino, sam = adapters
    made = {
        merge: GroundedSam.from_pretrained(
            DINO,
            SAM,
            dino_adapter=dino,
            sam_adapter=sam,
            merge=merge,
            class_mapping=MAPPING,
            device="cpu",
        )
        for merge in (True, False)
    }
    least = dict.fromkeys(NAMES, 0.1)
    merged, beside = (made[merge].predict(images, thresholds=least) for merge in (True, False))
    for one, other in zip(merged, beside, strict=True):
        same(one, other)
    plain = both.predict(images, thresholds=least)
    assert any(
        len(one) != len(other) or not np.allclose(one.xyxy, other.xyxy, atol=0.1)
        for one, other in zip(merged, plain, strict=True)
    ), "the adapter changes nothing, so the test proves nothing"
    assert made[True].detector.merged and not made[False].detector.merged
    assert made[True].identity() == made[False].identity() != both.identity()


def test_from_folder_is_what_was_recorded(adapters, images):
    folder, dino, sam = adapters
    made = GroundedSam.from_pretrained(
        DINO,
        SAM,
        dino_adapter=dino,
        sam_adapter=sam,
        class_mapping=MAPPING,
        thresholds={"cone": 0.4},
        nms=0.6,
        device="cpu",
    )
    write_teachers(folder, made.record(folder))
    again = GroundedSam.from_folder(folder, "cpu")
    assert again.identity() == made.identity() and again.thresholds == {"cone": 0.4} and again.nms == 0.6
    for one, other in zip(made.predict(images), again.predict(images), strict=True):
        same(one, other)
    with pytest.raises(BadInput, match="lies outside"):
        made.record(folder / "dino")


def test_an_adapter_of_another_model_is_refused(adapters):
    with pytest.raises(BadInput, match="is made for tiny/sam"):
        GroundedSam.from_pretrained(DINO, dino_adapter=adapters[2], class_mapping=MAPPING, device="cpu")


def test_teachers_are_scored_like_students(both, scenes):
    from nbhelpers.distill import run_on_set

    few = scenes.subset(scenes.image_ids[:4])
    results = run_on_set(both, few)
    assert set(results.scores()) == {"bbox", "segm"}
    assert 0.05 < results.scores()["bbox"].ap50 <= 1
    one = both.predict_one(few.image(few.image_ids[0]), 0.001, 0.7, multi_label=True, max_detections=50)
    single = both.predict_one(few.image(few.image_ids[0]), 0.001, 0.7, max_detections=50)
    assert len(single) < len(one) <= 50
    boxes = [tuple(box) for box in one.xyxy.tolist()]
    assert len(set(boxes)) < len(boxes), "with several classes a box stands more than once"


def test_thresholds_are_chosen_on_validation(both, scenes):
    from dataclasses import replace

    own = replace(both, thresholds={}, choices=[])
    chosen = own.choose_thresholds(scenes)
    assert list(chosen) == NAMES and own.thresholds == chosen
    by_name = {one.name: one for one in own.choices}
    assert all(one.truths > 0 for one in own.choices)
    assert 0.02 <= by_name["forklift"].threshold < 1 and by_name["forklift"].f1 > 0.4
    with pytest.raises(BadInput, match="has no category 'sofa'"):
        replace(both, names=("sofa",)).choose_thresholds(scenes)


def test_sam_alone_chooses_its_stability_too(scenes, tmp_path):
    grid = Grid(points_per_side=6)
    alone = GroundedSam.from_pretrained(sam=SAM, grid=grid, device="cpu")
    few = scenes.subset(scenes.image_ids[:3])
    assert sum(len(one) for one in alone.predict([few.image(n) for n in few.image_ids])) == 0
    chosen = alone.choose_thresholds(few)
    assert set(chosen) == {"object"} and 0.3 <= chosen["object"] < 0.88
    assert alone.grid.stability < 0.95 and alone.choices[0].f1 > 0
    assert sum(len(one) for one in alone.predict([few.image(n) for n in few.image_ids])) > 0
    write_teachers(tmp_path, alone.record(tmp_path))
    again = GroundedSam.from_folder(tmp_path, "cpu")
    assert again.grid.stability == alone.grid.stability and again.thresholds == chosen
    assert again.class_names == ["object"]
