"""Which questions are asked: a YAML by family for photographs, many wordings for drawn pictures."""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from nbhelpers.data.pictures.parts import part_of
from nbhelpers.data.pictures.picture import Asked
from nbhelpers.errors import BadInput

_PARTS = ("train", "val", "test")
# Wordings of drawn pictures that may be trained on are dealt out between these; `test` has its own.
_TRAINED = {"train": 0.85, "val": 0.15}


def photograph_questions(
    family: str, tasks: Sequence[str] = (), file: Path | None = None
) -> dict[str, tuple[Asked, ...]]:
    """Questions by part for a family.

    Args:
        family: a `model_type`; one without a list of its own gets `default`.
        tasks: which tasks; none: all in the file.
        file: a YAML of one's own instead of the one of the package: family, task, part, list of texts.

    Raises:
        BadInput: the file is no such YAML, lacks a task or a part; names it.
    """
    name = str(file) if file is not None else "questions.yaml"
    document = _read(file, name)
    chosen = document.get(family, document.get("default"))
    if not isinstance(chosen, Mapping):
        known = ", ".join(map(str, document))
        raise BadInput(f"{name}: has neither {family!r} nor 'default'; it has: {known or 'nothing'}")
    for task in tasks:
        if task not in chosen:
            raise BadInput(f"{name}: {family} has no task {task!r}; it has: {', '.join(map(str, chosen))}")
    wanted = {str(task): chosen[task] for task in (tasks or chosen)}
    return {part: tuple(_asked(wanted, part, name)) for part in _PARTS}


def _read(file: Path | None, name: str) -> Mapping[str, Any]:
    import yaml

    try:
        source = resources.files(__package__) / "questions.yaml" if file is None else Path(file)
        document = yaml.safe_load(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{name}: cannot be read as YAML ({' '.join(str(error).split())})") from None
    if not isinstance(document, Mapping):
        raise BadInput(
            f"{name}: must hold families with tasks below them, such as `default: {{subject: ...}}`"
        )
    return document


def _asked(tasks: Mapping[str, Any], part: str, name: str) -> list[Asked]:
    found = []
    for task, parts in tasks.items():
        texts = parts.get(part) if isinstance(parts, Mapping) else None
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            raise BadInput(f"{name}: task {task!r} needs a list of questions under {part!r}")
        found += [Asked(text, task) for text in texts]
    return found


def still_questions(tasks: Sequence[str], seed: int = 0) -> dict[str, tuple[Asked, ...]]:
    """Every English wording of the drawn pictures' tasks, by part; those of `test` were never trained on.

    Raises:
        BadInput: an unknown task; names the known ones.
    """
    from nbhelpers.data.stills import TASKS, phrasings

    for task in tasks:
        if task not in TASKS:
            raise BadInput(f"attack.tasks: drawn pictures have no task {task!r}; known: {', '.join(TASKS)}")
    trained = [Asked(text, task) for task in tasks for text in phrasings(task)]
    parts = {
        part: tuple(one for one in trained if part_of(one.text, _TRAINED, seed) == part) for part in _TRAINED
    }
    held_out = (Asked(text, task) for task in tasks for text in phrasings(task, held_out=True))
    return parts | {"test": tuple(held_out)}
