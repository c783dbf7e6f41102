import numpy as np
import pytest

from nbhelpers.distill import letterbox, save_student
from nbhelpers.errors import BadInput, Unavailable
from nbhelpers.export import Engine, OnnxEngine, TorchEngine, open_engine
from nbhelpers.export.engines import choose_provider


@pytest.fixture(scope="module")
def checkpoint(student, folder):
    return save_student(student, folder / "best.pt")


@pytest.fixture(scope="module")
def engines(checkpoint, report):
    return [open_engine(checkpoint, threads=1), open_engine(report.path, threads=1)]


def test_both_are_engines(engines):
    assert [type(engine) for engine in engines] == [TorchEngine, OnnxEngine]
    for engine, name in zip(engines, ("torch", "onnx"), strict=True):
        assert isinstance(engine, Engine)
        assert engine.name == name
        assert (engine.task, engine.image_size) == ("segment", 64)
        assert engine.class_names == ["date", "fig", "hazelnut"]
        assert engine.path is not None


def test_they_find_the_same(engines, photos):
    for photo in photos:
        torch_found, onnx_found = (engine.predict(photo, confidence=0.02) for engine in engines)
        assert len(torch_found) == len(onnx_found)
        np.testing.assert_allclose(torch_found.xyxy, onnx_found.xyxy, atol=1e-2)
        np.testing.assert_array_equal(torch_found.class_id, onnx_found.class_id)
        assert (torch_found.mask == onnx_found.mask).mean() > 0.999


def test_detections_are_in_the_photos_pixels(engines, shared_data):
    from nbhelpers.data import read_image

    photo = read_image(sorted((shared_data / "photos").glob("*.jpg"))[0])
    found = engines[1].predict(photo, confidence=0.001)
    assert len(found) > 0
    assert found.mask is not None
    assert found.mask.shape[1:] == photo.shape[:2]
    assert (found.xyxy >= 0).all()
    assert (found.xyxy[:, [0, 2]] <= photo.shape[1]).all()
    assert (found.xyxy[:, [1, 3]] <= photo.shape[0]).all()


def test_the_student_predicts_what_its_engine_predicts(engines, student, photos):
    ours, theirs = engines[0].predict(photos[1], 0.02), student.predict(photos[1], 0.02)
    np.testing.assert_array_equal(ours.xyxy, theirs.xyxy)


def test_options_reach_the_decoding(engines, photos):
    assert len(engines[1].predict(photos[0], 0.001, max_detections=2)) <= 2


def test_outputs_are_float32(engines, photos):
    batch = letterbox(photos[0], 64)[0][None]
    for engine in engines:
        assert [output.dtype for output in engine.run(batch)] == [np.float32, np.float32]


def test_a_file_alone_is_enough(report, tmp_path):
    moved = tmp_path / "elsewhere.onnx"
    moved.write_bytes(report.path.read_bytes())
    assert open_engine(moved).class_names == ["date", "fig", "hazelnut"]


def test_torch_gets_its_threads_back(checkpoint):
    """Seen once: an engine opened with one thread left the whole process with one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        engine = open_engine(checkpoint, threads=1)
        seen = []
        engine.student.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
        engine.predict(np.zeros((64, 64, 3), np.uint8))
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


def test_threads_are_set(report):
    options = open_engine(report.path, threads=1).session.get_session_options()
    assert options.intra_op_num_threads == 1


@pytest.mark.parametrize("name", ["model.tflite", "model", "model.onnx.txt"])
def test_other_suffixes_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(BadInput, match=r"an engine is a \.pt, \.onnx or \.engine file"):
        open_engine(tmp_path / name)


@pytest.mark.parametrize("name", ["no.onnx", "no.pt", "no.engine"])
def test_missing_files_are_named(tmp_path, name):
    with pytest.raises(BadInput, match=rf"{name}: there is no such file"):
        open_engine(tmp_path / name)


def test_broken_files_are_named(tmp_path, report):
    (tmp_path / "cut.onnx").write_bytes(report.path.read_bytes()[:5000])
    with pytest.raises(BadInput, match=r"cut\.onnx: ONNX Runtime cannot open it"):
        open_engine(tmp_path / "cut.onnx")


def test_models_of_others_have_no_card(tiny_graph):
    with pytest.raises(BadInput, match="metadata has no"):
        open_engine(tiny_graph({"image": ["n", 3, 64, 64]}))


def test_the_provider_has_a_reason():
    assert choose_provider("cpu").value == "CPUExecutionProvider"
    fallen = choose_provider("cuda:0")
    assert "cuda:0" in fallen.reason


def test_torch_on_a_missing_gpu(checkpoint, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Unavailable, match="finds no CUDA GPU"):
        open_engine(checkpoint, device="cuda:0")


def test_engines_say_what_they_are(engines):
    assert repr(engines[1]).startswith("OnnxEngine(onnx, segment, 64 px, CPUExecutionProvider")
