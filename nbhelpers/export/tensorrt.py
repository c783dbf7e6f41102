"""TensorRT engines from ONNX: strongly typed, dynamic batch, rebuilt when the machine or the file changed.

Precision is what the ONNX file says (its float16 tensors, its Q/DQ nodes): TensorRT 11 has no precision flags
and no calibrators, and TensorRT 10 does the same when a network is strongly typed. One path serves both.
Source: NVIDIA's "Migrating from TensorRT 10.x to 11.x".
"""

import shlex
import time
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from nbhelpers.artifacts import sha256_file, write_atomic
from nbhelpers.errors import BadInput, CheckFailed, Unavailable
from nbhelpers.export.card import ModelCard, read_card
from nbhelpers.export.graph import check_single_image_input, check_tensorrt_quantization
from nbhelpers.export.manifest import Manifest, manifest_path, plan_path, read_manifest, write_manifest
from nbhelpers.export.tensorrt_machine import first_gpu, major_version, tensorrt_status, tensorrt_version

Batches = tuple[int, int, int]
GIB = 2**30

JETSON = (
    "Jetson is a target: copy the .onnx file to the device and build there, engines do not move between "
    "GPUs. JetPack 6 (Orin) stays on the TensorRT 10 it brings (6.2: 10.3); JetPack 7.2.2 and later (AGX "
    "Orin, Thor) also runs TensorRT 11.4.1 and later. TensorRT belongs to the system's Python there: make "
    "the environment with --system-site-packages."
)


@dataclass(frozen=True)
class EnginePlan:
    """What would be built, where this machine cannot.

    Attributes:
        engine: where the engine would go.
        manifest: written beside it as `.plan.json`, without GPU, versions and engine hash.
        reason: why it cannot be built here.
        nbhelpers_command: builds it where this package, TensorRT and a GPU are, with the manifest.
        trtexec_command: builds it with NVIDIA's own tool.
        note: about Jetson.
    """

    engine: Path
    manifest: Path
    reason: str
    nbhelpers_command: str
    trtexec_command: str
    note: str = JETSON


@dataclass(frozen=True)
class EngineBuild:
    """An engine that is there; `rebuilt` lists why it was built, empty when the one on disk was good."""

    engine: Path
    manifest: Manifest
    rebuilt: list[str]
    seconds: float


def plan_engine(
    onnx: Path, out: Path, *, batches: Batches = (1, 1, 8), workspace_gib: float = 2.0
) -> EnginePlan:
    """Write the manifest an engine would have, and say how to build it elsewhere.

    Raises:
        BadInput: not an ONNX file of this package, or batches that do not ascend.
    """
    manifest = _wanted(Path(onnx), Path(out), batches, workspace_gib)
    return EnginePlan(
        engine=Path(out),
        manifest=write_manifest(plan_path(out), manifest),
        reason=tensorrt_status().reason,
        nbhelpers_command=python_command(Path(onnx), Path(out), batches, workspace_gib),
        trtexec_command=manifest.command,
    )


def build_engine(
    onnx: Path,
    out: Path,
    *,
    batches: Batches = (1, 1, 8),
    workspace_gib: float = 2.0,
    force: bool = False,
) -> EngineBuild:
    """Build an engine, or keep the one on disk when its manifest fits this machine and this ONNX file.

    Args:
        onnx: float32, float16 or TensorRT-style Q/DQ file (`quantize_static(..., settings=TENSORRT)`).
        out: the engine; its manifest goes beside it.
        batches: least, best and largest batch.
        workspace_gib: scratch memory TensorRT may use while it tries kernels, GiB.
        force: build even when the engine on disk fits.

    Raises:
        Unavailable: TensorRT or a GPU is missing; the message holds the command for a machine that has them.
        BadInput: not an ONNX file of this package, or one TensorRT cannot take.
        CheckFailed: TensorRT refused the network; its own messages are in the text.
    """
    started, out = time.perf_counter(), Path(out)
    status = tensorrt_status()
    wanted = _wanted(Path(onnx), out, batches, workspace_gib)
    if status.value != "ready":
        raise Unavailable(f"{out}: {status.reason}; where it is there, run: {wanted.command}")
    reasons = ["asked for"] if force else _stale(out, wanted)
    if not reasons:
        return EngineBuild(out, read_manifest(out), [], time.perf_counter() - started)
    write_atomic(out, _serialise(Path(onnx), wanted))
    built = replace(wanted, engine_sha256=sha256_file(out))
    write_manifest(manifest_path(out), built)
    plan_path(out).unlink(missing_ok=True)
    return EngineBuild(out, built, reasons, time.perf_counter() - started)


def _wanted(onnx: Path, out: Path, batches: Batches, workspace_gib: float) -> Manifest:
    """The manifest an engine built here and now would have."""
    if not 1 <= batches[0] <= batches[1] <= batches[2]:
        raise BadInput(f"batches {batches}: give least, best and largest, ascending, 1 or more")
    card, image = read_card(onnx), check_single_image_input(onnx)
    check_tensorrt_quantization(onnx)
    gpu, name = first_gpu(), image.name
    return Manifest(
        onnx=onnx.name,
        onnx_sha256=sha256_file(onnx),
        batches=batches,
        input_name=name,
        image_size=card.image_size,
        workspace_bytes=int(workspace_gib * GIB),
        gpu=None if gpu is None else gpu[0],
        capability=None if gpu is None else gpu[1],
        tensorrt=tensorrt_version(),
        cuda=None if gpu is None else gpu[2],
        card=card,
        command=trtexec_command(onnx, out, name, card, batches, workspace_gib),
    )


def python_command(onnx: Path, out: Path, batches: Batches, workspace_gib: float) -> str:
    """The build as one command for a machine with this package; it writes the manifest as well."""
    code = (
        "from pathlib import Path; from nbhelpers.export import build_engine; "
        f"print(build_engine(Path({str(onnx)!r}), Path({str(out)!r}), "
        f"batches={batches}, workspace_gib={workspace_gib}).engine)"
    )
    return shlex.join(["python", "-c", code])


def trtexec_command(
    onnx: Path, out: Path, name: str, card: ModelCard, batches: Batches, workspace_gib: float
) -> str:
    """The same build with NVIDIA's tool; `--stronglyTyped` is needed on 10 and harmless on 11."""
    side = card.image_size
    shapes = [f"{name}:{batch}x3x{side}x{side}" for batch in batches]
    return shlex.join(
        [
            "trtexec",
            f"--onnx={onnx}",
            f"--saveEngine={out}",
            "--stronglyTyped",
            f"--minShapes={shapes[0]}",
            f"--optShapes={shapes[1]}",
            f"--maxShapes={shapes[2]}",
            f"--memPoolSize=workspace:{int(workspace_gib * 1024)}M",
        ]
    )


def _stale(out: Path, wanted: Manifest) -> list[str]:
    """Why the engine on disk is not the one wanted; empty when it is."""
    if not out.is_file():
        return ["there was no engine"]
    if not manifest_path(out).is_file():
        return ["the engine had no manifest"]
    found = read_manifest(out)
    reasons = found.differences(wanted)
    if found.engine_sha256 and sha256_file(out) != found.engine_sha256:
        reasons.append("the engine file is not the one its manifest describes")
    return reasons


def _serialise(onnx: Path, manifest: Manifest) -> bytes:
    """Parse the ONNX file and build the engine's bytes; the calls exist in TensorRT 10 and 11 alike."""
    trt = import_module("tensorrt")
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(_network_flags(trt))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(onnx)):
        errors = "; ".join(str(parser.get_error(index)) for index in range(parser.num_errors))
        raise CheckFailed(f"{onnx}: TensorRT {trt.__version__} cannot parse it: {errors}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, manifest.workspace_bytes)
    profile = builder.create_optimization_profile()
    profile.set_shape(manifest.input_name, *manifest.shapes())
    config.add_optimization_profile(profile)
    built = builder.build_serialized_network(network, config)
    if built is None:
        raise CheckFailed(
            f"{onnx}: TensorRT {trt.__version__} could not build an engine; its log above says why"
        )
    return bytes(built)


def _network_flags(trt: Any) -> int:
    """TensorRT 10 has to be told that types are the network's own; 11 knows nothing else."""
    if major_version(trt.__version__) >= 11:
        return 0
    return 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
