"""What a model is asked while it comes apart: configurations of prompts, from data files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nbhelpers.errors import BadInput
from nbhelpers.metrics.text import InformationUnit
from nbhelpers.metrics.text.tokens import LANGUAGES

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["tell", "tasks", "picture"]
KINDS = ("tell", "tasks", "picture")
_FOLDER = Path(__file__).with_name("prompts")
_DRAWN = {"kitchen": "kitchen"}  # pictures drawn by code


@dataclass(frozen=True)
class Prompt:
    """One thing that is asked.

    Attributes:
        name: unique within its configuration.
        category: such as `arithmetic`; results are summed up by it.
        text: by language.
        answers: right answers by language; empty where nothing can be right or wrong.
        image: file of a picture, or the name of one drawn by code; None without.
        units: what the picture shows; empty without one.
        new_tokens: of its answer at most; None takes the configuration's.
    """

    name: str
    category: str
    text: Mapping[str, str]
    answers: Mapping[str, tuple[str, ...]]
    image: str | None = None
    units: tuple[InformationUnit, ...] = ()
    new_tokens: int | None = None


@dataclass(frozen=True)
class Configuration:
    """A battery of prompts, with all that is needed to judge what comes back.

    Attributes:
        name: of a built-in one, or of the file.
        kind: `tell` (free texts), `tasks` (answers that can be checked) or `picture`.
        description: one sentence.
        prompts: in a fixed order.
        reference: by language, texts whose perplexity is taken.
        new_tokens: tokens of an answer at most.
        folder: where its file and its pictures lie.
    """

    name: str
    kind: Kind
    description: str
    prompts: tuple[Prompt, ...]
    reference: Mapping[str, tuple[str, ...]]
    new_tokens: int
    folder: Path

    @property
    def wants_pictures(self) -> bool:
        """Whether any prompt shows one."""
        return any(prompt.image is not None for prompt in self.prompts)

    def some(self, count: int | None) -> tuple[Prompt, ...]:
        """So many of the prompts, spread evenly over their order; all for None."""
        if count is None or count >= len(self.prompts):
            return self.prompts
        return tuple(self.prompts[place * len(self.prompts) // count] for place in range(count))

    def picture(self, prompt: Prompt) -> "np.ndarray | None":
        """The picture of a prompt: HWC uint8 RGB, or None."""
        return None if prompt.image is None else _picture(prompt.image, self.folder)


def config_names() -> list[str]:
    """Names of the built-in configurations."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def get_config(name: str | Path) -> Configuration:
    """A configuration by name, or from a YAML file of one's own.

    Args:
        name: one of `config_names`, or a path.

    Raises:
        BadInput: there is none such, or the file lacks something; names the prompt and the mend.
    """
    import yaml

    path = _FOLDER / f"{name}.yaml"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        raise BadInput(
            f"configuration {str(name)!r}: is no file, and the built-in ones are {', '.join(config_names())}"
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: is not YAML: {' '.join(str(error).split())}") from None
    return _Reader(path, content).configuration()


class _Reader:
    """Turns the content of a file into a configuration, and says where it cannot."""

    def __init__(self, path: Path, content: Any) -> None:
        self.path, self.content = path, content

    def _wrong(self, what: str) -> BadInput:
        return BadInput(f"{self.path}: {what}")

    def configuration(self) -> Configuration:
        found = self.content
        if not isinstance(found, dict) or found.get("kind") not in KINDS:
            raise self._wrong(f"needs `kind`: {', '.join(KINDS)}")
        if not isinstance(found.get("prompts"), list) or not found["prompts"]:
            raise self._wrong("needs `prompts`, a list")
        shared = self._units(found.get("units"))
        prompts = tuple(self._prompt(one, found.get("image"), shared) for one in found["prompts"])
        names = [prompt.name for prompt in prompts]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise self._wrong(f"prompt {twice!r} is there twice; give each its own id")
        return Configuration(
            self.path.stem,
            found["kind"],
            str(found.get("description", "")),
            prompts,
            {key: tuple(texts) for key, texts in self._by_language(found, "reference", list).items()},
            int(found.get("new_tokens", 200)),
            self.path.parent,
        )

    def _by_language(self, holder: Any, key: str, kind: type) -> dict[str, Any]:
        given = holder.get(key) if isinstance(holder, dict) else None
        if not isinstance(given, dict) or not set(given) <= set(LANGUAGES) or not given:
            raise self._wrong(f"`{key}` must have texts under {' or '.join(LANGUAGES)}")
        if not all(isinstance(value, kind) and value for value in given.values()):
            raise self._wrong(f"`{key}`: each language needs a {kind.__name__} that is not empty")
        return given

    def _prompt(self, one: Any, image: str | None, units: tuple[InformationUnit, ...]) -> Prompt:
        if not isinstance(one, dict) or "id" not in one:
            raise self._wrong("each prompt needs an `id`")
        text = {language: str(one[language]) for language in LANGUAGES if one.get(language)}
        if not text:
            raise self._wrong(f"prompt {one['id']!r} has no text under {' or '.join(LANGUAGES)}")
        answers = one.get("answers") or {}
        if self.content["kind"] == "tasks" and set(text) - set(answers):
            raise self._wrong(f"task {one['id']!r} lacks answers in {', '.join(set(text) - set(answers))}")
        return Prompt(
            str(one["id"]),
            str(one.get("category", "")),
            text,
            {language: tuple(map(str, found)) for language, found in answers.items()},
            one.get("image", image),
            self._units(one["units"]) if "units" in one else units,
            int(one["new_tokens"]) if "new_tokens" in one else None,
        )

    def _units(self, given: Any) -> tuple[InformationUnit, ...]:
        return tuple(self._unit(name, one) for name, one in (given or {}).items())

    def _unit(self, name: str, one: Any) -> InformationUnit:
        if not isinstance(one, dict) or not all(one.get(language) for language in LANGUAGES):
            raise self._wrong(f"unit {name!r} needs patterns in {' and '.join(LANGUAGES)}")
        patterns = {language: tuple(one[language]) for language in LANGUAGES}
        return InformationUnit(name, str(one.get("kind", "object")), patterns)


def _picture(image: str, folder: Path) -> "np.ndarray":
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    if image in _DRAWN:
        from nbhelpers.degrade.kitchen import draw_kitchen

        return draw_kitchen()
    try:
        with Image.open(folder / image) as file:
            return np.asarray(file.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise BadInput(f"picture {image!r} of {folder}: cannot be read ({error})") from None
