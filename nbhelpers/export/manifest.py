"""What a TensorRT engine was built from, and for which GPU, TensorRT and CUDA: it runs on no other."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nbhelpers.artifacts import read_json, write_json
from nbhelpers.errors import BadInput
from nbhelpers.export.card import ModelCard

SCHEMA = 1
# An engine built for other values of these is not used.
_BINDING = ("onnx_sha256", "batches", "workspace_bytes", "gpu", "capability", "tensorrt", "cuda")


@dataclass(frozen=True)
class Manifest:
    """The manifest beside an engine, `<engine>.json`.

    Attributes:
        onnx: name of the ONNX file; `onnx_sha256` is its content.
        batches: least, best and largest batch of the optimisation profile.
        input_name, image_size: with `batches` they give the shapes (batch, 3, image_size, image_size).
        gpu, capability, tensorrt, cuda: the machine; None where the manifest is only a plan.
        engine_sha256: content of the engine; None while it is not built.
        card: the student, as in the ONNX file.
        command: how to build the engine by hand, with the vendor's own tool.
    """

    onnx: str
    onnx_sha256: str
    batches: tuple[int, int, int]
    input_name: str
    image_size: int
    workspace_bytes: int
    gpu: str | None
    capability: tuple[int, int] | None
    tensorrt: str | None
    cuda: str | None
    card: ModelCard
    command: str
    engine_sha256: str | None = None

    def shapes(self) -> tuple[tuple[int, int, int, int], ...]:
        """Least, best and largest shape of the input, NCHW."""
        return tuple((batch, 3, self.image_size, self.image_size) for batch in self.batches)

    def differences(self, wanted: "Manifest") -> list[str]:
        """Why an engine with this manifest cannot stand for `wanted`; empty when it can."""
        reasons = [] if self.engine_sha256 else ["the engine was planned, not built"]
        for name in _BINDING:
            mine, other = getattr(self, name), getattr(wanted, name)
            if mine != other:
                reasons.append(f"{name} was {mine}, is {other}")
        return reasons


def manifest_path(engine: Path) -> Path:
    """Where the manifest of an engine lies: beside it, `.json` added to its name."""
    return Path(engine).with_name(Path(engine).name + ".json")


def plan_path(engine: Path) -> Path:
    """Where the manifest goes that an engine would have, while it cannot be built."""
    return Path(engine).with_name(Path(engine).name + ".plan.json")


def write_manifest(path: Path, manifest: Manifest) -> Path:
    """Write a manifest to `manifest_path` or `plan_path` of its engine."""
    return write_json(path, {"schema": SCHEMA, **asdict(manifest)})


def read_manifest(engine: Path) -> Manifest:
    """Read the manifest of an engine.

    Raises:
        BadInput: there is none, or it is not one of this package's.
    """
    path = manifest_path(engine)
    if not path.is_file():
        raise BadInput(f"{engine}: has no manifest {path.name} beside it; build the engine with this package")
    record = read_json(path)
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise BadInput(f"{path}: is no engine manifest of schema {SCHEMA}; build the engine again")
    try:
        return _from_record({key: value for key, value in record.items() if key != "schema"})
    except (TypeError, KeyError) as error:
        raise BadInput(f"{path}: is no engine manifest ({error}); build the engine again") from None


def _from_record(record: dict[str, Any]) -> Manifest:
    least, best, largest = record["batches"]
    capability = record["capability"]
    return Manifest(
        **{
            **record,
            "batches": (least, best, largest),
            "capability": None if capability is None else (capability[0], capability[1]),
            "card": ModelCard(**record["card"]),
        }
    )
