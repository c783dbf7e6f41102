import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import fake_tensorrt
import numpy as np
import pytest

from nbhelpers.artifacts import read_json, sha256_file
from nbhelpers.errors import BadInput, CheckFailed, Unavailable
from nbhelpers.export import (
    TENSORRT,
    build_engine,
    open_engine,
    plan_engine,
    quantize_static,
    tensorrt_status,
)
from nbhelpers.export.manifest import manifest_path, read_manifest

GPU = ("Fake RTX 3090", (8, 6), "13.0")


class Stream:
    cuda_stream = 4711

    def synchronize(self) -> None:
        pass


@pytest.fixture
def machine(monkeypatch):
    """A machine with a GPU; call it with a TensorRT version to install that one."""

    def install(version: str, gpu=GPU):
        trt = fake_tensorrt.make(version)
        monkeypatch.setitem(sys.modules, "tensorrt", trt)
        for module in ("tensorrt", "tensorrt_machine"):
            monkeypatch.setattr(f"nbhelpers.export.{module}.first_gpu", lambda: gpu)
        monkeypatch.setattr("nbhelpers.export.tensorrt_engine._stream", lambda device: Stream())
        return trt

    return install


@pytest.fixture
def bare(monkeypatch):
    """A machine without TensorRT."""
    monkeypatch.setitem(sys.modules, "tensorrt", None)


VERSIONS = ["10.3.0", "10.16.1.2", "11.0.0", "11.4.1"]


class TestStatus:
    def test_without_the_package(self, bare):
        status = tensorrt_status()
        assert status.value == "missing"
        assert "not installed" in status.reason

    def test_without_a_gpu(self, machine):
        machine("11.4.1", gpu=None)
        assert tensorrt_status().value == "missing"
        assert "no CUDA GPU" in tensorrt_status().reason

    @pytest.mark.parametrize("version", ["8.6.1", "12.0.0", "dev"])
    def test_other_generations(self, machine, version):
        machine(version)
        assert tensorrt_status().value == "missing"
        assert version in tensorrt_status().reason

    @pytest.mark.parametrize("version", VERSIONS)
    def test_ready(self, machine, version):
        machine(version)
        assert (
            str(tensorrt_status()) == f"ready (TensorRT {version} on Fake RTX 3090, compute capability 8.6)"
        )


@pytest.mark.parametrize("version", VERSIONS)
class TestBothGenerations:
    def test_builds_a_strongly_typed_network_with_a_profile(self, machine, version, report, tmp_path):
        trt = machine(version)
        built = build_engine(report.path, tmp_path / "s.engine", batches=(1, 2, 4), workspace_gib=1.5)
        ((network, config),) = trt.calls
        assert network.flags == (0 if version.startswith("11") else 2)
        assert config.profiles[0].shapes == {"image": ((1, 3, 64, 64), (2, 3, 64, 64), (4, 3, 64, 64))}
        assert config.limits == {7: 1610612736}
        assert built.rebuilt == ["there was no engine"]
        assert built.engine.read_bytes() == fake_tensorrt.MAGIC + report.path.read_bytes()

    def test_the_manifest_names_everything_the_engine_is_bound_to(self, machine, version, report, tmp_path):
        machine(version)
        built = build_engine(report.path, tmp_path / "s.engine")
        record = read_json(tmp_path / "s.engine.json")
        assert (record["gpu"], record["capability"], record["cuda"]) == ("Fake RTX 3090", [8, 6], "13.0")
        assert (record["tensorrt"], record["onnx_sha256"]) == (version, report.sha256)
        assert record["engine_sha256"] == sha256_file(built.engine)
        assert record["card"]["class_names"] == report.card.class_names
        assert read_manifest(built.engine) == built.manifest

    def test_runs_and_agrees_with_onnx(self, machine, version, report, photos, tmp_path):
        machine(version)
        path = build_engine(report.path, tmp_path / "s.engine", batches=(1, 2, 4)).engine
        engine, onnx = open_engine(path, device="cpu"), open_engine(report.path, threads=1)
        engine.device = "cpu"
        batch = np.random.default_rng(0).random((6, 3, 64, 64), dtype=np.float32)
        for ours, theirs in zip(engine.run(batch), onnx.run(batch), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-4)
        assert engine._context.batches == [4, 2]  # six images, four at a time
        ours, theirs = engine.predict(photos[0], 0.01), onnx.predict(photos[0], 0.01)
        assert len(ours) == len(theirs) > 0
        np.testing.assert_allclose(ours.xyxy, theirs.xyxy, atol=1e-2)

    def test_a_second_call_keeps_the_engine(self, machine, version, report, tmp_path):
        trt = machine(version)
        build_engine(report.path, tmp_path / "s.engine")
        assert build_engine(report.path, tmp_path / "s.engine").rebuilt == []
        assert len(trt.calls) == 1
        assert build_engine(report.path, tmp_path / "s.engine", force=True).rebuilt == ["asked for"]

    def test_eight_bits_are_built_from_signed_symmetric_nodes(
        self, machine, version, report, photos, tmp_path
    ):
        trt = machine(version)
        int8 = quantize_static(report.path, tmp_path / "t.onnx", photos[:1], settings=TENSORRT)
        assert build_engine(int8.path, tmp_path / "t.engine").manifest.card.precision == "int8-static"
        assert len(trt.calls) == 1


class TestRebuild:
    @pytest.fixture
    def engine(self, machine, report, tmp_path):
        machine("10.3.0")
        onnx = Path(shutil.copy(report.path, tmp_path / "s.onnx"))
        return onnx, build_engine(onnx, tmp_path / "s.engine").engine

    def test_another_tensorrt(self, machine, engine):
        machine("11.4.1")
        assert build_engine(*engine).rebuilt == ["tensorrt was 10.3.0, is 11.4.1"]

    def test_another_gpu(self, machine, engine):
        machine("10.3.0", gpu=("Tesla T4", (7, 5), "13.0"))
        reasons = build_engine(*engine).rebuilt
        assert reasons == ["gpu was Fake RTX 3090, is Tesla T4", "capability was (8, 6), is (7, 5)"]

    def test_another_cuda(self, machine, engine):
        machine("10.3.0", gpu=(*GPU[:2], "12.8"))
        assert build_engine(*engine).rebuilt == ["cuda was 13.0, is 12.8"]

    def test_another_profile(self, engine):
        assert build_engine(*engine, batches=(1, 2, 2)).rebuilt == ["batches was (1, 1, 8), is (1, 2, 2)"]

    def test_another_model(self, engine):
        onnx, path = engine
        before = read_manifest(path).onnx_sha256
        from nbhelpers.export.card import write_card
        from nbhelpers.export.graph import load_onnx

        model = load_onnx(onnx)
        write_card(model, read_manifest(path).card.changed(notes={"changed": True}))
        onnx.write_bytes(model.SerializeToString())
        assert build_engine(onnx, path).rebuilt == [f"onnx_sha256 was {before}, is {sha256_file(onnx)}"]

    def test_a_damaged_engine(self, engine):
        engine[1].write_bytes(engine[1].read_bytes()[:-1])
        assert build_engine(*engine).rebuilt == ["the engine file is not the one its manifest describes"]

    def test_a_lost_manifest(self, engine):
        manifest_path(engine[1]).unlink()
        assert build_engine(*engine).rebuilt == ["the engine had no manifest"]


class TestRefusals:
    def test_a_network_tensorrt_cannot_parse(self, machine, report, tmp_path):
        machine("11.0.0")
        onnx = tmp_path / "s.onnx"
        onnx.write_bytes(_with_note(report.path, "refuse-me"))
        with pytest.raises(CheckFailed, match="cannot parse it: In node 3: unsupported operator"):
            build_engine(onnx, tmp_path / "s.engine")
        assert not (tmp_path / "s.engine").exists()

    def test_a_build_that_fails(self, machine, report, tmp_path):
        machine("10.3.0")
        onnx = tmp_path / "s.onnx"
        onnx.write_bytes(_with_note(report.path, "fail-me"))
        with pytest.raises(CheckFailed, match="could not build"):
            build_engine(onnx, tmp_path / "s.engine")
        assert not manifest_path(tmp_path / "s.engine").exists()

    def test_quantised_for_the_cpu(self, machine, int8, tmp_path):
        machine("11.0.0")
        with pytest.raises(BadInput, match="settings=TENSORRT"):
            build_engine(int8.path, tmp_path / "s.engine")

    @pytest.mark.parametrize("batches", [(0, 1, 2), (2, 1, 4), (1, 4, 2)])
    def test_batches_that_do_not_ascend(self, machine, report, tmp_path, batches):
        machine("11.0.0")
        with pytest.raises(BadInput, match="ascending"):
            build_engine(report.path, tmp_path / "s.engine", batches=batches)

    def test_an_engine_of_another_file(self, machine, report, tmp_path):
        machine("11.0.0")
        path = build_engine(report.path, tmp_path / "s.engine").engine
        path.write_bytes(b"something else")
        with pytest.raises(BadInput, match="not the engine its manifest describes"):
            open_engine(path)

    def test_no_manifest(self, machine, tmp_path):
        machine("11.0.0")
        (tmp_path / "s.engine").write_bytes(b"x")
        with pytest.raises(BadInput, match=r"has no manifest s\.engine\.json"):
            open_engine(tmp_path / "s.engine")

    @pytest.mark.parametrize("text", ["[]", '{"schema": 99}', '{"schema": 1, "batches": [1, 1, 1]}', "{"])
    def test_a_manifest_of_others(self, tmp_path, text):
        (tmp_path / "s.engine").write_bytes(b"x")
        manifest_path(tmp_path / "s.engine").write_text(text)
        with pytest.raises(BadInput, match=r"s\.engine\.json"):
            read_manifest(tmp_path / "s.engine")


class TestWithoutTensorRT:
    def test_the_plan_is_written_with_exact_commands(self, bare, report, tmp_path):
        plan = plan_engine(report.path, tmp_path / "s.engine", batches=(1, 4, 16))
        assert "not installed" in plan.reason
        assert "Jetson" in plan.note
        record = read_json(plan.manifest)
        assert record["engine_sha256"] is None
        assert record["tensorrt"] is None
        assert record["onnx_sha256"] == report.sha256
        assert record["command"] == plan.trtexec_command
        assert plan.trtexec_command.split() == [
            "trtexec",
            f"--onnx={report.path}",
            f"--saveEngine={tmp_path}/s.engine",
            "--stronglyTyped",
            "--minShapes=image:1x3x64x64",
            "--optShapes=image:4x3x64x64",
            "--maxShapes=image:16x3x64x64",
            "--memPoolSize=workspace:2048M",
        ]

    def test_the_python_command_is_one_that_runs(self, bare, report, tmp_path):
        plan = plan_engine(report.path, tmp_path / "it's here.engine", batches=(1, 2, 4))
        program, flag, code = shlex.split(plan.nbhelpers_command)
        assert (program, flag) == ("python", "-c")
        with pytest.raises(Unavailable, match="not installed"):
            exec(code, {})

    def test_a_plan_becomes_an_engine_where_there_is_tensorrt(self, machine, report, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "tensorrt", None)
        plan_engine(report.path, tmp_path / "s.engine")
        machine("11.4.1")
        built = build_engine(report.path, tmp_path / "s.engine")
        assert built.rebuilt == ["there was no engine"]
        assert read_manifest(built.engine).engine_sha256
        assert not (tmp_path / "s.engine.plan.json").exists()

    def test_planning_again_does_not_disown_an_engine(self, machine, report, tmp_path, monkeypatch):
        machine("11.4.1")
        built = build_engine(report.path, tmp_path / "s.engine")
        monkeypatch.setitem(sys.modules, "tensorrt", None)
        plan_engine(report.path, tmp_path / "s.engine")
        assert read_manifest(built.engine) == built.manifest

    def test_building_says_what_to_run_elsewhere(self, bare, report, tmp_path):
        with pytest.raises(Unavailable, match=r"not installed.*trtexec --onnx="):
            build_engine(report.path, tmp_path / "s.engine")

    def test_opening_says_why_not(self, bare, tmp_path):
        (tmp_path / "s.engine").write_bytes(b"x")
        with pytest.raises(Unavailable, match="not installed"):
            open_engine(tmp_path / "s.engine")

    def test_the_plan_needs_no_torch(self, report, tmp_path):
        code = (
            "import sys; from nbhelpers.export.manifest import read_manifest; "
            "import nbhelpers.export.tensorrt; print('torch' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "False"


def _with_note(path: Path, note: str) -> bytes:
    from nbhelpers.export.card import read_card, write_card
    from nbhelpers.export.graph import load_onnx

    model = load_onnx(path)
    write_card(model, read_card(path).changed(notes={"note": note}))
    return model.SerializeToString()


def test_manifests_are_plain_json(machine, report, tmp_path):
    machine("11.0.0")
    path = build_engine(report.path, tmp_path / "s.engine").engine
    assert json.loads(manifest_path(path).read_text())["schema"] == 1
