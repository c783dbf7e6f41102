from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from nbhelpers.distill import letterbox
from nbhelpers.errors import BadInput
from nbhelpers.export import (
    TENSORRT,
    QuantizeSettings,
    check_single_image_input,
    open_engine,
    quantize_dynamic,
    quantize_static,
    read_card,
)
from nbhelpers.export.accuracy import output_differences
from nbhelpers.export.calibration import CalibrationReader, iterate_images
from nbhelpers.export.graph import check_tensorrt_quantization, load_onnx


def test_convolutions_compute_on_eight_bits_and_the_decoding_does_not(int8):
    model = load_onnx(int8.path)
    makers = {output: node.op_type for node in model.graph.node for output in node.output}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    quantized = [node for node in convolutions if makers.get(node.input[0]) == "DequantizeLinear"]
    assert len(quantized) == 75
    assert len(convolutions) == 75
    assert "Softmax" in {node.op_type for node in model.graph.node if node.name in int8.kept_float}
    final = next(node for node in model.graph.node if "predictions" in node.output)
    assert final.op_type == "Concat"  # not a DequantizeLinear: boxes and scores share no scale


def test_weights_have_a_scale_per_channel(int8):
    model = load_onnx(int8.path)
    weights = [tensor for tensor in model.graph.initializer if len(tensor.dims) == 4]
    eight = [tensor for tensor in weights if tensor.data_type == TensorProto.INT8]
    scales = {tensor.name: tensor for tensor in model.graph.initializer}
    assert len(eight) == 75
    reader = next(node for node in model.graph.node if node.input and node.input[0] == eight[5].name)
    assert numpy_helper.to_array(scales[reader.input[1]]).shape == (eight[5].dims[0],)


def test_the_report_counts(int8, report):
    assert int8.images == 6
    assert int8.quantized_nodes >= 75
    assert int8.size_bytes == int8.path.stat().st_size < 0.4 * report.size_bytes
    assert int8.settings == QuantizeSettings()


def test_the_card_says_how_it_was_made(int8):
    card = read_card(int8.path)
    assert card.precision == "int8-static"
    assert card.notes["calibration_images"] == 6
    assert card.notes["keep_float"] == "decoding"
    assert card.class_names == ["date", "fig", "hazelnut"]
    assert check_single_image_input(int8.path).shape[0] == "batch"


def test_eight_bits_stay_near_and_quantising_everything_does_not(report, int8, folder, photos):
    everything = quantize_static(report.path, folder / "all.onnx", photos, keep_float="none")
    base, good, bad = (open_engine(path, threads=1) for path in (report.path, int8.path, everything.path))
    near, far = output_differences(good, base, photos), output_differences(bad, base, photos)
    assert near["scores"] < 0.25
    # One scale for boxes in pixels and scores in 0..1 has steps of a quarter: scores become 0 or steps.
    scores = bad.run(letterbox(photos[0], 64)[0][None])[0][0, 4:7]
    assert len(np.unique(scores)) <= 6
    assert far["scores"] > near["scores"]


def test_the_head_can_stay_in_float(int8, report, folder, photos):
    head = quantize_static(report.path, folder / "head.onnx", photos[:1], keep_float="head")
    assert len(head.kept_float) == len(int8.kept_float) + 10


def test_calibration_decides_the_ranges(report, folder, photos):
    dark = [np.zeros_like(photo) for photo in photos]
    first = quantize_static(report.path, folder / "bright.onnx", photos[:2])
    second = quantize_static(report.path, folder / "dark.onnx", dark[:2])
    scales = [
        {
            t.name: numpy_helper.to_array(t).max()
            for t in load_onnx(r.path).graph.initializer
            if "scale" in t.name
        }
        for r in (first, second)
    ]
    assert scales[0]["image_scale"] > scales[1]["image_scale"]


def test_dynamic_needs_no_images(report, folder):
    made = quantize_dynamic(report.path, folder / "dynamic.onnx")
    operators = [node.op_type for node in load_onnx(made.path).graph.node]
    assert operators.count("ConvInteger") == made.quantized_nodes == 75
    assert read_card(made.path).precision == "int8-dynamic"
    assert open_engine(made.path, threads=1).run(np.zeros((2, 3, 64, 64), np.float32))[0].shape[0] == 2


def test_batches_still_work_after_quantisation(int8, photos):
    engine = open_engine(int8.path, threads=1)
    batch = np.stack([letterbox(photo, 64)[0] for photo in photos[:5]])
    together = engine.run(batch)[0]
    alone = np.concatenate([engine.run(image[None])[0] for image in batch])
    np.testing.assert_allclose(together, alone, atol=1e-3)


@pytest.mark.parametrize("method", ["percentile", "entropy"])
def test_other_calibration_methods_run_quietly(report, folder, photos, capfd, method):
    settings = QuantizeSettings(method=method)
    made = quantize_static(report.path, folder / f"{method}.onnx", photos[:2], settings=settings)
    assert read_card(made.path).notes["method"] == method
    assert capfd.readouterr().out == ""


class TestTensorRT:
    def test_signed_and_symmetric_passes(self, report, folder, photos):
        made = quantize_static(report.path, folder / "trt.onnx", photos, settings=TENSORRT)
        assert check_tensorrt_quantization(made.path) >= 150
        biases = [t for t in load_onnx(made.path).graph.initializer if t.data_type == TensorProto.INT32]
        assert not biases

    def test_a_float_file_passes(self, report):
        assert check_tensorrt_quantization(report.path) == 0

    def test_the_cpu_kind_is_refused_with_the_mend(self, int8):
        with pytest.raises(BadInput, match=r"not signed with zero point 0.*settings=TENSORRT"):
            check_tensorrt_quantization(int8.path)

    def test_the_dynamic_kind_is_refused(self, report, folder):
        made = quantize_dynamic(report.path, folder / "dynamic2.onnx")
        with pytest.raises(BadInput, match="TensorRT does not know"):
            check_tensorrt_quantization(made.path)

    def test_a_shifted_zero_point_is_refused(self, report, folder, photos):
        settings = replace(TENSORRT, symmetric=False)
        made = quantize_static(report.path, folder / "shifted.onnx", photos, settings=settings)
        with pytest.raises(BadInput, match="zero point 0"):
            check_tensorrt_quantization(made.path)


class TestCalibration:
    def test_images_go_through_the_students_letterbox(self, photos):
        reader = CalibrationReader(photos, 64, "image")
        for photo in photos:
            fed = reader.get_next()
            assert fed is not None
            np.testing.assert_array_equal(fed["image"], letterbox(photo, 64)[0][None])
        assert reader.get_next() is None
        assert reader.count == len(photos)

    def test_a_limit_spreads_over_the_whole_set(self, photos):
        chosen = list(iterate_images(photos, 3))
        assert [photo is photos[index] for photo, index in zip(chosen, (0, 2, 4), strict=True)] == [True] * 3

    def test_coco_sets_and_paths_are_read(self, labelled, photos):
        from_set = list(iterate_images(labelled, 2))
        from_paths = list(
            iterate_images([labelled.image_path(image_id) for image_id in labelled.image_ids], 2)
        )
        for one, other, known in zip(from_set, from_paths, (photos[0], photos[3]), strict=True):
            np.testing.assert_array_equal(one, known)
            np.testing.assert_array_equal(other, known)

    def test_no_images_is_an_error(self, report, tmp_path):
        with pytest.raises(BadInput, match="calibration has no images"):
            quantize_static(report.path, tmp_path / "none.onnx", [])
        assert not (tmp_path / "none.onnx").exists()

    def test_real_photographs(self, report, shared_data, folder):
        photographs = sorted((shared_data / "photos").glob("*.jpg"))
        made = quantize_static(report.path, folder / "real.onnx", photographs, limit=4)
        assert made.images == 4


def test_only_float_files_are_quantised(int8, tmp_path, photos):
    with pytest.raises(BadInput, match="is int8-static; quantise the float32 file"):
        quantize_static(int8.path, tmp_path / "twice.onnx", photos)
    with pytest.raises(BadInput, match="is int8-static; quantise the float32 file"):
        quantize_dynamic(int8.path, tmp_path / "twice.onnx")


def test_a_file_without_a_card_is_refused(tiny_graph, tmp_path, photos):
    with pytest.raises(BadInput, match="metadata has no"):
        quantize_static(tiny_graph({"image": ["n", 3, 64, 64]}), tmp_path / "x.onnx", photos)


def test_the_quantised_model_is_valid_onnx(int8):
    onnx.checker.check_model(load_onnx(int8.path), full_check=True)
