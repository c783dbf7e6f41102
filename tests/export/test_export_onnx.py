import copy

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper

from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.export import check_single_image_input, export_onnx, read_card
from nbhelpers.export.graph import decoding_nodes, head_convolutions, load_onnx
from nbhelpers.export.parity import accept, differences_to_torch


def test_one_image_goes_in_and_its_batch_is_free(report, student):
    image = check_single_image_input(report.path)
    assert (image.name, image.dtype) == ("image", "float32")
    assert image.shape == ("batch", 3, student.image_size, student.image_size)


def test_outputs_keep_the_batch_free_too(report):
    outputs = {value.name: value.type.tensor_type.shape.dim for value in load_onnx(report.path).graph.output}
    assert list(outputs) == ["predictions", "prototypes"]
    assert all(dims[0].dim_param == "batch" for dims in outputs.values())


def test_every_batch_gives_what_torch_gives(report):
    assert report.batches == [1, 2, 5]
    assert set(report.max_difference) == {"predictions", "prototypes"}
    assert max(report.max_difference.values()) < 1e-4


@pytest.mark.parametrize("count", [1, 3, 4])
def test_other_batches_agree_as_well(report, student, count):
    for difference, _ in differences_to_torch(student, report.path, [count]).values():
        assert difference < 1e-4


def test_a_batch_gives_each_image_what_it_gives_alone(report):
    from nbhelpers.export.session import cpu_session

    session = cpu_session(report.path, 1)
    batch = np.random.default_rng(3).random((3, 3, 64, 64), dtype=np.float32)
    together = session.run(None, {"image": batch})
    for index in range(3):
        for whole, alone in zip(
            together, session.run(None, {"image": batch[index : index + 1]}), strict=True
        ):
            np.testing.assert_allclose(whole[index], alone[0], atol=1e-4)


def test_the_file_is_alone_and_modern(report):
    assert [path.name for path in report.path.parent.glob("student.onnx*")] == ["student.onnx"]
    model = load_onnx(report.path)
    assert model.opset_import[0].version >= 17
    onnx.checker.check_model(model, full_check=True)
    assert not any(tensor.external_data for tensor in model.graph.initializer)


def test_constants_are_folded(report):
    operators = report.operators
    assert not {"BatchNormalization", "Constant", "Shape", "Identity", "Dropout"} & set(operators)
    assert operators["Conv"] == 75


def test_the_file_names_no_folder_of_this_machine(report):
    content = report.path.read_bytes()
    assert b"site-packages" not in content
    assert b".py" not in content


def test_the_card_is_read_back_from_the_file(report, student):
    card = read_card(report.path)
    assert card == report.card
    assert (card.student, card.size, card.task, card.precision) == ("yolov8_seg", "n", "segment", "float32")
    assert card.class_names == student.class_names
    assert (card.image_size, card.stride, card.licence) == (64, 32, "AGPL-3.0")
    assert card.versions["torch"] == torch.__version__.split("+")[0]


def test_names_beyond_ascii_survive(student, tmp_path):
    from nbhelpers.export.card import card_from_props, card_of_student

    named = copy.copy(student)
    named.class_names = ["Größe", "箱", 'a "b", c']
    card = card_of_student(named)
    assert card_from_props(card.to_props(), "x").class_names == named.class_names


@pytest.mark.slow
def test_export_leaves_the_student_alone_and_says_nothing(student, tmp_path, capfd, recwarn):
    before = {key: value.clone() for key, value in student.state_dict().items()}
    modules = [type(module) for module in student.modules()]
    report = export_onnx(student, tmp_path / "again.onnx", half=True, batches=(1,))
    assert report.precision == read_card(report.path).precision == "float16"
    assert [type(module) for module in student.modules()] == modules
    assert all(torch.equal(before[key], value) for key, value in student.state_dict().items())
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""
    assert not recwarn.list


@pytest.mark.slow
def test_a_detection_student_has_one_output(tmp_path):
    from nbhelpers.distill import build_student

    made = build_student("yolov8", ["box"], "n", 96)
    report = export_onnx(made, tmp_path / "boxes.onnx", opset=17, batches=(1, 2))
    assert report.outputs == ["predictions"]
    assert load_onnx(report.path).opset_import[0].version == 17
    assert max(report.max_difference.values()) < 1e-4


def test_old_operator_sets_are_refused(student, tmp_path):
    with pytest.raises(BadInput, match="opset 16"):
        export_onnx(student, tmp_path / "old.onnx", opset=16)


def test_two_inputs_are_no_student(tiny_graph):
    path = tiny_graph({"image": ["n", 3, 64, 64], "prompt": ["n", 12]})
    with pytest.raises(CheckFailed, match=r"has 2 \(image, prompt\)"):
        check_single_image_input(path)


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        (["n", 1, 64, 64], TensorProto.FLOAT, "float"),
        (["n", 3, "h", 64], TensorProto.FLOAT, "image batch"),
        (["n", 3, 64], TensorProto.FLOAT, "image batch"),
        (["n", 3, 64, 64], TensorProto.UINT8, "uint8"),
        ([1, 3, 64, 64], TensorProto.FLOAT, "fixed at 1"),
    ],
)
def test_other_inputs_are_refused(tiny_graph, shape, dtype, message):
    with pytest.raises(CheckFailed, match=message):
        check_single_image_input(tiny_graph({"image": shape}, dtype))


def test_files_that_are_no_models(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        check_single_image_input(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("not a model at all")
    with pytest.raises(BadInput, match=r"not an ONNX model|without a graph"):
        check_single_image_input(tmp_path / "text.onnx")


def test_a_file_of_others_has_no_card(tiny_graph):
    with pytest.raises(BadInput, match=r"metadata has no 'nbhelpers\.student'"):
        read_card(tiny_graph({"image": ["n", 3, 64, 64]}))


def test_too_far_from_torch_is_a_failed_check(tmp_path):
    accept({"predictions": (2e-4, 100.0)}, "float32", tmp_path)
    with pytest.raises(CheckFailed, match="'predictions' differs"):
        accept({"predictions": (0.01, 100.0)}, "float32", tmp_path)
    with pytest.raises(CheckFailed, match="'prototypes' differs"):
        accept({"predictions": (0.0, 1.0), "prototypes": (float("nan"), 1.0)}, "float32", tmp_path)


@pytest.fixture(scope="module")
def half(report, folder):
    from nbhelpers.artifacts import write_atomic
    from nbhelpers.export.half import to_half

    return write_atomic(folder / "half.onnx", to_half(load_onnx(report.path)).SerializeToString())


class TestHalf:
    def test_weights_are_half_and_both_ends_single(self, half, report):
        model = load_onnx(half)
        weights = [tensor for tensor in model.graph.initializer if len(tensor.dims) == 4]
        halves = [tensor for tensor in weights if tensor.data_type == TensorProto.FLOAT16]
        assert len(halves) >= 75
        ends = [*model.graph.input, *model.graph.output]
        assert {value.type.tensor_type.elem_type for value in ends} == {TensorProto.FLOAT}
        assert half.stat().st_size < 0.6 * report.size_bytes

    def test_the_decoding_stays_single(self, half):
        model = onnx.shape_inference.infer_shapes(load_onnx(half))
        types = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
        names = set(decoding_nodes(model))
        decoding = {output for node in model.graph.node if node.name in names for output in node.output}
        decoding -= {value.name for value in model.graph.output}
        assert len(decoding) >= 20
        assert {types[name] for name in decoding} == {TensorProto.FLOAT}
        counts = [node.op_type for node in model.graph.node].count("Cast")
        assert counts == 11  # the image, nine branches of the head, the prototypes

    def test_it_runs_here_and_is_close(self, half, student):
        differences = differences_to_torch(student, half, [1, 2])
        accept(differences, "float16", half)
        assert differences["predictions"][0] > 0  # really another precision

    def test_boxes_are_not_rounded_to_half(self, half):
        from nbhelpers.export.session import cpu_session

        image = np.random.default_rng(0).random((1, 3, 64, 64), dtype=np.float32)
        boxes = cpu_session(half, 1).run(None, {"image": image})[0][:, :4]
        assert (boxes != boxes.astype(np.float16)).mean() > 0.9

    def test_weights_beyond_half_are_named(self, report):
        from nbhelpers.export.half import to_half

        model = load_onnx(report.path)
        weight = next(t for t in model.graph.initializer if len(t.dims) == 4 and "model.0" in t.name)
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1e7), weight.name))
        with pytest.raises(CheckFailed, match="larger than float16"):
            to_half(model)


def test_the_expected_bin_is_what_the_head_computes():
    from ultralytics.nn.modules.block import DFL

    from nbhelpers.export.rewrite import ExpectedBin

    logits = 3 * torch.randn(2, 64, 21, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ExpectedBin(16)(logits), DFL(16)(logits), atol=1e-5, rtol=0)


class TestTopology:
    def test_decoding_is_what_follows_the_last_learned_layers(self, report):
        model = load_onnx(report.path)
        operators = {node.name: node.op_type for node in model.graph.node}
        decoding = [operators[name] for name in decoding_nodes(model)]
        assert {"Softmax", "Concat", "Reshape", "Sub", "Div"} <= set(decoding)
        assert decoding.count("MatMul") == 1  # the expectation over the box bins
        assert not {"Conv", "ConvTranspose"} & set(decoding)
        assert "MaxPool" not in decoding

    def test_the_head_ends_in_ten_convolutions(self, report):
        # boxes, classes and coefficients on three levels, and the prototypes
        assert len(head_convolutions(load_onnx(report.path))) == 10

    def test_names_do_not_matter(self, report):
        model = load_onnx(report.path)
        before = [model.graph.node[index].name for index in range(len(model.graph.node))]
        expected = [before.index(name) for name in decoding_nodes(model)]
        for index, node in enumerate(model.graph.node):
            node.name = f"x{index}"
        assert decoding_nodes(model) == [f"x{index}" for index in expected]
