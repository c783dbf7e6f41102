"""The predictions file: what a model said about each clip, which model, with which settings, on what inputs.

JSON: `format`, `version`, `provenance`, `versions` (libraries), `inputs_sha256` (of all inputs), `rows` and
`seal`, the SHA-256 of all the others. The seal has no secret in it: it finds a file that was edited or cut,
not somebody who seals it anew.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nbhelpers.artifacts import plain, read_json, sha256_value, write_json
from nbhelpers.errors import BadInput
from nbhelpers.metrics.predictions.inputs import inputs_sha256

FORMAT, VERSION = "nbhelpers predictions", 1
_LIBRARIES = ("nbhelpers", "torch", "transformers", "peft", "av", "numpy")

Name = Annotated[str, Field(min_length=1)]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Said(_Record):
    """An answer as it was read from a text; seconds from the clip's start."""

    operation: str
    start_s: Seconds
    end_s: Seconds
    next_operation: str


class Row(_Record):
    """One clip.

    Attributes:
        clip_id: of the clip.
        input_sha256: of the question, the frames and their times the model was given.
        text: what the model wrote, untouched.
        answer: what it says; None where it is no answer.
        clipped: a time lay outside the clip and was moved to its end.
        seconds: computing it.
    """

    clip_id: Name
    input_sha256: Hash
    text: str
    answer: Said | None
    clipped: bool
    seconds: Seconds


class Provenance(_Record):
    """Who said it.

    Attributes:
        model: its name.
        revision: of its weights; a hash or a commit.
        adapter: name and hash of what was tuned on top; None for the bare model.
        settings: what else decides the texts, such as precision, constrained decoding and device.
        view: what the frames were turned into first; `as_is` but in leak tests.
        trained_on: sources (subjects, sessions, videos) the model or adapter was tuned on; None where that is
            not known.
    """

    model: Name
    revision: Name
    adapter: Name | None
    settings: Annotated[dict[str, Any], Field(min_length=1)]
    view: Name = "as_is"
    trained_on: tuple[str, ...] | None = None


class Predictions(_Record):
    """A predictions file; see the module."""

    provenance: Provenance
    versions: dict[str, str]
    inputs_sha256: Hash
    rows: Annotated[tuple[Row, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> "Predictions":
        twice = [name for name, count in Counter(row.clip_id for row in self.rows).items() if count > 1]
        if twice:
            raise ValueError(f"clip {twice[0]} occurs twice")
        if self.inputs_sha256 != inputs_sha256({row.clip_id: row.input_sha256 for row in self.rows}):
            raise ValueError("inputs_sha256 is not that of the rows")
        return self


def write_predictions(path: Path | str, provenance: Provenance, rows: Sequence[Row]) -> Predictions:
    """Write the file, whole or not at all, and give back what is in it.

    Raises:
        BadInput: no rows, or a clip twice.
    """
    hashes = {row.clip_id: row.input_sha256 for row in rows}
    content = {
        "provenance": provenance,
        "versions": {name: metadata.version(name) for name in _LIBRARIES},
        "inputs_sha256": inputs_sha256(hashes),
        "rows": tuple(rows),
    }
    made = _built(Path(path), content)
    document = {"format": FORMAT, "version": VERSION, **plain(made)}
    write_json(Path(path), {**document, "seal": seal_of(document)})
    return made


def load_predictions(path: Path | str) -> Predictions:
    """Read a predictions file.

    Raises:
        BadInput: it is missing, of another format, without provenance, changed since it was written, or holds
            something that cannot be; names what.
    """
    path = Path(path)
    document = read_json(path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BadInput(f"{path}: is no predictions file; write one with nbhelpers predict-video")
    if document.get("version") != VERSION:
        raise BadInput(f"{path}: has version {document.get('version')!r}; this package reads {VERSION}")
    if not document.get("provenance"):
        raise BadInput(f"{path}: does not say which model and settings made it, so it is not scored")
    seal = document.pop("seal", None)
    content = {key: value for key, value in document.items() if key not in ("format", "version")}
    made = _built(path, content)
    if seal != seal_of(document):
        raise BadInput(f"{path}: was changed after it was written (its seal does not fit); it is not scored")
    return made


def seal_of(document: dict[str, Any]) -> str:
    """The seal of a file's content, all keys but `seal`."""
    return hashlib.sha256(f"{FORMAT} {VERSION} {sha256_value(document)}".encode()).hexdigest()


def _built(path: Path, content: dict[str, Any]) -> Predictions:
    try:
        return Predictions(**content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "content"
        raise BadInput(f"{path}: {place}: {first['msg']}") from None
