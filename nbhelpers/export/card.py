"""What an exported file must say about itself, so that an engine opens from the file alone."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    import onnx

_PREFIX = "nbhelpers."


@dataclass(frozen=True)
class ModelCard:
    """The facts stored in `metadata_props` of an ONNX file and in the manifest of a TensorRT engine.

    Attributes:
        student: key of `distill.STUDENTS`; `size` is one of n, s, m, l, x.
        task: "detect" or "segment"; decides how the outputs are decoded.
        class_names: names by class index.
        image_size: side of the square letterboxed input, pixels; a multiple of `stride`.
        licence: of the network's code and weights.
        precision: "float32", "float16", "int8-dynamic" or "int8-static".
        notes: how the file was made (quantisation settings, nodes left in float).
        versions: packages that wrote the file.
    """

    student: str
    size: str
    task: str
    class_names: list[str]
    image_size: int
    stride: int
    licence: str
    precision: str = "float32"
    notes: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def to_props(self) -> dict[str, str]:
        """The card as ONNX metadata: one JSON value per key, keys prefixed `nbhelpers.`."""
        return {
            f"{_PREFIX}{key}": json.dumps(value, ensure_ascii=False) for key, value in asdict(self).items()
        }

    def changed(self, **changes: Any) -> "ModelCard":
        """A copy with some fields replaced."""
        return replace(self, **changes)


def card_from_props(props: Mapping[str, str], where: str) -> ModelCard:
    """Read a card from ONNX metadata.

    Raises:
        BadInput: a field is missing or unreadable; names the file and the field.
    """
    values: dict[str, Any] = {}
    for key in ModelCard.__dataclass_fields__:
        text = props.get(_PREFIX + key)
        if text is None:
            raise BadInput(
                f"{where}: metadata has no '{_PREFIX}{key}'; export the student again with this package"
            )
        try:
            values[key] = json.loads(text)
        except json.JSONDecodeError as error:
            raise BadInput(f"{where}: metadata '{_PREFIX}{key}' is not JSON ({error.msg})") from None
    return ModelCard(**values)


def card_of_student(student: Any) -> ModelCard:
    """The card of a `distill.Student`, with the versions of what exports it."""
    return ModelCard(
        student=student.name,
        size=student.size,
        task=student.task,
        class_names=list(student.class_names),
        image_size=int(student.image_size),
        stride=int(student.stride),
        licence=student.licence,
        versions=exporter_versions(),
    )


def exporter_versions() -> dict[str, str]:
    """Installed versions of the packages that shape an exported graph."""
    from importlib.metadata import version

    packages = ("nbhelpers", "torch", "ultralytics", "onnx", "onnxscript", "onnxruntime")
    return {package: version(package) for package in packages}


def write_card(model: "onnx.ModelProto", card: ModelCard) -> None:
    """Put the card into a loaded ONNX model, replacing one it carries."""
    kept = {prop.key: prop.value for prop in model.metadata_props if not prop.key.startswith(_PREFIX)}
    del model.metadata_props[:]
    for key, value in {**kept, **card.to_props()}.items():
        model.metadata_props.add(key=key, value=value)


def read_card(path: Path) -> ModelCard:
    """The card of an ONNX file.

    Raises:
        BadInput: no such file, not ONNX, or not exported by this package.
    """
    from nbhelpers.export.graph import load_onnx

    model = load_onnx(path)
    return card_from_props({prop.key: prop.value for prop in model.metadata_props}, str(path))
